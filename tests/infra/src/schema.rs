//! The part of the provider's schema that the program uses, as `schema.mjs` extracts it: [`Schema::committed`].

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The schema.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The provider's version.
    pub version: String,
    /// The resources by their types.
    pub resources: BTreeMap<String, Signature>,
    /// The functions.
    pub functions: BTreeMap<String, Signature>,
    /// The objects' types.
    pub types: BTreeMap<String, BTreeMap<String, Input>>,
    /// The strings that an enum has.
    pub enums: BTreeMap<String, Vec<String>>,
}

/// The inputs and outputs of a resource or a function.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    pub inputs: BTreeMap<String, Input>,
    pub outputs: BTreeMap<String, Type>,
}

/// A property that is set.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Input {
    /// Its type.
    pub r#type: Type,
    /// Whether it must be set.
    pub required: bool,
}

/// A property's type.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Type {
    /// A string.
    String,
    /// A number.
    Number,
    Boolean,
    /// Not known more closely.
    Any,
    /// A zip.
    Archive,
    /// One of an enum's strings.
    Enum(String),
    /// An object of a named type.
    Object(String),
    /// A list.
    List(Box<Self>),
    /// An object with any names.
    Map(Box<Self>),
}

impl Schema {
    /// The schema of the provider's version that the program is written for.
    ///
    /// # Errors
    /// When the committed file isn't what `schema.mjs` writes.
    pub fn committed() -> Result<Self> {
        serde_json::from_str(include_str!("../schema.json")).context("`schema.json` can't be read")
    }
}

impl TryFrom<String> for Input {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        let (text, required) = text.strip_suffix('?').map_or((text.as_str(), true), |text| (text, false));
        Ok(Self { r#type: Type::parse(text)?, required })
    }
}

impl TryFrom<String> for Type {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl Type {
    fn parse(text: &str) -> Result<Self> {
        if let Some(item) = text.strip_suffix("[]") {
            return Ok(Self::List(Box::new(Self::parse(item)?)));
        }
        if let Some(item) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            return Ok(Self::Map(Box::new(Self::parse(item)?)));
        }
        if let Some(name) = text.strip_prefix('=') {
            return Ok(Self::Enum(name.to_owned()));
        }
        Ok(match text {
            "string" => Self::String,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "any" => Self::Any,
            "archive" => Self::Archive,
            name if name.starts_with(char::is_alphabetic) => Self::Object(name.to_owned()),
            other => bail!("`{other}` is no type"),
        })
    }

    /// Whether a value of another type can stand where this one is expected.
    #[must_use]
    pub fn takes(&self, other: &Self) -> bool {
        self == other
            || *self == Self::Any
            || *other == Self::Any
            || (matches!(self, Self::Enum(_)) && *other == Self::String)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => formatter.write_str("a string"),
            Self::Number => formatter.write_str("a number"),
            Self::Boolean => formatter.write_str("a boolean"),
            Self::Any => formatter.write_str("anything"),
            Self::Archive => formatter.write_str("an archive"),
            Self::Enum(name) => write!(formatter, "a string of `{name}`"),
            Self::Object(name) => write!(formatter, "an object `{name}`"),
            Self::List(item) => write!(formatter, "a list with {item} in each place"),
            Self::Map(item) => write!(formatter, "an object with {item} under each name"),
        }
    }
}
