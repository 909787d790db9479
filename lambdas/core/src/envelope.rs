//! The envelope: what lies on the publish queue, whoever put it there. Its form is public, and versioned.

use serde::Serialize;
use thiserror::Error;

use crate::channel::Channel;
use crate::expulsion::Expulsion;
use crate::id::{ConnectionId, MessageId, UserId, digest};
use crate::message::{Body, Closure, ReceiptTo, Seq};
use crate::object::{Malformed, Object};
use crate::order::{Command, Order};
use crate::time::Timestamp;

/// The version that is written, and the only one that is read.
pub const VERSION: u64 = 1;

/// A message on its way to a channel's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where it goes; also the queue's message group, which makes one writer for each channel.
    pub channel: Channel,
    /// Its id, unique in the channel for its sender.
    pub id: MessageId,
    /// Who sent it.
    pub from: UserId,
    /// What it says.
    pub body: Body,
    /// Who wants to know what became of it.
    pub receipt: Option<ReceiptTo>,
}

/// What lies on the publish queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// A message for a channel's log.
    Message(Envelope),
    /// An order.
    Order(Order),
    /// A call to see to it that what is in the channel's log is sent: whoever was to do it seems to have died.
    Wake(Channel),
}

/// Why an envelope can never be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidEnvelope {
    /// It isn't an object of the right form.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is of a version that isn't known.
    #[error("field `v` is {0}, and this stack reads version 1")]
    UnknownVersion(u64),
    /// It lies in another channel's message group, where its order is not its channel's.
    #[error("the message group is `{group}`, and the envelope's channel is `{channel}`: they must be the same")]
    WrongGroup {
        /// The queue's message group.
        group: String,
        /// The envelope's channel.
        channel: Channel,
    },
}

impl InvalidEnvelope {
    /// The dead letter's reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(malformed) => malformed.code(),
            Self::UnknownVersion(_) => "unknown_version",
            Self::WrongGroup { .. } => "wrong_group",
        }
    }
}

/// An envelope as it is written; what is absent is left out.
#[derive(Serialize)]
struct Written<'a> {
    v: u64,
    channel: &'a Channel,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a Body>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<&'a ConnectionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wake: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    erase: Option<bool>,
}

impl<'a> Written<'a> {
    const fn to(channel: &'a Channel) -> Self {
        Self {
            v: VERSION,
            channel,
            id: None,
            from: None,
            body: None,
            receipt: None,
            connection: None,
            wake: None,
            order: None,
            user: None,
            until: None,
            seq: None,
            erase: None,
        }
    }
}

impl Parcel {
    /// Reads what lies in the queue's message group `group`.
    ///
    /// # Errors
    /// Says which field is wrong and what it should be.
    pub fn parse(text: &str, group: &str, max_body_bytes: usize) -> Result<Self, InvalidEnvelope> {
        let mut object = Object::parse(text)?;
        let version = object.required("v", "a whole number")?;
        if version != VERSION {
            return Err(InvalidEnvelope::UnknownVersion(version));
        }
        let channel = object.optional_channel("channel")?.ok_or(Malformed::Missing("channel"))?;
        if channel.to_string() != group {
            return Err(InvalidEnvelope::WrongGroup { group: group.to_owned(), channel });
        }
        if object.flag("wake")? {
            return Ok(Self::Wake(channel));
        }
        if let Some(name) = object.optional::<String>("order", "a string")? {
            let command = Command::read(&name, &object)?;
            return Ok(Self::Order(Order::new(channel, command, object.id("from", UserId::parse)?)?));
        }
        Ok(Self::Message(Envelope {
            channel,
            id: object.id("id", MessageId::parse)?,
            from: object.id("from", UserId::parse)?,
            receipt: read_receipt(&object)?,
            body: object.body(max_body_bytes)?,
        }))
    }
}

fn read_receipt(object: &Object) -> Result<Option<ReceiptTo>, Malformed> {
    if !object.flag("receipt")? {
        return Ok(None);
    }
    let connection = object.optional::<String>("connection", "a connection id")?;
    Ok(Some(connection.map_or(ReceiptTo::Service, |id| ReceiptTo::Connection(ConnectionId::new(id)))))
}

/// The JSON text of an order, for the queue.
///
/// # Errors
/// As [`Envelope::to_json`].
pub fn order_to_json(order: &Order) -> Result<String, serde_json::Error> {
    let Order { channel, command, from } = order;
    let written = Written { from: Some(from), order: Some(command.name()), ..Written::to(channel) };
    serde_json::to_string(&match command {
        Command::Expel { user, expulsion: Expulsion::Ban { until } } => {
            Written { user: Some(user), until: Some(*until), ..written }
        }
        Command::Expel { user, expulsion: Expulsion::Kick | Expulsion::Unban } => {
            Written { user: Some(user), ..written }
        }
        Command::Delete { seq } => Written { seq: Some(*seq), ..written },
        Command::Close { closure: Closure::Erased } => Written { erase: Some(true), ..written },
        Command::Close { closure: Closure::Kept } | Command::Open => written,
    })
}

/// The JSON text of a wake, for the queue.
///
/// # Errors
/// As [`Envelope::to_json`].
pub fn wake_to_json(channel: &Channel) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Written { wake: Some(true), ..Written::to(channel) })
}

impl Envelope {
    /// The JSON text for the queue.
    ///
    /// # Errors
    /// None that is known: every field is a string or JSON already. The type is serde_json's.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let Self { channel, id, from, body, receipt } = self;
        let connection = match receipt {
            Some(ReceiptTo::Connection(connection)) => Some(connection),
            _ => None,
        };
        serde_json::to_string(&Written {
            id: Some(id),
            from: Some(from),
            body: Some(body),
            receipt: receipt.as_ref().map(|_| true),
            connection,
            ..Written::to(channel)
        })
    }

    /// The queue's deduplication id: the same exactly when the sender and the message's id are.
    #[must_use]
    pub fn deduplication_id(&self) -> String {
        digest(&format!("{}/{}", self.from, self.id))
    }
}

/// The queue's deduplication id of a wake: the same exactly when the reason is, and never a message's, whose text has one slash.
#[must_use]
pub fn wake_deduplication_id(reason: &str) -> String {
    digest(&format!("wake//{reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"v":1,"channel":"room:lobby","id":"m-1","from":"orders","body":{"n":1.50}}"#;

    fn check(text: &str, reason: &str, detail: &str) {
        let error = Parcel::parse(text, "room:lobby", 16).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (reason, detail), "{text}");
    }

    fn message(text: &str, group: &str) -> Envelope {
        match Parcel::parse(text, group, 100) {
            Ok(Parcel::Message(envelope)) => envelope,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_envelope_is_written_as_it_is_read() {
        assert_eq!(message(GOOD, "room:lobby").to_json().unwrap(), GOOD);
        for rest in [r#","receipt":true"#, r#","receipt":true,"connection":"c=""#] {
            let text = GOOD.replace("}}", &format!("}}{rest}}}"));
            assert_eq!(message(&text, "room:lobby").to_json().unwrap(), text);
        }
    }

    #[test]
    fn a_wake_needs_no_more_than_its_channel() {
        let text = wake_to_json(&Channel::Everyone).unwrap();
        assert_eq!(text, r#"{"v":1,"channel":"everyone","wake":true}"#);
        assert_eq!(Parcel::parse(&text, "everyone", 100), Ok(Parcel::Wake(Channel::Everyone)));
    }

    #[test]
    fn an_order_is_written_as_it_is_read_and_says_what_it_is_about() {
        let read = |text: &str, group: &str| Parcel::parse(text, group, 100).map_err(|error| error.to_string());
        for (text, group) in [
            (r#"{"v":1,"channel":"room:lobby","from":"mod","order":"kick","user":"bob"}"#, "room:lobby"),
            (r#"{"v":1,"channel":"user:bob","from":"mod","order":"ban","user":"bob","until":5}"#, "user:bob"),
            (r#"{"v":1,"channel":"room:lobby","from":"mod","order":"unban","user":"bob"}"#, "room:lobby"),
            (r#"{"v":1,"channel":"user:bob","from":"mod","order":"delete","seq":17}"#, "user:bob"),
            (r#"{"v":1,"channel":"room:lobby","from":"mod","order":"close"}"#, "room:lobby"),
            (r#"{"v":1,"channel":"room:lobby","from":"mod","order":"close","erase":true}"#, "room:lobby"),
            (r#"{"v":1,"channel":"room:lobby","from":"mod","order":"open"}"#, "room:lobby"),
        ] {
            let Ok(Parcel::Order(order)) = read(text, group) else { panic!("{text}") };
            assert_eq!(order_to_json(&order).unwrap(), text);
        }
        for (text, group, says) in [
            (
                r#"{"v":1,"channel":"user:al","from":"m","order":"kick","user":"bob"}"#,
                "user:al",
                "`channel` must be a room",
            ),
            (r#"{"v":1,"channel":"everyone","from":"m","order":"kick","user":"bob"}"#, "everyone", "`channel` must be"),
            (
                r#"{"v":1,"channel":"room:a","from":"m","order":"shoot","user":"bob"}"#,
                "room:a",
                "`order` must be `kick`",
            ),
            (r#"{"v":1,"channel":"room:a","from":"m","order":"ban","user":"bob"}"#, "room:a", "`until` is missing"),
            (r#"{"v":1,"channel":"room:a","order":"kick","user":"bob"}"#, "room:a", "`from` is missing"),
            (r#"{"v":1,"channel":"everyone","from":"m","order":"delete"}"#, "everyone", "`seq` is missing"),
            (r#"{"v":1,"channel":"user:al","from":"m","order":"close"}"#, "user:al", "`channel` must be a room"),
        ] {
            let error = read(text, group).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_bad_envelope_says_what_is_wrong() {
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
    fn the_deduplication_id_tells_senders_and_ids_apart() {
        let id = |from: &str, id: &str| crate::testing::envelope(from, id).deduplication_id();
        assert_eq!(id("a", "b"), id("a", "b"));
        assert_ne!(id("a", "b"), id("b", "a"));
        assert_ne!(id("a:b", "c"), id("a", "b:c"));
        assert_eq!(id(&"a".repeat(64), &"b".repeat(64)).len(), 64);
    }

    #[test]
    fn a_body_may_be_null() {
        let text = r#"{"v":1,"channel":"everyone","id":"a","from":"b","body":null}"#;
        assert_eq!(message(text, "everyone").body.as_str(), "null");
    }
}
