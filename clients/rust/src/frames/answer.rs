//! The server's answers to requests, and its last frame on a socket.

use serde::Deserialize;

use super::{Message, RoomPresence};
use crate::channel::Channel;

/// The message is durable.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Accepted {
    /// The message's id.
    pub id: String,
    /// The channel whose log will have the message.
    pub channel: Channel,
}

/// The moderation command is durable. It takes its place among the channel's messages.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CommandAccepted {
    /// The channel.
    pub channel: Channel,
    /// The command's name, such as `kick`.
    pub command: String,
    /// The user whom the command concerns, if it concerns one.
    #[serde(default)]
    pub user: Option<String>,
}

/// The connection is a member of a channel.
#[derive(Clone, Debug, Deserialize)]
pub struct Joined {
    /// The channel.
    pub channel: Channel,
    /// The epoch of the channel's log.
    pub epoch: String,
    /// The newest sequence when the connection joined.
    pub head: u64,
    /// Whether the server could return the missed messages. `None` if the request had no `since`.
    #[serde(default)]
    pub recovered: Option<bool>,
    /// The missed messages, in order.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// Whether more messages were missed than are in this answer.
    #[serde(default)]
    pub more: bool,
    /// The users in the room, if the request asked for presence.
    #[serde(default)]
    pub presence: Option<RoomPresence>,
}

/// The connection is no longer a member of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Left {
    /// The channel.
    pub channel: Channel,
    /// `kicked` or `banned`. `None` if the client left by itself.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A page of a channel's log.
#[derive(Clone, Debug, Deserialize)]
pub struct History {
    /// The channel.
    pub channel: Channel,
    /// The epoch of the channel's log.
    pub epoch: String,
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// Whether the log has older messages.
    pub more: bool,
}

/// The members of a room.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Members {
    /// The room's channel.
    pub channel: Channel,
    /// About the number of connections that are members.
    pub count: u64,
    /// The ids of the first hundred users.
    pub users: Vec<String>,
}

/// The socket works.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Pong {
    /// The server's time, in milliseconds since 1970.
    pub at: i64,
    /// The channels that the client must join again: of those in the ping, the ones in which it has missed messages.
    #[serde(default)]
    pub rejoin: Vec<Channel>,
}

/// The signal was sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Signalled {
    /// The channel.
    pub channel: Channel,
    /// The number of connections that got the signal. Under load it may be 0.
    pub delivered: u64,
}

/// The result of delivering a message to all members of its channel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Receipt {
    /// The channel.
    pub channel: Channel,
    /// The message's id.
    pub id: String,
    /// The message's sequence.
    pub seq: u64,
    /// The number of members.
    pub members: u64,
    /// Members that got the message.
    pub delivered: u64,
    /// Members whose socket no longer existed.
    pub gone: u64,
    /// Members that could not be reached. They recover the message later.
    pub failed: u64,
    /// The time from the queue to the last post, in milliseconds.
    pub ms: u64,
}

/// The last frame of a socket that the server is about to close.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Closing {
    /// A stable code. PROTOCOL.md lists them.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// Whether the client should connect again.
    pub reconnect: bool,
}

impl Closing {
    /// The socket's token has expired.
    pub const TOKEN_EXPIRED: &str = "token_expired";
}

/// The server refused a request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ServerError {
    /// A stable code. PROTOCOL.md says what to do about each.
    pub code: String,
    /// A sentence that says what to change.
    pub message: String,
    /// The message's id, if the request had one.
    #[serde(default)]
    pub id: Option<String>,
    /// The time after which the same request may succeed, in milliseconds, if the server knows it.
    #[serde(default)]
    pub retry_ms: Option<u64>,
}

impl ServerError {
    /// The server could not do it now. The same request may succeed later.
    pub const UNAVAILABLE: &str = "unavailable";
    /// The server no longer knows the connection.
    pub const NOT_CONNECTED: &str = "not_connected";
    /// The sender is not a member of the room.
    pub const NOT_A_MEMBER: &str = "not_a_member";
    /// The user sends too many messages a second.
    pub const TOO_FAST: &str = "too_fast";
}
