//! A Pulumi YAML program as typed values.
//!
//! Pulumi replaces `$$` by `$` in every string and takes `${…}` for a reference. So text and references are different types here: a literal
//! is escaped when it is printed, a [`Reference`] never is, and nobody writes either by hand. The modules that declare resources know their
//! types and properties.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A program.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Program {
    /// The project's name.
    pub name: &'static str,
    /// Always `yaml`; a program that is compiled has to say so again.
    pub runtime: &'static str,
    /// The configuration that values refer to.
    pub configuration: BTreeMap<&'static str, ConfigKey>,
    /// Values that are looked up.
    pub variables: BTreeMap<&'static str, Value>,
    /// The resources by their logical names.
    pub resources: BTreeMap<String, Resource>,
    /// The stack's outputs.
    pub outputs: BTreeMap<&'static str, Value>,
}

impl Program {
    /// Declares a resource. A second resource of the same name replaces the first.
    pub fn add(&mut self, name: &Name, resource: Resource) {
        self.resources.insert(name.0.to_string(), resource);
    }
}

/// A key of the stack's configuration.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ConfigKey {
    /// Pulumi's name of its type.
    pub r#type: &'static str,
    /// Whether Pulumi hides its value.
    pub secret: bool,
}

/// A resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    kind: &'static str,
    is_default_provider: bool,
    properties: BTreeMap<&'static str, Value>,
    depends_on: Vec<Name>,
    version: Option<&'static str>,
    is_protected: bool,
}

impl Resource {
    /// A resource of a type such as `aws:sqs:Queue`.
    #[must_use]
    pub fn new(kind: &'static str) -> Self {
        Self {
            kind,
            is_default_provider: false,
            properties: BTreeMap::new(),
            depends_on: Vec::new(),
            version: None,
            is_protected: false,
        }
    }

    /// Sets a property.
    #[must_use]
    pub fn with(mut self, property: &'static str, value: impl Into<Value>) -> Self {
        self.properties.insert(property, value.into());
        self
    }

    /// Makes Pulumi wait for another resource that no property refers to.
    #[must_use]
    pub fn after(mut self, resource: &Name) -> Self {
        self.depends_on.push(resource.clone());
        self
    }

    /// Makes Pulumi refuse to delete or replace it.
    #[must_use]
    pub fn protected_if(mut self, is_protected: bool) -> Self {
        self.is_protected = is_protected;
        self
    }

    /// Makes the resource, a provider, serve all others, in one version.
    #[must_use]
    pub fn as_default_provider(mut self, version: &'static str) -> Self {
        self.is_default_provider = true;
        self.version = Some(version);
        self
    }
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut options = BTreeMap::new();
        if let Some(version) = self.version {
            options.insert("version", Value::from(version));
        }
        if !self.depends_on.is_empty() {
            let names = self.depends_on.iter().map(|name| name.itself().into());
            options.insert("dependsOn", Value::List(names.collect()));
        }
        if self.is_protected {
            options.insert("protect", true.into());
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.kind)?;
        if self.is_default_provider {
            map.serialize_entry("defaultProvider", &true)?;
        }
        if !self.properties.is_empty() {
            map.serialize_entry("properties", &self.properties)?;
        }
        if !options.is_empty() {
            map.serialize_entry("options", &options)?;
        }
        map.end()
    }
}

/// The name of a resource, a variable or a configuration key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Cow<'static, str>);

impl Name {
    /// A name.
    #[must_use]
    pub const fn of(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name of something that belongs to another: `connect` and `Role` make `connectRole`.
    #[must_use]
    pub fn with(&self, end: &str) -> Self {
        Self(format!("{}{end}", self.0).into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A reference to the thing itself.
    #[must_use]
    pub fn itself(&self) -> Reference {
        Reference(self.0.to_string())
    }

    /// A reference to one of its outputs.
    #[must_use]
    pub fn get(&self, output: &str) -> Reference {
        Reference(format!("{}.{output}", self.0))
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

/// The content of `${…}`; it is never escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(String);

/// A string: literals and references side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Reference(Reference),
}

impl Text {
    /// A text that ends with another.
    #[must_use]
    pub fn then(mut self, end: impl Into<Self>) -> Self {
        self.0.extend(end.into().0);
        self
    }

    /// The text as Pulumi reads it.
    fn to_pulumi(&self) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Literal(text) => text.replace('$', "$$"),
            Part::Reference(Reference(target)) => format!("${{{target}}}"),
        });
        parts.collect()
    }
}

impl From<&str> for Text {
    fn from(literal: &str) -> Self {
        Self(vec![Part::Literal(literal.to_owned())])
    }
}

impl From<String> for Text {
    fn from(literal: String) -> Self {
        Self(vec![Part::Literal(literal)])
    }
}

impl From<Reference> for Text {
    fn from(reference: Reference) -> Self {
        Self(vec![Part::Reference(reference)])
    }
}

/// A property's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string.
    Text(Text),
    /// A whole number.
    Number(u64),
    Bool(bool),
    /// A list.
    List(Vec<Value>),
    /// An object.
    Map(BTreeMap<String, Value>),
    /// A value as JSON text (`fn::toJSON`), for policies.
    Json(Box<Value>),
    /// A zip, by its path from Pulumi.yaml's folder (`fn::fileArchive`).
    Archive(String),
    /// The answer of a provider's function (`fn::invoke`): the function, and the part of its answer to take.
    Invoke {
        /// For example `aws:getRegion`.
        function: &'static str,
        /// For example `region`.
        output: &'static str,
    },
}

impl Value {
    /// An object of properties.
    pub fn map<K: Into<String>, V: Into<Self>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// A list.
    pub fn list<V: Into<Self>>(items: impl IntoIterator<Item = V>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    /// The value as JSON text.
    #[must_use]
    pub fn json(self) -> Self {
        Self::Json(Box::new(self))
    }
}

impl<T: Into<Text>> From<T> for Value {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(&text.to_pulumi()),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::List(items) => items.serialize(serializer),
            Self::Map(entries) => entries.serialize(serializer),
            Self::Json(value) => BTreeMap::from([("fn::toJSON", value)]).serialize(serializer),
            Self::Archive(path) => BTreeMap::from([("fn::fileArchive", path)]).serialize(serializer),
            Self::Invoke { function, output } => {
                let call = BTreeMap::from([("function", *function), ("return", *output)]);
                BTreeMap::from([("fn::invoke", call)]).serialize(serializer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::evaluate;

    #[test]
    fn literal_is_read_back_as_it_was_written() {
        for literal in [
            "",
            "plain",
            "$",
            "$$",
            "$$$",
            "${aws:username}",
            "$${x}",
            "$request.body.action",
            "$$.Execution.Id",
            "{% $states.input %}",
            "a$",
        ] {
            let written = Text::from(literal).to_pulumi();
            assert_eq!(evaluate(&written, |reference| panic!("{reference:?}")).unwrap(), literal);
        }
    }

    #[test]
    fn text_around_a_reference_is_escaped() {
        let text = Text::from("a$/").then(Name::of("table").get("arn")).then("/${b}");
        assert_eq!(text.to_pulumi(), "a$$/${table.arn}/$${b}");
    }
}
