//! JSON Schemas of the field types of the wire, for the wire contract (`contract/`). A struct's schema is derived from the struct itself. A
//! limit is the constant that the reader uses.
//!
//! Where a reader takes `null` for a missing field, the schema does, too.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::channel::{Channel, EVERYONE, ROOM, USER};
use super::fields::{MAX_NESTING, MAX_SIGNAL_BYTES};
use super::id::{Epoch, ID_MARKS, MAX_ID_BYTES, MessageId, RoomId, UserId};
use super::message::{Body, Seq, SignalBody};
use super::time::Timestamp;
use crate::settings;

/// The annotation of how many bytes a value has at most as sent, which JSON Schema has no word for.
pub const MAX_BYTES: &str = "x-max-bytes";

/// The annotation of how deep a value's objects and lists lie in each other at most, which JSON Schema has no word for.
pub const MAX_DEPTH: &str = "x-max-nesting";

/// An id, as a part of a pattern.
fn id_pattern() -> String {
    format!("[A-Za-z0-9{ID_MARKS}]{{1,{MAX_ID_BYTES}}}")
}

/// A text of one of these forms, which are patterns.
fn text(forms: &[&str]) -> Schema {
    json_schema!({ "type": "string", "pattern": format!("^({})$", forms.join("|")) })
}

fn id() -> Schema {
    json_schema!({ "type": "string", "pattern": format!("^{}$", id_pattern()) })
}

fn of_kind(kind: &str) -> String {
    format!("{kind}:{}", id_pattern())
}

fn whole_number() -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": u64::MAX })
}

macro_rules! schemas {
    ($($type:ty, $name:literal, $description:expr, $schema:expr;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let mut schema = $schema;
                schema.insert("description".into(), $description.into());
                schema
            }
        }
    )*};
}

schemas! {
    RoomId, "RoomId", "A room's id.", id();
    UserId, "UserId", "A user's id: the `sub` of a token. Services have one too: the name by which they publish.", id();
    MessageId, "MessageId", "A message's id, unique in its channel for its sender.", id();
    Epoch, "Epoch", "One life of a channel's log.", json_schema!({ "type": "string" });
    Seq, "Seq", "A message's place in its channel's log: 1, 2, 3, … without holes. 0 is the place before the first.", whole_number();
    Timestamp, "Timestamp", "A moment, in milliseconds since 1970-01-01 UTC.", whole_number();
    Channel, "Channel", "An ordered log with members: a room, a user, or everyone.",
        text(&[&of_kind(ROOM), &of_kind(USER), EVERYONE]);
    Body, "Body", "What a message says: any JSON value, kept as the text that was sent.",
        json_schema!({ MAX_BYTES: settings::MAX_BODY_BYTES.default, MAX_DEPTH: MAX_NESTING });
    SignalBody, "SignalBody", "What a signal says: any JSON value.",
        json_schema!({ MAX_BYTES: MAX_SIGNAL_BYTES, MAX_DEPTH: MAX_NESTING });
}

/// The attributes of an SQS message on the publish queue.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct QueueAttributes {
    /// The envelope's channel: a group has one writer, and keeps its order.
    pub message_group_id: Channel,
    /// The same exactly when the message is the same: within five minutes the queue takes it once. The envelope's `from` and `id`, with a
    /// separator between them, will do.
    #[schemars(length(min = 1, max = 128), regex(pattern = r##"^[A-Za-z0-9!"#$%&'()*+,./:;<=>?@\[\\\]^_`{|}~-]+$"##))]
    pub message_deduplication_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::id::is_id_byte;

    #[test]
    fn id_pattern_allows_what_the_parser_allows() {
        let marks: Vec<u8> = (0..=u8::MAX).filter(|byte| is_id_byte(*byte) && !byte.is_ascii_alphanumeric()).collect();
        let mut expected = ID_MARKS.as_bytes().to_vec();
        expected.sort_unstable();
        assert_eq!(marks, expected);
        assert_eq!(id_pattern(), "[A-Za-z0-9._:-]{1,64}");
    }
}
