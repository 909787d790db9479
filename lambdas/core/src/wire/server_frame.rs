//! The frames that the server sends (PROTOCOL.md).

use serde::{Deserialize, Serialize};

use super::channel::Channel;
use super::codes::{ClosingCode, ErrorCode, LeftReason};
use super::command::CommandName;
use super::id::{Epoch, MessageId, UserId};
use super::message::{Body, Message, Seq};
use super::time::Timestamp;

/// The longest `ref`, in characters.
pub const MAX_REF_CHARS: usize = 64;

/// The most members of a small room: it has presence and takes signals.
pub const MAX_SMALL_ROOM: usize = 100;

/// The most users that `members` names.
pub const MAX_NAMED_USERS: usize = 100;

/// The most messages of a `history` frame.
pub const MAX_HISTORY: usize = 200;

/// The most channels that a `ping` may ask about.
pub const MAX_SEEN: usize = 100;

/// A frame that can't be carried out, with what the answer repeats of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub code: ErrorCode,
    /// What to change.
    pub message: String,
    /// The message's id, where the frame had one.
    pub id: Option<MessageId>,
    /// In how many milliseconds it may be tried again, where that is known.
    pub retry_ms: Option<u64>,
    /// The frame's `ref`.
    pub reference: Option<String>,
}

/// A frame from the server. Fields that aren't there are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame<'a> {
    /// One message of a channel.
    Message {
        channel: &'a Channel,
        epoch: &'a Epoch,
        #[serde(flatten)]
        message: &'a Message,
    },
    /// Several messages of a channel, in order.
    Messages { channel: &'a Channel, epoch: &'a Epoch, messages: &'a [Message] },
    /// The message is durable.
    Accepted { id: MessageId, channel: Channel },
    /// The connection is a member.
    Joined {
        channel: Channel,
        epoch: Epoch,
        head: Seq,
        #[serde(skip_serializing_if = "Option::is_none")]
        recovered: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        messages: Option<Vec<Message>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        more: Option<bool>,
        /// The users who are there, if the client asked for presence.
        #[serde(skip_serializing_if = "Option::is_none")]
        presence: Option<Presence>,
    },
    /// The users of a small room have changed.
    Presence {
        channel: Channel,
        /// The time of the announcement; a later one is newer.
        at: Timestamp,
        /// Who is there now.
        #[serde(flatten)]
        presence: Presence,
    },
    /// A signal to the connections that are members now.
    Signal { channel: Channel, from: UserId, at: Timestamp, body: Body },
    /// A signal was posted to `delivered` connections; to none where the budget had no room for it.
    Signalled { channel: Channel, delivered: u64 },
    /// The connection is no longer a member.
    Left {
        channel: Channel,
        /// Why, where it didn't leave by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<LeftReason>,
    },
    /// A moderation command is durable.
    CommandAccepted {
        channel: Channel,
        command: CommandName,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<UserId>,
    },
    /// The last frame: the socket is closed.
    Closing { code: ClosingCode, message: &'static str, reconnect: bool },
    /// A page of the log, oldest first.
    History {
        channel: Channel,
        epoch: Epoch,
        #[cfg_attr(feature = "schema", schemars(length(max = MAX_HISTORY)))]
        messages: Vec<Message>,
        more: bool,
    },
    /// About how many connections are members, and the first users.
    Members {
        channel: Channel,
        count: u64,
        #[cfg_attr(feature = "schema", schemars(length(max = MAX_NAMED_USERS)))]
        users: Vec<UserId>,
    },
    /// The socket is alive. The client must join the channels of `rejoin` again.
    Pong {
        at: Timestamp,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[cfg_attr(feature = "schema", schemars(length(max = MAX_SEEN)))]
        rejoin: Vec<Channel>,
    },
    /// What became of a message.
    Receipt(Receipt),
    /// The frame was not carried out.
    Error {
        code: ErrorCode,
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<MessageId>,
        /// In how many milliseconds it may be tried again.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_ms: Option<u64>,
    },
}

/// The users of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Presence {
    /// How many users are there. In a room that is too large, about how many connections.
    pub count: u64,
    /// The users. Left out in a room that is too large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<UserId>>,
    /// Whether the room is too large for presence.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

impl Presence {
    /// The users of a small room.
    #[must_use]
    pub fn of(users: Vec<UserId>) -> Self {
        Self { count: users.len() as u64, users: Some(users), paused: false }
    }

    /// A room that is too large.
    #[must_use]
    pub const fn paused(count: u64) -> Self {
        Self { count, users: None, paused: true }
    }
}

/// The result of a message's delivery, after its round was settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receipt {
    /// The channel.
    pub channel: Channel,
    /// The message.
    pub id: MessageId,
    /// Its place in the log.
    pub seq: Seq,
    /// Members that it was posted to.
    pub members: u64,
    /// Members that got it.
    pub delivered: u64,
    /// Members whose socket was not there.
    pub gone: u64,
    /// Members that could not be posted to; they recover it.
    pub failed: u64,
    /// Milliseconds from the queue to the end of its round.
    pub ms: u64,
}

impl<'a> ServerFrame<'a> {
    pub(crate) const fn message(channel: &'a Channel, epoch: &'a Epoch, message: &'a Message) -> Self {
        Self::Message { channel, epoch, message }
    }

    pub(crate) const fn messages(channel: &'a Channel, epoch: &'a Epoch, messages: &'a [Message]) -> Self {
        Self::Messages { channel, epoch, messages }
    }

    /// The last frame of a socket.
    pub(crate) const fn closing(code: ClosingCode) -> Self {
        Self::Closing { code, message: code.sentence(), reconnect: code.may_reconnect() }
    }
}

/// An answer: a server's frame with the `ref` of the frame that it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Answer {
    /// The frame.
    #[serde(flatten)]
    pub frame: ServerFrame<'static>,
    /// The client's `ref`.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_REF_CHARS)))]
    pub reference: Option<String>,
}

impl From<Refused> for Answer {
    fn from(Refused { code, message, id, retry_ms, reference }: Refused) -> Self {
        Self { frame: ServerFrame::Error { code, message, id, retry_ms }, reference }
    }
}
