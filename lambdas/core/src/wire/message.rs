//! A message as the log keeps it, and its place in the log.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::id::{ConnectionId, MessageId, UserId};
use super::time::Timestamp;

/// A message's place in its channel's log: 1, 2, 3, … without holes. 0 is the place before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The place before the first message.
    pub const ZERO: Self = Self(0);

    /// The next place.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a message says: any JSON value, kept as the text that was sent, so that numbers and order of keys survive.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Body(Box<RawValue>);

impl Body {
    /// Checks that the text is one JSON value.
    ///
    /// # Errors
    /// When it isn't.
    pub fn parse(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(Self)
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl From<Box<RawValue>> for Body {
    fn from(raw: Box<RawValue>) -> Self {
        Self(raw)
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Body {}

/// What a signal says: any JSON value of at most [`MAX_SIGNAL_BYTES`](super::fields::MAX_SIGNAL_BYTES).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalBody(pub Body);

/// What an entry of a log says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// A message's body.
    Body(Body),
    /// The body of the message with this sequence was deleted. It is either an earlier message or this one.
    Deleted(Seq),
    /// The room is closed, and its memberships have ended.
    Closed(Closure),
}

impl Content {
    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Body(body) => body.as_str().len(),
            Self::Deleted(_) | Self::Closed(_) => 0,
        }
    }

    /// The body, where there is one.
    #[must_use]
    pub const fn body(&self) -> Option<&Body> {
        match self {
            Self::Body(body) => Some(body),
            Self::Deleted(_) | Self::Closed(_) => None,
        }
    }
}

/// What becomes of the log of a room that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Closure {
    /// It stays.
    Kept,
    /// Its bodies are gone.
    Erased,
}

/// Who asked for a message's receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptTo {
    /// A service: it looks the receipt up in the table.
    Service,
    /// A client: the receipt is posted to its connection as well.
    Connection(ConnectionId),
}

impl Serialize for ReceiptTo {
    /// As fields of an envelope.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let connection = match self {
            Self::Service => None,
            Self::Connection(id) => Some(id),
        };
        let mut fields = serializer.serialize_struct("ReceiptTo", 1 + usize::from(connection.is_some()))?;
        fields.serialize_field("receipt", &true)?;
        if let Some(id) = connection {
            fields.serialize_field("connection", id)?;
        }
        fields.end()
    }
}

/// A message of a channel's log, as members get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// Its place in the log.
    pub seq: Seq,
    /// Its id, unique in the channel for its sender.
    pub id: MessageId,
    /// Who sent it.
    pub from: UserId,
    /// What it says.
    #[serde(flatten)]
    pub content: Content,
    /// When the queue took it.
    pub at: Timestamp,
    /// Who asked for its receipt. Members don't get this.
    #[serde(skip)]
    pub receipt: Option<ReceiptTo>,
}
