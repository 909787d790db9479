//! JSON Schemas of what is on the wire, for the contract (`contract/`).
//!
//! What Hubbub writes has types that derive their schema where they are. What it reads is read field by field ([`crate::object`]), so that
//! an error names the field: the forms of that are here, made of the same types of fields. Tests in `contract/` hold that the readers and
//! the forms take the same. A limit is the constant that the rules use.
//!
//! Where the readers take `null` for a field that isn't there, so do the forms.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::channel::{Channel, EVERYONE, ROOM, USER};
use crate::config::settings;
use crate::envelope::VERSION;
use crate::id::{Epoch, ID_MARKS, MAX_ID_BYTES, MessageId, RoomId, UserId};
use crate::message::{Body, Seq};
use crate::object::MAX_NESTING;
use crate::protocol::{DEFAULT_HISTORY, MAX_HISTORY, MAX_REF_CHARS, MAX_SEEN, MAX_SIGNAL_BYTES};
use crate::time::Timestamp;

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
    RoomChannel, "RoomChannel", "A room's channel.", text(&[&of_kind(ROOM)]);
    PersonalChannel, "RoomOrUserChannel", "A room's channel; or, for everywhere, `user:<id>` of the order's user.",
        text(&[&of_kind(ROOM), &of_kind(USER)]);
    Body, "Body", "What a message says: any JSON value, kept as the text that was sent.",
        json_schema!({ MAX_BYTES: settings::MAX_BODY_BYTES.default, MAX_DEPTH: MAX_NESTING });
    SignalBody, "SignalBody", "What a signal says: any JSON value.",
        json_schema!({ MAX_BYTES: MAX_SIGNAL_BYTES, MAX_DEPTH: MAX_NESTING });
    Version, "Version", "The protocol's version.", json_schema!({ "type": "integer", "const": VERSION });
    Unwoken, "NotWake", "No wake: that is of another form.", json_schema!({ "const": false });
    True, "True", "Yes.", json_schema!({ "const": true });
}

/// What a signal says.
#[derive(Debug)]
pub struct SignalBody;

/// A room's channel.
#[derive(Debug)]
pub struct RoomChannel;

/// The channel of an order about a user.
#[derive(Debug)]
pub struct PersonalChannel;

/// The envelope's version.
#[derive(Debug)]
pub struct Version;

/// No wake.
#[derive(Debug)]
pub struct Unwoken;

/// `true`.
#[derive(Debug)]
pub struct True;

/// A client's frame. Fields that its action doesn't know are ignored.
#[derive(Debug, JsonSchema)]
pub struct ClientFrame {
    /// What is asked for.
    #[serde(flatten)]
    pub request: Request,
    /// Any string: the answer repeats it.
    #[serde(rename = "ref")]
    #[schemars(length(max = MAX_REF_CHARS))]
    pub reference: Option<String>,
}

/// What a client asks for.
#[derive(Debug, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Request {
    /// Become a member, and get what was missed.
    Join {
        /// Of what.
        #[serde(flatten)]
        target: Target,
        /// The last sequence that was seen.
        since: Option<Seq>,
        /// The epoch in which it was seen.
        epoch: Option<Epoch>,
        /// Whether to be told who comes and goes, which only rooms tell; as before where it isn't given.
        presence: Option<bool>,
    },
    /// Stop being a member.
    Leave {
        /// The room.
        room: RoomId,
    },
    /// A message to a room.
    Publish {
        /// The room.
        room: RoomId,
        /// What it says, and how.
        #[serde(flatten)]
        publication: Publication,
    },
    /// A message to a user.
    Direct {
        /// The user.
        to: UserId,
        /// What it says, and how.
        #[serde(flatten)]
        publication: Publication,
    },
    /// Something for those who are there now, which is not kept.
    Signal {
        /// Whom it is for.
        #[serde(flatten)]
        addressee: Addressee,
        /// What it says.
        body: SignalBody,
    },
    /// A page of the log, backwards from `before`.
    History {
        /// Of what.
        #[serde(flatten)]
        target: Target,
        /// Only messages before this one; the newest where it isn't given.
        before: Option<Seq>,
        /// How many at most.
        #[schemars(range(min = 1, max = MAX_HISTORY), extend("default" = DEFAULT_HISTORY))]
        limit: Option<u64>,
    },
    /// Who is a member.
    Who {
        /// The room.
        room: RoomId,
    },
    /// Have a user leave a room; without a room, everything.
    Kick {
        /// The user.
        user: UserId,
        /// The room.
        room: Option<RoomId>,
    },
    /// Have a user leave a room, and not come back for a while; without a room, everywhere.
    Ban {
        /// The user.
        user: UserId,
        /// The end of the ban.
        until: Timestamp,
        /// The room.
        room: Option<RoomId>,
    },
    /// End a ban.
    Unban {
        /// The user.
        user: UserId,
        /// The room.
        room: Option<RoomId>,
    },
    /// Have a message's body gone for good.
    Delete {
        /// The room.
        room: RoomId,
        /// The message.
        seq: Seq,
    },
    /// End a room's memberships, and let nobody join.
    Close {
        /// The room.
        room: RoomId,
        /// Whether every body of its log is gone, too.
        erase: Option<bool>,
    },
    /// Let people join a room that was closed.
    Open {
        /// The room.
        room: RoomId,
    },
    /// Keep the socket from being cut for idleness, and learn which channels it is behind in.
    Ping {
        /// How far the client has come in its channels.
        #[schemars(extend("maxProperties" = MAX_SEEN))]
        seen: Option<BTreeMap<Channel, Position>>,
    },
}

/// The channel that a frame is about.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
pub enum Target {
    /// A room.
    Room {
        /// The room's id.
        room: RoomId,
    },
    /// A channel of any kind.
    Channel {
        /// Not here: `room` would come first.
        #[serde(default)]
        room: (),
        /// The channel.
        channel: Channel,
    },
}

/// Whom a signal is for.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
pub enum Addressee {
    /// The other members of a room.
    Room {
        /// The room.
        room: RoomId,
    },
    /// All connections of a user.
    User {
        /// Not here: `room` would come first.
        #[serde(default)]
        room: (),
        /// The user.
        to: UserId,
    },
}

/// What is published, and how.
#[derive(Debug, JsonSchema)]
pub struct Publication {
    /// What it says.
    pub body: Body,
    /// The message's id; the server makes one where there is none.
    pub id: Option<MessageId>,
    /// Whether the client wants to know what became of it.
    pub receipt: Option<bool>,
}

/// How far a client has come in a channel.
#[derive(Debug, JsonSchema)]
pub struct Position {
    /// The epoch.
    pub epoch: Epoch,
    /// The last sequence that it saw.
    pub seq: Seq,
}

/// What lies on the publish queue. Fields that its kind doesn't know are ignored.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
pub enum Parcel {
    /// A message.
    Message(Envelope),
    /// An order.
    Order(Order),
    /// A call to look after a channel.
    Wake(Wake),
}

/// The envelope of a message for a channel's log.
#[derive(Debug, JsonSchema)]
pub struct Envelope {
    /// The version.
    pub v: Version,
    /// Where it goes; also the queue's message group.
    pub channel: Channel,
    /// The message's id.
    pub id: MessageId,
    /// Who sends it.
    pub from: UserId,
    /// What it says.
    pub body: Body,
    /// Whether a receipt is wanted.
    pub receipt: Option<bool>,
    /// Not here: it would be a wake.
    pub wake: Option<Unwoken>,
    /// Not here: it would be an order.
    #[serde(default)]
    pub order: (),
}

/// An order, which takes its place among its channel's messages.
#[derive(Debug, JsonSchema)]
pub struct Order {
    /// The version.
    pub v: Version,
    /// Who gives it.
    pub from: UserId,
    /// What is to be done, and where.
    #[serde(flatten)]
    pub command: Command,
    /// Not here: it would be a wake.
    pub wake: Option<Unwoken>,
}

/// What is to be done, and where.
#[derive(Debug, JsonSchema)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Command {
    /// A user leaves, and may come back.
    Kick {
        /// Where.
        channel: PersonalChannel,
        /// The user.
        user: UserId,
    },
    /// A user leaves, and may not come back for a while.
    Ban {
        /// Where.
        channel: PersonalChannel,
        /// The user.
        user: UserId,
        /// The end of the ban.
        until: Timestamp,
    },
    /// A ban ends.
    Unban {
        /// Where.
        channel: PersonalChannel,
        /// The user.
        user: UserId,
    },
    /// A message's body is gone.
    Delete {
        /// Where.
        channel: Channel,
        /// The message.
        seq: Seq,
    },
    /// A room has no members any more, and takes none.
    Close {
        /// The room.
        channel: RoomChannel,
        /// Whether every body of its log is gone, too.
        erase: Option<bool>,
    },
    /// A room that was closed takes members again.
    Open {
        /// The room.
        channel: RoomChannel,
    },
}

/// What an order may be called.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "`Command` says what each is")]
pub enum OrderName {
    Kick,
    Ban,
    Unban,
    Delete,
    Close,
    Open,
}

/// A call, of Hubbub's own making, to look after a channel whose delivery seems to have died.
#[derive(Debug, JsonSchema)]
pub struct Wake {
    /// The version.
    pub v: Version,
    /// The channel.
    pub channel: Channel,
    /// That it is one.
    pub wake: True,
}

/// The attributes of an SQS message on the publish queue.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct QueueAttributes {
    /// The envelope's channel: a group has one writer, and keeps its order.
    pub message_group_id: Channel,
    /// The same exactly when the message is the same: within five minutes the queue takes it once. The envelope's `from` and `id` do, with
    /// something between them.
    #[schemars(length(min = 1, max = 128), regex(pattern = r##"^[A-Za-z0-9!"#$%&'()*+,./:;<=>?@\[\\\]^_`{|}~-]+$"##))]
    pub message_deduplication_id: String,
}

/// The message attributes of a dead letter that can't be delivered. One that the queue itself gave up has none.
#[derive(Debug, JsonSchema)]
pub struct DeadLetterAttributes {
    /// A code.
    pub reason: DeadLetterReason,
    /// A sentence for people.
    pub detail: String,
    /// The ARN of the queue that the message came from.
    pub source: String,
    /// When that queue took it, in milliseconds since 1970-01-01 UTC, in decimal digits.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub first_seen: String,
}

/// Why a message can't be delivered.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterReason {
    /// The body is not a JSON object.
    NotJson,
    /// `v` is not a version that this stack reads.
    UnknownVersion,
    /// A field isn't there.
    MissingField,
    /// A field has the wrong type or is out of range.
    WrongField,
    /// A field holds something that isn't an id.
    InvalidId,
    /// `MessageGroupId` is not the envelope's channel.
    WrongGroup,
    /// The body is over the limit.
    BodyTooLarge,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::is_id_byte;

    #[test]
    fn the_pattern_of_an_id_allows_what_the_parser_does() {
        let marks: Vec<u8> = (0..=u8::MAX).filter(|byte| is_id_byte(*byte) && !byte.is_ascii_alphanumeric()).collect();
        let mut expected = ID_MARKS.as_bytes().to_vec();
        expected.sort_unstable();
        assert_eq!(marks, expected);
        assert_eq!(id_pattern(), "[A-Za-z0-9._:-]{1,64}");
    }
}
