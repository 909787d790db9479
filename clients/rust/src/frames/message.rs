//! A message of a channel's log, and the two frames that bring messages unasked.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::channel::Channel;

/// An entry of a channel's log.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "MessageFields")]
pub struct Message {
    /// Its sequence: 1 for the first message of an epoch, and one more for each next message.
    pub seq: u64,
    /// Its id, unique among its sender's messages.
    pub id: String,
    /// Its sender: a user's id or a service's name.
    pub from: String,
    /// Its body, or the event that it records.
    pub content: Content,
    /// The time when the server accepted it, in milliseconds since 1970.
    pub at: i64,
}

/// The content of a log entry.
#[derive(Clone, Debug)]
pub enum Content {
    /// Any JSON value, byte for byte as the server sent it.
    Body(Box<RawValue>),
    /// The body of the message with this sequence was deleted. It may be this message's own sequence.
    Deleted(u64),
    /// The room was closed. The connection is no longer a member.
    Closed(Closure),
    /// A kind of entry that this version of the client does not know. It counts in the sequence like any other.
    Other,
}

/// Whether a closed room keeps its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closure {
    /// The log stays.
    Kept,
    /// All bodies were deleted.
    Erased,
}

impl Message {
    /// The body as JSON text, if the message has one.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        match &self.content {
            Content::Body(body) => Some(body.get()),
            Content::Deleted(_) | Content::Closed(_) | Content::Other => None,
        }
    }

    /// Deserializes the body.
    ///
    /// # Errors
    /// Fails if there is no body, or if it is not a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match self.body() {
            Some(body) => serde_json::from_str(body),
            None => Err(serde::de::Error::custom("the message has no body")),
        }
    }
}

/// A message on the wire, which has one of `body`, `deleted` and `closed`.
#[derive(Deserialize)]
struct MessageFields {
    seq: u64,
    id: String,
    from: String,
    #[serde(default, deserialize_with = "some")]
    body: Option<Box<RawValue>>,
    #[serde(default)]
    deleted: Option<u64>,
    #[serde(default)]
    closed: Option<Closure>,
    at: i64,
}

/// Without this, serde reads the body `null` as `None`.
fn some<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

impl From<MessageFields> for Message {
    fn from(MessageFields { seq, id, from, body, deleted, closed, at }: MessageFields) -> Self {
        let content = match (body, deleted, closed) {
            (Some(body), ..) => Content::Body(body),
            (None, Some(seq), _) => Content::Deleted(seq),
            (None, None, Some(closure)) => Content::Closed(closure),
            (None, None, None) => Content::Other,
        };
        Self { seq, id, from, content, at }
    }
}

/// The frame that brought a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameKind {
    /// A `message` frame, which has one message.
    Message,
    /// A `messages` frame, which has several.
    Messages,
    /// The answer to a `join`: the message was missed before.
    Joined,
}

/// A `message` or `messages` frame: messages of one channel, in order.
#[derive(Clone, Debug)]
pub struct Messages {
    /// The channel.
    pub channel: Channel,
    /// The epoch of the messages' sequences.
    pub epoch: String,
    /// The messages.
    pub messages: Vec<Message>,
    /// The frame that they came in.
    pub kind: FrameKind,
}

#[derive(Deserialize)]
struct MessageFrame {
    channel: Channel,
    epoch: String,
}

#[derive(Deserialize)]
struct MessagesFrame {
    channel: Channel,
    epoch: String,
    messages: Vec<Message>,
}

impl Messages {
    /// Reads a `message` frame. It reads the text twice: with `#[serde(flatten)]`, serde would buffer the body and lose its bytes.
    pub(super) fn from_message_frame(text: &str) -> Result<Self, serde_json::Error> {
        let MessageFrame { channel, epoch } = serde_json::from_str(text)?;
        Ok(Self { channel, epoch, messages: vec![serde_json::from_str(text)?], kind: FrameKind::Message })
    }

    /// Reads a `messages` frame.
    pub(super) fn from_messages_frame(text: &str) -> Result<Self, serde_json::Error> {
        let MessagesFrame { channel, epoch, messages } = serde_json::from_str(text)?;
        Ok(Self { channel, epoch, messages, kind: FrameKind::Messages })
    }
}
