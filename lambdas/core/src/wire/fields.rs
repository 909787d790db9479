//! Reads a JSON object field by field, so that an error names the field and says what it must be.
//!
//! serde's derived errors give lines and columns. A person who writes a client or a service needs the field's name.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use thiserror::Error;

use super::channel::{Channel, InvalidChannel};
use super::id::{Epoch, InvalidId, MessageId, RoomId, UserId, excerpt};
use super::message::{Body, Seq, SignalBody};
use super::time::Timestamp;

/// An error in an object from outside.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// The text isn't a JSON object.
    #[error("the text is not a JSON object: {0}")]
    NotAnObject(String),
    /// A field is missing.
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    /// A field has the wrong type or is out of range.
    #[error("field `{field}` must be {expected}")]
    Wrong { field: &'static str, expected: &'static str },
    /// A field holds a text that isn't an id.
    #[error("field `{field}`: {error}")]
    Id { field: &'static str, error: InvalidId },
    /// The body is over the limit.
    #[error("field `body` has {bytes} bytes, and may have {limit}")]
    BodyTooLarge { bytes: usize, limit: usize },
}

/// How deep the objects and lists of a body may be nested: every member's client parses it, and some parsers are recursive.
pub const MAX_NESTING: usize = 64;

/// The largest body of a signal, in bytes.
pub const MAX_SIGNAL_BYTES: usize = 1_024;

/// How much of a parser's reason is repeated: serde_json's reason holds the whole text where that is a JSON string.
const MAX_REASON_CHARS: usize = 200;

/// How deep the objects and lists of a JSON text are nested.
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

/// The fields of a JSON object, not yet parsed.
pub struct Fields {
    raw: BTreeMap<String, Box<RawValue>>,
    max_body_bytes: usize,
}

impl Fields {
    /// Splits a JSON object into its fields. A `body` may have `max_body_bytes`.
    pub(crate) fn parse(text: &str, max_body_bytes: usize) -> Result<Self, Malformed> {
        serde_json::from_str(text)
            .map(|raw| Self { raw, max_body_bytes })
            .map_err(|error| Malformed::NotAnObject(excerpt(&error.to_string(), MAX_REASON_CHARS)))
    }

    /// A field's value. `None` where it is missing or `null`.
    pub(crate) fn value<T: DeserializeOwned>(
        &self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>, Malformed> {
        self.raw
            .get(field)
            .map_or(Ok(None), |raw| serde_json::from_str(raw.get()).map_err(|_| Malformed::Wrong { field, expected }))
    }

    fn id<T>(&self, field: &'static str, parse: fn(&str) -> Result<T, InvalidId>) -> Result<Option<T>, Malformed> {
        self.value::<String>(field, "a string")?
            .map(|text| parse(&text).map_err(|error| Malformed::Id { field, error }))
            .transpose()
    }

    fn body(&self, field: &'static str, limit: usize) -> Result<Option<Body>, Malformed> {
        let Some(raw) = self.raw.get(field) else { return Ok(None) };
        let bytes = raw.get().len();
        if bytes > limit {
            return Err(Malformed::BodyTooLarge { bytes, limit });
        }
        if nesting(raw.get()) > MAX_NESTING {
            return Err(Malformed::Wrong { field, expected: "nested 64 deep at most" });
        }
        Ok(Some(raw.clone().into()))
    }
}

/// A type that a field of the wire can have.
pub trait Field: Sized {
    /// Reads a field. `None` where it is missing, or `null` where the type has no `null`.
    ///
    /// # Errors
    /// Names the field.
    fn read_optional(fields: &Fields, field: &'static str) -> Result<Option<Self>, Malformed>;

    /// Reads a field that must be there.
    ///
    /// # Errors
    /// Names the field.
    fn read(fields: &Fields, field: &'static str) -> Result<Self, Malformed> {
        Self::read_optional(fields, field)?.ok_or(Malformed::Missing(field))
    }
}

impl<T: Field> Field for Option<T> {
    fn read_optional(fields: &Fields, field: &'static str) -> Result<Option<Self>, Malformed> {
        T::read_optional(fields, field).map(Some)
    }
}

macro_rules! fields {
    ($($type:ty: |$fields:ident, $field:ident| $read:expr;)*) => {$(
        impl Field for $type {
            fn read_optional($fields: &Fields, $field: &'static str) -> Result<Option<Self>, Malformed> {
                $read
            }
        }
    )*};
}

const CHANNEL: &str = "`room:<id>`, `user:<id>` or `everyone`";

fields! {
    RoomId: |fields, field| fields.id(field, Self::parse);
    UserId: |fields, field| fields.id(field, Self::parse);
    MessageId: |fields, field| fields.id(field, Self::parse);
    Epoch: |fields, field| Ok(fields.value::<String>(field, "a string")?.map(Self::new));
    Seq: |fields, field| fields.value(field, "a sequence: a whole number from 0");
    Timestamp: |fields, field| fields.value(field, "a time in milliseconds since 1970");
    bool: |fields, field| fields.value(field, "`true` or `false`");
    Body: |fields, field| fields.body(field, fields.max_body_bytes);
    SignalBody: |fields, field| Ok(fields.body(field, MAX_SIGNAL_BYTES.min(fields.max_body_bytes))?.map(Self));
}

impl Field for Channel {
    fn read_optional(fields: &Fields, field: &'static str) -> Result<Option<Self>, Malformed> {
        let parse = |text: String| {
            text.parse().map_err(|error| match error {
                InvalidChannel::UnknownKind => Malformed::Wrong { field, expected: CHANNEL },
                InvalidChannel::Id(error) => Malformed::Id { field, error },
            })
        };
        fields.value::<String>(field, CHANNEL)?.map(parse).transpose()
    }
}

/// Declares a struct whose fields are read from the wire, each by its [`Field`]. Its JSON Schema, with the feature `schema`, comes from the
/// same declaration.
macro_rules! wire_struct {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $name {
            pub(crate) fn read(
                fields: &$crate::wire::fields::Fields,
            ) -> Result<Self, $crate::wire::fields::Malformed> {
                Ok(Self { $($field: $crate::wire::fields::Field::read(fields, stringify!($field))?,)* })
            }
        }
    };
}
pub(crate) use wire_struct;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Result<(), &str>) {
        let body =
            Fields::parse(&format!(r#"{{"body":{body}}}"#), 24_576).and_then(|fields| Body::read(&fields, "body"));
        match (body, expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (body, _) => panic!("{body:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn deeply_nested_body_is_refused() {
        let nested = |depth: usize| format!("{}1{}", r#"[{"a":"#.repeat(depth / 2), "}]".repeat(depth / 2));
        check(&nested(64), Ok(()));
        check(&nested(66), Err("nested 64 deep at most"));
        check(&"[".repeat(10_000), Err("not a JSON object"));
        check(&format!("\"{}\"", "[".repeat(1_000)), Ok(()));
        check(r#""\"[[[\\""#, Ok(()));
    }

    #[test]
    fn long_text_is_not_repeated_in_the_error() {
        let Err(error) = Fields::parse(&format!("\"{}\"", "x".repeat(30_000)), 100) else { panic!("it is no object") };
        assert!(error.to_string().len() < 300, "{error}");
    }

    #[test]
    fn large_numbers_are_kept_as_text() {
        let digits = "9".repeat(20_000);
        check(&digits, Ok(()));
        check(&format!("1e{digits}"), Ok(()));
    }
}
