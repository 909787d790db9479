//! A printed program, read as strictly as it can be: Pulumi itself ignores what it doesn't know.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A program.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The project's name.
    pub name: String,
    /// Always `yaml`.
    pub runtime: String,
    /// The configuration that values refer to.
    #[serde(default)]
    pub configuration: BTreeMap<String, ConfigKey>,
    /// Values that are looked up.
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    /// The resources by their logical names.
    pub resources: BTreeMap<String, Resource>,
    /// The stack's outputs.
    #[serde(default)]
    pub outputs: BTreeMap<String, Value>,
}

/// A key of the stack's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigKey {
    /// Pulumi's name of its type.
    pub r#type: String,
    /// Whether its value is hidden.
    #[serde(default)]
    pub secret: bool,
}

/// A variable: the only ones that there are hold what a function of the provider answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// The call.
    #[serde(rename = "fn::invoke")]
    pub invoke: Invoke,
}

/// A call of a provider's function.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoke {
    /// The function.
    pub function: String,
    /// The part of its answer to take.
    pub r#return: String,
}

/// A resource.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Resource {
    /// Its type, such as `aws:sqs:Queue`.
    pub r#type: String,
    /// Whether it is the provider of all others.
    #[serde(default)]
    pub default_provider: bool,
    /// Its inputs.
    #[serde(default)]
    pub properties: BTreeMap<String, Value>,
    /// How Pulumi treats it.
    #[serde(default)]
    pub options: Options,
}

/// How Pulumi treats a resource.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Options {
    /// The version of a provider.
    pub version: Option<String>,
    /// References to what it waits for.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// Whether it must not be deleted or replaced.
    #[serde(default)]
    pub protect: bool,
}

impl Program {
    /// Reads a program.
    ///
    /// # Errors
    /// Names what isn't known or is missing.
    pub fn read(program: &Value) -> Result<Self, String> {
        Self::deserialize(program).map_err(|error| error.to_string())
    }

    /// The resources of a type.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Resource)> {
        self.resources.iter().filter(move |(_, it)| it.r#type == kind).map(|(name, it)| (name.as_str(), it))
    }
}

impl Resource {
    /// The value at a path of properties and indices with dots between, or null.
    #[must_use]
    pub fn at(&self, path: &str) -> &Value {
        let mut names = path.split('.');
        let first = names.next().and_then(|name| self.properties.get(name)).unwrap_or(&Value::Null);
        names.fold(first, |value, name| {
            let found = name.parse::<usize>().map_or_else(|_| value.get(name), |index| value.get(index));
            found.unwrap_or(&Value::Null)
        })
    }
}
