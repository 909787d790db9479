//! The client protocol's frames (PROTOCOL.md): what a client may send, and what the server answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::capability::Capabilities;
use crate::channel::Channel;
use crate::frame::MAX_FRAME_BYTES;
use crate::id::{ConnectionId, Epoch, MessageId, RoomId, UserId};
use crate::message::{Body, Message, Seq};
use crate::names::routes;
use crate::object::{Malformed, Object};
use crate::order::{Command, Order};
use crate::time::Timestamp;

/// The longest `ref`, in characters.
pub const MAX_REF_CHARS: usize = 64;

/// Who sent a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The socket.
    pub connection: ConnectionId,
    /// Whose socket it is: the token's `sub`.
    pub user: UserId,
    /// What the token grants.
    pub capabilities: Capabilities,
    /// When the token ends.
    pub until: Timestamp,
}

/// A client's frame, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFrame {
    /// What the answer repeats.
    pub reference: Option<String>,
    /// What is asked for.
    pub action: Action,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Become a member, and get what was missed.
    Join {
        /// The channel.
        channel: Channel,
        /// The last sequence seen.
        since: Option<Seq>,
        /// The epoch that it was seen in.
        epoch: Option<Epoch>,
        /// Whether to be told who comes and goes from now on; as it was before where it isn't said.
        presence: Option<bool>,
    },
    /// Stop being a member.
    Leave {
        /// The room.
        room: RoomId,
    },
    /// A message to a channel: `publish` to a room, `direct` to a user.
    Publish {
        /// The channel.
        channel: Channel,
        /// The message.
        body: Body,
        /// Its id; the server makes one where the client gives none.
        id: Option<MessageId>,
        /// Whether the client wants to know what became of it.
        receipt: bool,
    },
    /// Something for those who are there now, which is not kept.
    Signal {
        /// The channel.
        channel: Channel,
        /// What.
        body: Body,
    },
    /// A page of the log, backwards from `before`.
    History {
        /// The channel.
        channel: Channel,
        /// Only messages before this one; the newest where it isn't given.
        before: Option<Seq>,
        /// How many at most.
        limit: usize,
    },
    /// Who is a member.
    Who {
        /// The room.
        room: RoomId,
    },
    /// Have something taken away, with the capability `admin`.
    Order {
        /// Where: a room, or a user's channel for everywhere.
        channel: Channel,
        /// What.
        command: Command,
    },
    /// Keep the socket from being cut for idleness, and learn which channels it is behind in.
    Ping {
        /// How far the client has come in its channels.
        seen: Vec<Seen>,
    },
}

/// How far a client has come in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The channel.
    pub channel: Channel,
    /// The epoch.
    pub epoch: Epoch,
    /// The last sequence that it saw.
    pub seq: Seq,
}

/// The most channels that a `ping` may ask about.
pub const MAX_SEEN: usize = 100;

/// The largest body of a signal, in bytes.
pub const MAX_SIGNAL_BYTES: usize = 1_024;

/// The most messages that `history` gives.
pub const MAX_HISTORY: usize = 200;
/// The messages that `history` gives without a `limit`.
pub const DEFAULT_HISTORY: usize = 50;

/// A frame that can't be carried out, with what can still be told of it, so that the answer finds its question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The stable code.
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

/// The codes of error frames. PROTOCOL.md says what a client does about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not a JSON object.
    NotJson,
    /// No action, or none that is known.
    UnknownAction,
    /// A field isn't there.
    MissingField,
    /// A field has the wrong type or is out of range.
    WrongField,
    /// A field holds something that isn't an id.
    InvalidId,
    /// The body is over the limit.
    BodyTooLarge,
    /// The frame is over the limit.
    FrameTooLarge,
    /// The connection is not a member of the channel.
    NotAMember,
    /// The token doesn't grant it, or the channel is another user's.
    NotAllowed,
    /// The connection is not known any more.
    NotConnected,
    /// The user is banned from the room.
    Banned,
    /// The room is closed.
    RoomClosed,
    /// The user publishes faster than the stack allows.
    TooFast,
    /// The connection is a member of as many rooms as it may be.
    TooManyRooms,
    /// The channel has more members than signals are posted to.
    TooManyMembers,
    /// Something outside failed; nothing was done.
    Unavailable,
}

impl From<&Malformed> for ErrorCode {
    fn from(malformed: &Malformed) -> Self {
        match malformed {
            Malformed::NotAnObject(_) => Self::NotJson,
            Malformed::Missing(_) => Self::MissingField,
            Malformed::Wrong { .. } => Self::WrongField,
            Malformed::Id { .. } => Self::InvalidId,
            Malformed::BodyTooLarge { .. } => Self::BodyTooLarge,
        }
    }
}

impl ClientFrame {
    /// Reads a client's frame.
    ///
    /// # Errors
    /// Gives the error frame's content: which field is wrong, and what it should be.
    pub fn parse(text: &str, max_body_bytes: usize) -> Result<Self, Refused> {
        let refuse = |malformed: Malformed, reference: Option<&String>, id: Option<&MessageId>| Refused {
            code: (&malformed).into(),
            message: malformed.to_string(),
            id: id.cloned(),
            retry_ms: None,
            reference: reference.cloned(),
        };
        if text.len() > MAX_FRAME_BYTES {
            // API Gateway would not have let it in; nothing of it is read.
            let message = format!("the frame has {} bytes, and may have {MAX_FRAME_BYTES}", text.len());
            return Err(Refused { code: ErrorCode::FrameTooLarge, message, id: None, retry_ms: None, reference: None });
        }
        let mut object = Object::parse(text).map_err(|malformed| refuse(malformed, None, None))?;
        let reference = read_reference(&object).map_err(|malformed| refuse(malformed, None, None))?;
        let id = object.optional_id("id", MessageId::parse).unwrap_or(None);
        let name = match object.optional::<String>("action", "a string") {
            Ok(Some(name)) if routes::ACTIONS.contains(&name.as_str()) => name,
            _ => {
                return Err(Refused {
                    code: ErrorCode::UnknownAction,
                    message: format!("field `action` must be one of {}", routes::ACTIONS.join(", ")),
                    id,
                    retry_ms: None,
                    reference,
                });
            }
        };
        match read_action(&name, &mut object, max_body_bytes) {
            Ok(action) => Ok(Self { reference, action }),
            Err(malformed) => Err(refuse(malformed, reference.as_ref(), id.as_ref())),
        }
    }
}

fn read_reference(object: &Object) -> Result<Option<String>, Malformed> {
    let expected = "a string of at most 64 characters";
    match object.optional::<String>("ref", expected)? {
        Some(text) if text.chars().count() > MAX_REF_CHARS => Err(Malformed::Wrong { field: "ref", expected }),
        reference => Ok(reference),
    }
}

/// The name is one of [`routes::ACTIONS`].
fn read_action(name: &str, object: &mut Object, max_body_bytes: usize) -> Result<Action, Malformed> {
    Ok(match name {
        "join" => {
            let channel = room_or_channel(object)?;
            let presence = object.optional("presence", "`true` or `false`")?;
            if presence.is_some() && !matches!(channel, Channel::Room(_)) {
                return Err(Malformed::Wrong {
                    field: "presence",
                    expected: "left out: only rooms tell who comes and goes",
                });
            }
            Action::Join {
                channel,
                since: object.optional_seq("since")?,
                epoch: object.optional::<String>("epoch", "a string")?.map(Epoch::new),
                presence,
            }
        }
        "leave" => Action::Leave { room: object.id("room", RoomId::parse)? },
        "publish" => Action::Publish {
            channel: Channel::Room(object.id("room", RoomId::parse)?),
            id: object.optional_id("id", MessageId::parse)?,
            receipt: object.flag("receipt")?,
            body: object.body(max_body_bytes)?,
        },
        "direct" => Action::Publish {
            channel: Channel::User(object.id("to", UserId::parse)?),
            id: object.optional_id("id", MessageId::parse)?,
            receipt: object.flag("receipt")?,
            body: object.body(max_body_bytes)?,
        },
        "signal" => {
            Action::Signal { channel: room_or_user(object)?, body: object.body(MAX_SIGNAL_BYTES.min(max_body_bytes))? }
        }
        "history" => Action::History {
            channel: room_or_channel(object)?,
            before: object.optional_seq("before")?,
            limit: read_limit(object)?,
        },
        "who" => Action::Who { room: object.id("room", RoomId::parse)? },
        "kick" | "ban" | "unban" | "delete" | "close" | "open" => {
            let room = object.optional_id("room", RoomId::parse)?;
            let command = Command::read(name, object)?;
            let channel = match (room, command.user()) {
                (Some(room), _) => Channel::Room(room),
                (None, Some(user)) => Order::everywhere(user),
                (None, None) => return Err(Malformed::Missing("room")),
            };
            Action::Order { channel, command }
        }
        _ => Action::Ping { seen: read_seen(object)? },
    })
}

fn read_seen(object: &Object) -> Result<Vec<Seen>, Malformed> {
    #[derive(Deserialize)]
    struct Position {
        epoch: Epoch,
        seq: Seq,
    }
    let field = "seen";
    let expected = "an object of at most 100 channels, each with its `epoch` and `seq`";
    let positions: BTreeMap<Channel, Position> = object.optional(field, expected)?.unwrap_or_default();
    if positions.len() > MAX_SEEN {
        return Err(Malformed::Wrong { field, expected });
    }
    Ok(positions.into_iter().map(|(channel, Position { epoch, seq })| Seen { channel, epoch, seq }).collect())
}

fn room_or_channel(object: &Object) -> Result<Channel, Malformed> {
    if let Some(room) = object.optional_id("room", RoomId::parse)? {
        return Ok(Channel::Room(room));
    }
    object.optional_channel("channel")?.ok_or(Malformed::Missing("room"))
}

/// A room by `room`, or a user by `to`.
fn room_or_user(object: &Object) -> Result<Channel, Malformed> {
    if let Some(room) = object.optional_id("room", RoomId::parse)? {
        return Ok(Channel::Room(room));
    }
    object.optional_id("to", UserId::parse)?.map(Channel::User).ok_or(Malformed::Missing("room"))
}

fn read_limit(object: &Object) -> Result<usize, Malformed> {
    let expected = "a whole number from 1 to 200";
    match object.optional::<usize>("limit", expected)? {
        None => Ok(DEFAULT_HISTORY),
        Some(limit) if (1..=MAX_HISTORY).contains(&limit) => Ok(limit),
        Some(_) => Err(Malformed::Wrong { field: "limit", expected }),
    }
}

/// A frame from the server. Fields that aren't there are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "PROTOCOL.md documents the fields, which are the wire's own names")]
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
        /// Who is there, where the client wants to be told who comes and goes.
        #[serde(skip_serializing_if = "Option::is_none")]
        presence: Option<Presence>,
    },
    /// Somebody has come or gone.
    Presence {
        channel: Channel,
        /// When it was found out; a later one is newer.
        at: Timestamp,
        /// Who is there now.
        #[serde(flatten)]
        presence: Presence,
    },
    /// Something for those who are there now.
    Signal { channel: Channel, from: UserId, at: Timestamp, body: Body },
    /// A signal was posted to so many connections, or to none where there was no room for it.
    Signalled { channel: Channel, delivered: u64 },
    /// The connection is not a member any more.
    Left {
        channel: Channel,
        /// Why, where it didn't leave by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<LeftReason>,
    },
    /// An order is on the queue.
    Ordered {
        channel: Channel,
        #[cfg_attr(feature = "schema", schemars(with = "crate::schema::OrderName"))]
        order: &'static str,
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
        #[cfg_attr(feature = "schema", schemars(length(max = crate::receive::WHO_USERS)))]
        users: Vec<UserId>,
    },
    /// The socket is alive; the client joins again the channels that it is behind in.
    Pong {
        at: Timestamp,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[cfg_attr(feature = "schema", schemars(length(max = MAX_SEEN)))]
        behind: Vec<Channel>,
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

/// Who is in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Presence {
    /// How many users are there; where they are too many, about how many connections.
    pub count: u64,
    /// The users; nothing where they are too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<Vec<UserId>>,
    /// Whether the room is too large to tell who comes and goes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

impl Presence {
    pub(crate) fn of(users: Vec<UserId>) -> Self {
        Self { count: users.len() as u64, users: Some(users), paused: false }
    }

    pub(crate) const fn paused(count: u64) -> Self {
        Self { count, users: None, paused: true }
    }
}

/// Why a connection is not a member any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeftReason {
    /// The user was kicked from the room.
    Kicked,
    /// The user was banned from the room.
    Banned,
}

/// Why a socket is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClosingCode {
    /// The token has ended.
    TokenExpired,
    /// The user was kicked.
    Kicked,
    /// The user was banned.
    Banned,
}

impl ClosingCode {
    /// What the client is told.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::TokenExpired => "the token has expired: connect again with a fresh one",
            Self::Kicked => "you were disconnected",
            Self::Banned => "you were disconnected, and may not come back for a while",
        }
    }

    /// Whether it makes sense to connect again.
    #[must_use]
    pub const fn may_reconnect(self) -> bool {
        !matches!(self, Self::Banned)
    }
}

/// What became of a message, when its round has settled.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let answer = ClientFrame::parse(text, 16).map_err(Answer::from).unwrap_err();
        assert_eq!(serde_json::to_string(&answer).unwrap(), expected, "{text}");
    }

    #[test]
    fn bad_input_gets_a_code_and_a_sentence_that_says_what_to_change() {
        check(
            "hello",
            r#"{"type":"error","code":"not_json","message":"the text is not a JSON object: expected value at line 1 column 1"}"#,
        );
        check(
            r#"{"ref":"7"}"#,
            r#"{"type":"error","code":"unknown_action","message":"field `action` must be one of join, leave, publish, direct, signal, history, who, kick, ban, unban, delete, close, open, ping","ref":"7"}"#,
        );
        check(
            r#"{"action":"shout","id":"m"}"#,
            r#"{"type":"error","code":"unknown_action","message":"field `action` must be one of join, leave, publish, direct, signal, history, who, kick, ban, unban, delete, close, open, ping","id":"m"}"#,
        );
        check(r#"{"action":"join"}"#, r#"{"type":"error","code":"missing_field","message":"field `room` is missing"}"#);
        check(
            r#"{"action":"join","room":5}"#,
            r#"{"type":"error","code":"wrong_field","message":"field `room` must be a string"}"#,
        );
        check(
            r#"{"action":"join","room":"a b"}"#,
            r#"{"type":"error","code":"invalid_id","message":"field `room`: `a b` is not an id: use 1 to 64 of the characters A-Z a-z 0-9 . _ : -"}"#,
        );
        check(
            r#"{"action":"join","room":"a","since":-1}"#,
            r#"{"type":"error","code":"wrong_field","message":"field `since` must be a sequence: a whole number from 0"}"#,
        );
        check(
            r#"{"action":"publish","room":"a","id":"m"}"#,
            r#"{"type":"error","code":"missing_field","message":"field `body` is missing","id":"m"}"#,
        );
        check(
            r#"{"action":"direct","to":"bob","body":"fifteen letters"}"#,
            r#"{"type":"error","code":"body_too_large","message":"field `body` has 17 bytes, and may have 16"}"#,
        );
        check(
            r#"{"action":"history","room":"a","limit":201}"#,
            r#"{"type":"error","code":"wrong_field","message":"field `limit` must be a whole number from 1 to 200"}"#,
        );
        check(
            r#"{"action":"ping","seen":{"room:a":{"epoch":"E"}}}"#,
            r#"{"type":"error","code":"wrong_field","message":"field `seen` must be an object of at most 100 channels, each with its `epoch` and `seq`"}"#,
        );
        check(
            r#"{"action":"direct","to":"bob","body":1,"receipt":"yes"}"#,
            r#"{"type":"error","code":"wrong_field","message":"field `receipt` must be `true` or `false`"}"#,
        );
    }

    #[test]
    fn a_frame_that_is_too_large_is_refused_unread() {
        let frame = |bytes: usize| format!(r#"{{"action":"ping","ref":"{}"}}"#, "x".repeat(bytes - 26));
        assert_eq!(ClientFrame::parse(&frame(32_769), 16).unwrap_err().code, ErrorCode::FrameTooLarge);
        assert_eq!(ClientFrame::parse(&frame(32_768), 16).unwrap_err().code, ErrorCode::WrongField);
    }

    #[test]
    fn every_action_has_a_form_that_is_understood() {
        let fields = r#""room":"a","to":"b","body":1,"user":"c","until":2,"seq":3"#;
        for action in routes::ACTIONS {
            let frame = ClientFrame::parse(&format!(r#"{{"action":"{action}",{fields},"later":true}}"#), 16);
            assert!(frame.is_ok(), "{action}");
        }
    }
}
