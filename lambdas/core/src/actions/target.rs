//! The channel that a frame is about, where two fields can name it.

use crate::wire::channel::Channel;
use crate::wire::fields::{Field, Fields, Malformed};
use crate::wire::id::{RoomId, UserId};

/// A room by `room`, or a channel of any kind by `channel`. `room` comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomOrChannel(pub Channel);

/// A room by `room`, or a user by `to`. `room` comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomOrUser(pub Channel);

impl Field for RoomOrChannel {
    fn read_optional(fields: &Fields, _: &'static str) -> Result<Option<Self>, Malformed> {
        if let Some(room) = RoomId::read_optional(fields, "room")? {
            return Ok(Some(Self(Channel::Room(room))));
        }
        let channel = Channel::read_optional(fields, "channel")?.ok_or(Malformed::Missing("room"))?;
        Ok(Some(Self(channel)))
    }
}

impl Field for RoomOrUser {
    fn read_optional(fields: &Fields, _: &'static str) -> Result<Option<Self>, Malformed> {
        if let Some(room) = RoomId::read_optional(fields, "room")? {
            return Ok(Some(Self(Channel::Room(room))));
        }
        let user = UserId::read_optional(fields, "to")?.ok_or(Malformed::Missing("room"))?;
        Ok(Some(Self(Channel::User(user))))
    }
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{Channel, RoomId, RoomOrChannel, RoomOrUser, UserId};

    /// The schema of an object that has one of two fields, the first or the second.
    fn one_of(room: &Schema, name: &str, other: &Schema) -> Schema {
        json_schema!({
            "type": "object",
            "properties": { "room": { "anyOf": [room, { "type": "null" }] }, name: { "anyOf": [other, { "type": "null" }] } },
            "anyOf": [
                { "required": ["room"], "properties": { "room": room } },
                { "required": [name], "properties": { "room": { "type": "null" }, name: other } },
            ],
        })
    }

    macro_rules! target {
        ($type:ty, $name:literal, $field:literal: $other:ty) => {
            impl JsonSchema for $type {
                fn schema_name() -> Cow<'static, str> {
                    $name.into()
                }

                fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                    let room = generator.subschema_for::<RoomId>();
                    let other = generator.subschema_for::<$other>();
                    one_of(&room, $field, &other)
                }
            }
        };
    }

    target!(RoomOrChannel, "RoomOrChannel", "channel": Channel);
    target!(RoomOrUser, "RoomOrUser", "to": UserId);
}
