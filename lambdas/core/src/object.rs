//! Reading a JSON object field by field, so that an error names the field and what it should be.
//!
//! serde's derived errors speak of lines and columns, and stop at types; people who write a client or a service need the field.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::channel::{Channel, InvalidChannel};
use crate::id::{InvalidId, excerpt};
use crate::message::{Body, Seq};

/// What is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// The text isn't a JSON object.
    #[error("the text is not a JSON object: {0}")]
    NotAnObject(String),
    /// A field isn't there.
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    /// A field has the wrong type or is out of range.
    #[error("field `{field}` must be {expected}")]
    Wrong {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A field holds something that isn't an id.
    #[error("field `{field}`: {error}")]
    Id {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        error: InvalidId,
    },
    /// The body is over the limit.
    #[error("field `body` has {bytes} bytes, and may have {limit}")]
    BodyTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

impl Malformed {
    /// The stable code, the same for clients and for dead letters.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject(_) => "not_json",
            Self::Missing(_) => "missing_field",
            Self::Wrong { .. } => "wrong_field",
            Self::Id { .. } => "invalid_id",
            Self::BodyTooLarge { .. } => "body_too_large",
        }
    }
}

/// How deep a body's objects and lists may lie in each other: whoever gets it reads it, and some readers are recursive.
pub const MAX_NESTING: usize = 64;

/// How much is repeated of why a text is not an object: serde_json's reason holds the whole text, where that is a JSON string.
const MAX_REASON_CHARS: usize = 200;

/// How deep a JSON text's objects and lists lie in each other.
fn nesting(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut is_escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The fields of a JSON object, each still unparsed.
pub(crate) struct Object(BTreeMap<String, Box<RawValue>>);

impl Object {
    pub(crate) fn parse(text: &str) -> Result<Self, Malformed> {
        serde_json::from_str(text)
            .map(Self)
            .map_err(|error| Malformed::NotAnObject(excerpt(&error.to_string(), MAX_REASON_CHARS)))
    }

    /// A field, or nothing where it isn't there or is `null`.
    pub(crate) fn optional<T: DeserializeOwned>(
        &self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, Malformed> {
        self.0
            .get(field)
            .map_or(Ok(None), |raw| serde_json::from_str(raw.get()).map_err(|_| Malformed::Wrong { field, expected }))
    }

    /// A yes or no that is no where it isn't there.
    pub(crate) fn flag(&self, field: &'static str) -> Result<bool, Malformed> {
        Ok(self.optional(field, "`true` or `false`")?.unwrap_or_default())
    }

    pub(crate) fn required<T: DeserializeOwned>(
        &self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<T, Malformed> {
        self.optional(field, expected)?.ok_or(Malformed::Missing(field))
    }

    /// An id by its own parser, so that the error says what an id may hold.
    pub(crate) fn id<T>(
        &self,
        field: &'static str,
        parse: impl Fn(&str) -> Result<T, InvalidId>,
    ) -> Result<T, Malformed> {
        self.optional_id(field, parse)?.ok_or(Malformed::Missing(field))
    }

    pub(crate) fn optional_id<T>(
        &self,
        field: &'static str,
        parse: impl Fn(&str) -> Result<T, InvalidId>,
    ) -> Result<Option<T>, Malformed> {
        self.optional::<String>(field, "a string")?
            .map(|text| parse(&text).map_err(|error| Malformed::Id { field, error }))
            .transpose()
    }

    pub(crate) fn optional_channel(&self, field: &'static str) -> Result<Option<Channel>, Malformed> {
        let expected = "`room:<id>`, `user:<id>` or `everyone`";
        self.optional::<String>(field, expected)?
            .map(|text| {
                text.parse().map_err(|error| match error {
                    InvalidChannel::UnknownKind => Malformed::Wrong { field, expected },
                    InvalidChannel::Id(error) => Malformed::Id { field, error },
                })
            })
            .transpose()
    }

    pub(crate) fn optional_seq(&self, field: &'static str) -> Result<Option<Seq>, Malformed> {
        self.optional(field, "a sequence: a whole number from 0")
    }

    /// A body, which may be any JSON value, `null` too, of at most `limit` bytes as sent.
    pub(crate) fn body(&mut self, limit: usize) -> Result<Body, Malformed> {
        let raw = self.0.remove("body").ok_or(Malformed::Missing("body"))?;
        let bytes = raw.get().len();
        if bytes > limit {
            return Err(Malformed::BodyTooLarge { bytes, limit });
        }
        if nesting(raw.get()) > MAX_NESTING {
            return Err(Malformed::Wrong { field: "body", expected: "nested 64 deep at most" });
        }
        Ok(raw.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Result<(), &str>) {
        let body = Object::parse(&format!(r#"{{"body":{body}}}"#)).and_then(|mut object| object.body(24_576));
        match (body, expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (body, _) => panic!("{body:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_body_is_not_nested_too_deep() {
        let nested = |depth: usize| format!("{}1{}", r#"[{"a":"#.repeat(depth / 2), "}]".repeat(depth / 2));
        check(&nested(64), Ok(()));
        check(&nested(66), Err("nested 64 deep at most"));
        check(&"[".repeat(10_000), Err("not a JSON object"));
        check(&format!("\"{}\"", "[".repeat(1_000)), Ok(()));
        check(r#""\"[[[\\""#, Ok(()));
    }

    #[test]
    fn a_long_text_is_not_repeated() {
        let Err(error) = Object::parse(&format!("\"{}\"", "x".repeat(30_000))) else { panic!("it is no object") };
        assert!(error.to_string().len() < 300, "{error}");
    }

    #[test]
    fn numbers_are_kept_as_texts_however_large_they_are() {
        let digits = "9".repeat(20_000);
        check(&digits, Ok(()));
        check(&format!("1e{digits}"), Ok(()));
    }
}
