//! What is on the publish queue: messages, moderation commands and wakes. The format is public, and versioned.

use serde::{Serialize, Serializer};
use thiserror::Error;

use super::channel::Channel;
use super::command::{Command, ModerationCommand};
use super::dead_letter::DeadLetterReason;
use super::fields::{Field, Fields, Malformed};
use super::id::{ConnectionId, MessageId, UserId, digest};
use super::message::{Body, ReceiptTo};

/// The version that is written, and the only one that is read.
pub const VERSION: u64 = 1;

/// A message for a channel's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("not" = { "anyOf": [{ "properties": { "wake": true }, "required": ["wake"] }, { "properties": { "command": true }, "required": ["command"] }] })))]
pub struct Envelope {
    /// The channel. It is also the queue's message group, which gives each channel one writer.
    pub channel: Channel,
    /// The message's id, unique in its channel for its sender.
    pub id: MessageId,
    /// The sender.
    pub from: UserId,
    /// The message.
    pub body: Body,
    /// Whether a receipt is wanted.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(with = "ReceiptWish"))]
    pub receipt: Option<ReceiptTo>,
}

/// The wish for a receipt, as an envelope's field.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
struct ReceiptWish {
    /// Whether a receipt is wanted.
    #[expect(dead_code, reason = "it describes the field of a JSON object")]
    receipt: Option<bool>,
}

/// A request, of Hubbub's own making, to send what is in a channel's log and not yet sent: its owner appears to have crashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Wake {
    /// The channel.
    pub channel: Channel,
    /// Always `true`.
    #[serde(serialize_with = "always_true")]
    #[cfg_attr(feature = "schema", schemars(with = "bool", extend("const" = true)))]
    pub wake: (),
}

fn always_true<S: Serializer>((): &(), serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(true)
}

/// What is on the publish queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum QueueMessage {
    /// A message for a channel's log.
    Message(Envelope),
    /// A moderation command.
    Command(ModerationCommand),
    /// A wake.
    Wake(Wake),
}

/// A queue message with its version, as it is on the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Versioned<T> {
    /// The version of the format.
    #[cfg_attr(feature = "schema", schemars(extend("const" = VERSION)))]
    pub v: u64,
    /// The queue message.
    #[serde(flatten)]
    pub message: T,
}

/// Why a queue message can never be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidQueueMessage {
    /// It isn't an object of the right form.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its version isn't known.
    #[error("field `v` is {0}, and this stack reads version 1")]
    UnknownVersion(u64),
    /// It is in another channel's message group, where its order is not its channel's.
    #[error("the message group is `{group}`, and the envelope's channel is `{channel}`: they must be the same")]
    WrongGroup { group: String, channel: Channel },
}

impl InvalidQueueMessage {
    /// The dead letter's reason.
    #[must_use]
    pub const fn reason(&self) -> DeadLetterReason {
        match self {
            Self::Malformed(Malformed::NotAnObject(_)) => DeadLetterReason::NotJson,
            Self::Malformed(Malformed::Missing(_)) => DeadLetterReason::MissingField,
            Self::Malformed(Malformed::Wrong { .. }) => DeadLetterReason::WrongField,
            Self::Malformed(Malformed::Id { .. }) => DeadLetterReason::InvalidId,
            Self::Malformed(Malformed::BodyTooLarge { .. }) => DeadLetterReason::BodyTooLarge,
            Self::UnknownVersion(_) => DeadLetterReason::UnknownVersion,
            Self::WrongGroup { .. } => DeadLetterReason::WrongGroup,
        }
    }
}

impl QueueMessage {
    /// Reads a message of the message group `group`.
    ///
    /// # Errors
    /// Names the field that is wrong, and says what it must be.
    pub fn parse(text: &str, group: &str, max_body_bytes: usize) -> Result<Self, InvalidQueueMessage> {
        let fields = Fields::parse(text, max_body_bytes)?;
        let version = fields.value("v", "a whole number")?.ok_or(Malformed::Missing("v"))?;
        if version != VERSION {
            return Err(InvalidQueueMessage::UnknownVersion(version));
        }
        let channel = Channel::read(&fields, "channel")?;
        if channel.to_string() != group {
            return Err(InvalidQueueMessage::WrongGroup { group: group.to_owned(), channel });
        }
        if bool::read_optional(&fields, "wake")?.unwrap_or_default() {
            return Ok(Self::wake(channel));
        }
        if let Some(command) = Command::read(&fields)? {
            return Ok(Self::Command(ModerationCommand::new(channel, command, Field::read(&fields, "from")?)?));
        }
        Ok(Self::Message(Envelope {
            channel,
            id: Field::read(&fields, "id")?,
            from: Field::read(&fields, "from")?,
            receipt: read_receipt(&fields)?,
            body: Field::read(&fields, "body")?,
        }))
    }

    /// A wake for a channel.
    #[must_use]
    pub const fn wake(channel: Channel) -> Self {
        Self::Wake(Wake { channel, wake: () })
    }

    /// The JSON text for the queue.
    ///
    /// # Errors
    /// None is known: every field is a string or JSON already. The type is serde_json's.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        to_json(self)
    }
}

fn to_json(message: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Versioned { v: VERSION, message })
}

fn read_receipt(fields: &Fields) -> Result<Option<ReceiptTo>, Malformed> {
    if !bool::read_optional(fields, "receipt")?.unwrap_or_default() {
        return Ok(None);
    }
    let connection = fields.value::<String>("connection", "a connection id")?;
    Ok(Some(connection.map_or(ReceiptTo::Service, |id| ReceiptTo::Connection(ConnectionId::new(id)))))
}

impl Envelope {
    /// The JSON text for the queue.
    ///
    /// # Errors
    /// As [`QueueMessage::to_json`].
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        to_json(self)
    }

    /// The queue's deduplication id: the same exactly when the sender and the message's id are the same.
    #[must_use]
    pub fn deduplication_id(&self) -> String {
        digest(&format!("{}/{}", self.from, self.id))
    }
}

impl ModerationCommand {
    /// The JSON text for the queue.
    ///
    /// # Errors
    /// As [`QueueMessage::to_json`].
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        to_json(self)
    }
}

/// The queue's deduplication id of a wake: the same exactly when the reason is the same. It is never a message's, whose text has one slash.
#[must_use]
pub fn wake_deduplication_id(reason: &str) -> String {
    digest(&format!("wake//{reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"v":1,"channel":"room:lobby","id":"m-1","from":"orders","body":{"n":1.50}}"#;

    fn check(text: &str, reason: &str, detail: &str) {
        let error = QueueMessage::parse(text, "room:lobby", 16).unwrap_err();
        assert_eq!((error.reason().as_str(), error.to_string().as_str()), (reason, detail), "{text}");
    }

    fn message(text: &str, group: &str) -> Envelope {
        match QueueMessage::parse(text, group, 100) {
            Ok(QueueMessage::Message(envelope)) => envelope,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn envelope_survives_the_round_trip() {
        assert_eq!(message(GOOD, "room:lobby").to_json().unwrap(), GOOD);
        for rest in [r#","receipt":true"#, r#","receipt":true,"connection":"c=""#] {
            let text = GOOD.replace("}}", &format!("}}{rest}}}"));
            assert_eq!(message(&text, "room:lobby").to_json().unwrap(), text);
        }
    }

    #[test]
    fn wake_needs_only_its_channel() {
        let text = QueueMessage::wake(Channel::Everyone).to_json().unwrap();
        assert_eq!(text, r#"{"v":1,"channel":"everyone","wake":true}"#);
        assert_eq!(QueueMessage::parse(&text, "everyone", 100), Ok(QueueMessage::wake(Channel::Everyone)));
    }

    #[test]
    fn command_survives_the_round_trip() {
        let read = |text: &str, group: &str| QueueMessage::parse(text, group, 100).map_err(|error| error.to_string());
        for (text, group) in [
            (r#"{"v":1,"channel":"room:lobby","from":"mod","command":"kick","user":"bob"}"#, "room:lobby"),
            (r#"{"v":1,"channel":"user:bob","from":"mod","command":"ban","user":"bob","until":5}"#, "user:bob"),
            (r#"{"v":1,"channel":"room:lobby","from":"mod","command":"unban","user":"bob"}"#, "room:lobby"),
            (r#"{"v":1,"channel":"user:bob","from":"mod","command":"delete","seq":17}"#, "user:bob"),
            (r#"{"v":1,"channel":"room:lobby","from":"mod","command":"close"}"#, "room:lobby"),
            (r#"{"v":1,"channel":"room:lobby","from":"mod","command":"close","erase":true}"#, "room:lobby"),
            (r#"{"v":1,"channel":"room:lobby","from":"mod","command":"open"}"#, "room:lobby"),
        ] {
            let Ok(QueueMessage::Command(command)) = read(text, group) else { panic!("{text}") };
            assert_eq!(command.to_json().unwrap(), text);
        }
        for (text, group, says) in [
            (
                r#"{"v":1,"channel":"user:al","from":"m","command":"kick","user":"bob"}"#,
                "user:al",
                "`channel` must be a room",
            ),
            (
                r#"{"v":1,"channel":"everyone","from":"m","command":"kick","user":"bob"}"#,
                "everyone",
                "`channel` must be",
            ),
            (
                r#"{"v":1,"channel":"room:a","from":"m","command":"shoot","user":"bob"}"#,
                "room:a",
                "`command` must be `kick`",
            ),
            (r#"{"v":1,"channel":"room:a","from":"m","command":"ban","user":"bob"}"#, "room:a", "`until` is missing"),
            (r#"{"v":1,"channel":"room:a","command":"kick","user":"bob"}"#, "room:a", "`from` is missing"),
            (r#"{"v":1,"channel":"everyone","from":"m","command":"delete"}"#, "everyone", "`seq` is missing"),
            (r#"{"v":1,"channel":"user:al","from":"m","command":"close"}"#, "user:al", "`channel` must be a room"),
        ] {
            let error = read(text, group).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn bad_message_names_the_field() {
        check("{", "not_json", "the text is not a JSON object: EOF while parsing an object at line 1 column 1");
        check(
            "[]",
            "not_json",
            "the text is not a JSON object: invalid type: sequence, expected a map at line 1 column 0",
        );
        check("{}", "missing_field", "field `v` is missing");
        check(r#"{"v":"1"}"#, "wrong_field", "field `v` must be a whole number");
        check(r#"{"v":2}"#, "unknown_version", "field `v` is 2, and this stack reads version 1");
        check(
            r#"{"v":1,"channel":"room:x"}"#,
            "wrong_group",
            "the message group is `room:lobby`, and the envelope's channel is `room:x`: they must be the same",
        );
        check(
            r#"{"v":1,"channel":"lobby"}"#,
            "wrong_field",
            "field `channel` must be `room:<id>`, `user:<id>` or `everyone`",
        );
        check(
            r#"{"v":1,"channel":"room:lobby","id":"a b"}"#,
            "invalid_id",
            "field `id`: `a b` is not an id: use 1 to 64 of the characters A-Z a-z 0-9 . _ : -",
        );
        check(r#"{"v":1,"channel":"room:lobby","id":"a","from":"b"}"#, "missing_field", "field `body` is missing");
        check(
            r#"{"v":1,"channel":"room:lobby","id":"a","from":"b","body":"fifteen letters"}"#,
            "body_too_large",
            "field `body` has 17 bytes, and may have 16",
        );
    }

    #[test]
    fn deduplication_id_depends_on_sender_and_id() {
        let id = |from: &str, id: &str| {
            let text = format!(r#"{{"v":1,"channel":"everyone","id":"{id}","from":"{from}","body":1}}"#);
            message(&text, "everyone").deduplication_id()
        };
        assert_eq!(id("a", "b"), id("a", "b"));
        assert_ne!(id("a", "b"), id("b", "a"));
        assert_ne!(id("a:b", "c"), id("a", "b:c"));
        assert_eq!(id(&"a".repeat(64), &"b".repeat(64)).len(), 64);
    }

    #[test]
    fn body_may_be_null() {
        let text = r#"{"v":1,"channel":"everyone","id":"a","from":"b","body":null}"#;
        assert_eq!(message(text, "everyone").body.as_str(), "null");
    }
}
