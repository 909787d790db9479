//! The frames of the protocol, in both directions.
//!
//! Fields that aren't known are ignored, and a frame whose type isn't known is kept as [`ServerFrame::Other`], so that a client goes on
//! working with a server that has learned something new.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Not;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::channel::Channel;
use crate::state::Position;

/// What a client asks for.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Request {
    /// Become a member, and get what was missed.
    Join {
        /// The channel.
        #[serde(flatten)]
        target: Target,
        /// The last sequence that was seen.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<u64>,
        /// The epoch in which it was seen.
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<String>,
        /// Whether to be told who comes and goes; as before where it isn't said.
        #[serde(skip_serializing_if = "Option::is_none")]
        presence: Option<bool>,
    },
    /// Stop being a member.
    Leave {
        /// The room.
        room: String,
    },
    /// A message to a room.
    Publish {
        /// The room.
        room: String,
        /// Any JSON value.
        body: Box<RawValue>,
        /// The message's id; the server makes one where there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Whether the server shall say what became of it.
        #[serde(skip_serializing_if = "Not::not")]
        receipt: bool,
    },
    /// A message to a user.
    Direct {
        /// The user.
        to: String,
        /// Any JSON value.
        body: Box<RawValue>,
        /// The message's id; the server makes one where there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Whether the server shall say what became of it.
        #[serde(skip_serializing_if = "Not::not")]
        receipt: bool,
    },
    /// Something for those who are there now.
    Signal {
        /// A room or a user.
        #[serde(flatten)]
        to: Addressee,
        /// Any JSON value of at most a kibibyte.
        body: Box<RawValue>,
    },
    /// A page of the log.
    History {
        /// The channel.
        #[serde(flatten)]
        target: Target,
        /// Only messages before this sequence; without it, the newest ones.
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
        /// How many at most, from 1 to 200.
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// Who is a member.
    Who {
        /// The room.
        room: String,
    },
    /// Keep the socket from being cut for idleness, and learn which channels the client is behind in.
    Ping {
        /// How far the client has come in its channels.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        seen: BTreeMap<Channel, Position>,
    },
}

impl Request {
    /// Whether it is a message whose receipt was asked for.
    pub(crate) const fn wants_receipt(&self) -> bool {
        matches!(self, Self::Publish { receipt: true, .. } | Self::Direct { receipt: true, .. })
    }

    /// The action's name, as on the wire.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Join { .. } => "join",
            Self::Leave { .. } => "leave",
            Self::Publish { .. } => "publish",
            Self::Direct { .. } => "direct",
            Self::Signal { .. } => "signal",
            Self::History { .. } => "history",
            Self::Who { .. } => "who",
            Self::Ping { .. } => "ping",
        }
    }
}

/// The channel that a `join` or `history` is about: rooms go by their id, the others by their channel's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A room's id.
    Room(String),
    /// Another channel.
    Channel(Channel),
}

impl From<Channel> for Target {
    fn from(channel: Channel) -> Self {
        match channel {
            Channel::Room(room) => Self::Room(room),
            other => Self::Channel(other),
        }
    }
}

/// Whom a signal is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Addressee {
    /// The other members of a room.
    Room(String),
    /// All connections of a user.
    To(String),
}

/// A request with what its answer repeats.
#[derive(Debug, Serialize)]
pub(crate) struct Outgoing<'a> {
    #[serde(flatten)]
    pub(crate) request: &'a Request,
    #[serde(rename = "ref")]
    pub(crate) reference: &'a str,
}

/// A message of a channel's log.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "MessageFields")]
pub struct Message {
    /// Its place in the channel's log.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// Who sent it: a user, or a service's name.
    pub from: String,
    /// What it says.
    pub content: Content,
    /// When the server took it, in milliseconds since 1970.
    pub at: i64,
}

/// What a message says, or what it tells of.
#[derive(Clone, Debug)]
pub enum Content {
    /// Any JSON value, byte for byte as the server sent it.
    Body(Box<RawValue>),
    /// The body of the message with this sequence is gone: an earlier one's, or this one's own.
    Deleted(u64),
    /// The room is closed, and the connection not a member any more.
    Closed(Closure),
    /// Something that this client doesn't know yet. It has its place in the log all the same.
    Other,
}

/// What became of the log of a room that was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closure {
    /// It stays.
    Kept,
    /// Its bodies are gone.
    Erased,
}

impl Message {
    /// The body, where there is one.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        match &self.content {
            Content::Body(body) => Some(body.get()),
            Content::Deleted(_) | Content::Closed(_) | Content::Other => None,
        }
    }

    /// Reads the body.
    ///
    /// # Errors
    /// Fails if there is no body, or it isn't a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match self.body() {
            Some(body) => serde_json::from_str(body),
            None => Err(serde::de::Error::custom("the message has no body")),
        }
    }
}

/// A message as it is written: with one of the three.
#[derive(Deserialize)]
struct MessageFields {
    seq: u64,
    id: String,
    from: String,
    #[serde(default, deserialize_with = "present")]
    body: Option<Box<RawValue>>,
    #[serde(default)]
    deleted: Option<u64>,
    #[serde(default)]
    closed: Option<Closure>,
    at: i64,
}

/// A body that is `null` is a body.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
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

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameKind {
    /// Alone, in a `message` frame.
    Message,
    /// With others, in a `messages` frame.
    Messages,
    /// As the answer to a `join`: it had been missed.
    Joined,
}

/// Messages of a channel: a `message` or `messages` frame.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The channel.
    pub channel: Channel,
    /// The epoch of the sequences.
    pub epoch: String,
    /// The messages, in order.
    pub messages: Vec<Message>,
    /// Which of the two frames it was.
    pub kind: FrameKind,
}

/// The message is durable.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Accepted {
    /// The message's id.
    pub id: String,
    /// The channel that it will be in.
    pub channel: Channel,
}

/// The connection is a member.
#[derive(Clone, Debug, Deserialize)]
pub struct Joined {
    /// The channel.
    pub channel: Channel,
    /// The epoch of its log.
    pub epoch: String,
    /// The newest sequence at the time of joining.
    pub head: u64,
    /// Whether what was missed could be given; nothing if it wasn't asked for.
    #[serde(default)]
    pub recovered: Option<bool>,
    /// What was missed, in order.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// Whether there is more of it.
    #[serde(default)]
    pub more: bool,
    /// Who is there, where it was asked to be told who comes and goes.
    #[serde(default)]
    pub presence: Option<Present>,
}

/// Who is in a room, as far as is known: what a `join` has answered, kept up to date by [`Present::apply`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Present {
    /// How many users are there; while it is paused, about how many connections.
    pub count: u64,
    /// The users; none while it is paused.
    #[serde(default)]
    pub users: BTreeSet<String>,
    /// Whether the room is too large to tell who comes and goes. It tells again when it has become small.
    #[serde(default)]
    pub paused: bool,
    /// The last news that was applied.
    #[serde(skip)]
    newest: i64,
}

impl Present {
    /// Takes note of who is there now, unless something newer is known already; who has come and gone by it.
    pub fn apply(&mut self, news: &Presence) -> (Vec<String>, Vec<String>) {
        if news.at < self.newest {
            return (Vec::new(), Vec::new());
        }
        let joined = news.users.difference(&self.users).cloned().collect();
        let left = self.users.difference(&news.users).cloned().collect();
        *self = Self { count: news.count, users: news.users.clone(), paused: news.paused, newest: news.at };
        (joined, left)
    }

    /// What another `join` has answered, as news, if it is any.
    pub(crate) fn news(&self, room: &str, now: Self) -> Option<Presence> {
        let Self { count, users, paused, .. } = now;
        let is_news = (self.count, self.paused, &self.users) != (count, paused, &users);
        is_news.then(|| Presence { channel: Channel::room(room), at: self.newest, count, users, paused })
    }
}

/// Who is in a room now: somebody has come or gone. [`Present::apply`] tells who.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Presence {
    /// The room's channel.
    pub channel: Channel,
    /// When it was found out, in milliseconds since 1970.
    pub at: i64,
    /// How many users are there; while it is paused, about how many connections.
    pub count: u64,
    /// The users; none while it is paused.
    #[serde(default)]
    pub users: BTreeSet<String>,
    /// Whether the room has become too large to tell.
    #[serde(default)]
    pub paused: bool,
}

/// Something for those who are there now.
#[derive(Clone, Debug, Deserialize)]
pub struct Signal {
    /// The channel: a room's, or the user's own.
    pub channel: Channel,
    /// Who sent it.
    pub from: String,
    /// When the server took it, in milliseconds since 1970.
    pub at: i64,
    /// Any JSON value, byte for byte as the server sent it.
    pub body: Box<RawValue>,
}

impl Signal {
    /// Reads the body.
    ///
    /// # Errors
    /// Fails if it isn't a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.body.get())
    }
}

/// A signal was posted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Signalled {
    /// The channel.
    pub channel: Channel,
    /// How many connections got it; under load, it may be none.
    pub delivered: u64,
}

/// The connection is not a member any more.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Left {
    /// The channel.
    pub channel: Channel,
    /// Why, where it didn't leave by itself: `kicked` or `banned`.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The last frame of a socket, which the server closes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Closing {
    /// A stable code; PROTOCOL.md has them.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// Whether it makes sense to connect again.
    pub reconnect: bool,
}

impl Closing {
    /// The code that says that the socket's token has expired.
    pub const TOKEN_EXPIRED: &str = "token_expired";
}

/// A page of a channel's log.
#[derive(Clone, Debug, Deserialize)]
pub struct History {
    /// The channel.
    pub channel: Channel,
    /// The epoch of its log.
    pub epoch: String,
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// Whether there are older ones.
    pub more: bool,
}

/// Who is a member.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Members {
    /// The channel.
    pub channel: Channel,
    /// About how many connections are members.
    pub count: u64,
    /// The first hundred users.
    pub users: Vec<String>,
}

/// The socket is alive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Pong {
    /// The server's time, in milliseconds since 1970.
    pub at: i64,
    /// The channels that the client is behind in, of those that it asked about.
    #[serde(default)]
    pub behind: Vec<Channel>,
}

/// What became of a message, when it was posted to all members.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Receipt {
    /// The channel.
    pub channel: Channel,
    /// The message's id.
    pub id: String,
    /// Its place in the log.
    pub seq: u64,
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

/// A frame was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ServerError {
    /// A stable code; PROTOCOL.md says what to do about each.
    pub code: String,
    /// A sentence that says what to change.
    pub message: String,
    /// The message's id, where the frame had one.
    #[serde(default)]
    pub id: Option<String>,
    /// In how many milliseconds the same may be tried again, where the server knows.
    #[serde(default)]
    pub retry_ms: Option<u64>,
}

impl ServerError {
    /// The code that asks for another try.
    pub const UNAVAILABLE: &str = "unavailable";
    /// The code that says that the connection is not known any more.
    pub const NOT_CONNECTED: &str = "not_connected";
    /// The code that says that who publishes is no member.
    pub const NOT_A_MEMBER: &str = "not_a_member";
    /// The code that says that a user publishes too fast.
    pub const TOO_FAST: &str = "too_fast";
}

/// What the server sends.
#[derive(Clone, Debug)]
pub enum ServerFrame {
    /// Messages of a channel.
    Posted(Posted),
    /// Answers `publish` and `direct`.
    Accepted(Accepted),
    /// Answers `join`.
    Joined(Joined),
    /// Answers `leave`.
    Left(Left),
    /// Answers `history`.
    History(History),
    /// Answers `who`.
    Members(Members),
    /// Answers `ping`.
    Pong(Pong),
    /// What became of a message whose receipt was asked for.
    Receipt(Receipt),
    /// Who has come to a room and gone from it.
    Presence(Presence),
    /// Something for those who are there now.
    Signal(Signal),
    /// Answers `signal`.
    Signalled(Signalled),
    /// The socket is about to be closed.
    Closing(Closing),
    /// Answers what could not be carried out.
    Error(ServerError),
    /// Something that this client doesn't know: a newer type, or a text of API Gateway's own, which sends
    /// `{"message": "Internal server error", …}` where a function failed.
    Other {
        /// The text, as it came.
        text: String,
    },
}

impl ServerFrame {
    /// The type's name, as on the wire.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Posted(Posted { kind: FrameKind::Message, .. }) => "message",
            Self::Posted(_) => "messages",
            Self::Accepted(_) => "accepted",
            Self::Joined(_) => "joined",
            Self::Left(_) => "left",
            Self::History(_) => "history",
            Self::Members(_) => "members",
            Self::Pong(_) => "pong",
            Self::Receipt(_) => "receipt",
            Self::Presence(_) => "presence",
            Self::Signal(_) => "signal",
            Self::Signalled(_) => "signalled",
            Self::Closing(_) => "closing",
            Self::Error(_) => "error",
            Self::Other { .. } => "other",
        }
    }
}

/// A server's frame with the `ref` of the frame that it answers.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The client's `ref`, where the frame is an answer and the question had one.
    pub reference: Option<String>,
    /// The frame.
    pub frame: ServerFrame,
}

impl Incoming {
    /// Reads a text. Whatever can't be understood is kept as [`ServerFrame::Other`]: a client that fell over a frame could not tell the
    /// application about it.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let tag = serde_json::from_str::<Tag>(text).unwrap_or_default();
        let frame = parse_frame(&tag.kind, text).unwrap_or_else(|error| {
            if !tag.kind.is_empty() {
                tracing::warn!(kind = tag.kind, %error, "a frame can't be understood");
            }
            ServerFrame::Other { text: text.to_owned() }
        });
        Self { reference: tag.reference, frame }
    }
}

/// What all of the server's frames have.
#[derive(Default, Deserialize)]
struct Tag {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(rename = "ref", default)]
    reference: Option<String>,
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

/// Two readings of the text, one for its type and one for its fields: serde's own tagged enums would copy each body and could not keep
/// its bytes.
fn parse_frame(kind: &str, text: &str) -> Result<ServerFrame, serde_json::Error> {
    Ok(match kind {
        "message" => {
            let MessageFrame { channel, epoch } = serde_json::from_str(text)?;
            let messages = vec![serde_json::from_str(text)?];
            ServerFrame::Posted(Posted { channel, epoch, messages, kind: FrameKind::Message })
        }
        "messages" => {
            let MessagesFrame { channel, epoch, messages } = serde_json::from_str(text)?;
            ServerFrame::Posted(Posted { channel, epoch, messages, kind: FrameKind::Messages })
        }
        "accepted" => ServerFrame::Accepted(serde_json::from_str(text)?),
        "joined" => ServerFrame::Joined(serde_json::from_str(text)?),
        "left" => ServerFrame::Left(serde_json::from_str(text)?),
        "history" => ServerFrame::History(serde_json::from_str(text)?),
        "members" => ServerFrame::Members(serde_json::from_str(text)?),
        "pong" => ServerFrame::Pong(serde_json::from_str(text)?),
        "receipt" => ServerFrame::Receipt(serde_json::from_str(text)?),
        "presence" => ServerFrame::Presence(serde_json::from_str(text)?),
        "signal" => ServerFrame::Signal(serde_json::from_str(text)?),
        "signalled" => ServerFrame::Signalled(serde_json::from_str(text)?),
        "closing" => ServerFrame::Closing(serde_json::from_str(text)?),
        "error" => ServerFrame::Error(serde_json::from_str(text)?),
        _ => ServerFrame::Other { text: text.to_owned() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(request: &Request) -> String {
        serde_json::to_string(&Outgoing { request, reference: "7" }).unwrap()
    }

    fn body() -> Box<RawValue> {
        serde_json::value::to_raw_value(&serde_json::json!({"text": "hello", "n": 1})).unwrap()
    }

    #[test]
    fn requests_are_written_as_the_protocol_says() {
        let requests = [
            Request::Join { target: Channel::room("lobby").into(), since: None, epoch: None, presence: None },
            Request::Join {
                target: Channel::user("ana").into(),
                since: Some(41),
                epoch: Some("E1".to_owned()),
                presence: None,
            },
            Request::Join { target: Channel::Everyone.into(), since: Some(0), epoch: None, presence: None },
            Request::Join { target: Channel::room("lobby").into(), since: None, epoch: None, presence: Some(true) },
            Request::Leave { room: "lobby".to_owned() },
            Request::Publish { room: "lobby".to_owned(), body: body(), id: Some("m-1".to_owned()), receipt: false },
            Request::Publish { room: "lobby".to_owned(), body: body(), id: None, receipt: true },
            Request::Direct { to: "ben".to_owned(), body: body(), id: None, receipt: false },
            Request::Signal { to: Addressee::Room("lobby".to_owned()), body: body() },
            Request::Signal { to: Addressee::To("ben".to_owned()), body: body() },
            Request::History { target: Channel::room("lobby").into(), before: Some(9), limit: Some(5) },
            Request::Who { room: "lobby".to_owned() },
            Request::Ping { seen: BTreeMap::new() },
            Request::Ping { seen: [(Channel::Everyone, Position { epoch: "E1".to_owned(), seq: 4 })].into() },
        ];
        let lines: Vec<String> = requests.iter().map(sent).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"action":"join","room":"lobby","ref":"7"}
        {"action":"join","channel":"user:ana","since":41,"epoch":"E1","ref":"7"}
        {"action":"join","channel":"everyone","since":0,"ref":"7"}
        {"action":"join","room":"lobby","presence":true,"ref":"7"}
        {"action":"leave","room":"lobby","ref":"7"}
        {"action":"publish","room":"lobby","body":{"n":1,"text":"hello"},"id":"m-1","ref":"7"}
        {"action":"publish","room":"lobby","body":{"n":1,"text":"hello"},"receipt":true,"ref":"7"}
        {"action":"direct","to":"ben","body":{"n":1,"text":"hello"},"ref":"7"}
        {"action":"signal","room":"lobby","body":{"n":1,"text":"hello"},"ref":"7"}
        {"action":"signal","to":"ben","body":{"n":1,"text":"hello"},"ref":"7"}
        {"action":"history","room":"lobby","before":9,"limit":5,"ref":"7"}
        {"action":"who","room":"lobby","ref":"7"}
        {"action":"ping","ref":"7"}
        {"action":"ping","seen":{"everyone":{"epoch":"E1","seq":4}},"ref":"7"}
        "#);
    }

    fn check(text: &str, kind: &str, reference: Option<&str>) -> ServerFrame {
        let incoming = Incoming::parse(text);
        assert_eq!(incoming.frame.kind(), kind, "{text}");
        assert_eq!(incoming.reference.as_deref(), reference, "{text}");
        incoming.frame
    }

    #[test]
    fn every_type_of_the_protocol_is_understood_and_unknown_fields_are_ignored() {
        let message = r#""seq":3,"id":"m","from":"ana","body":{"n":1.50},"at":1700000000000,"later":true"#;
        check(&format!(r#"{{"type":"message","channel":"room:a","epoch":"E",{message}}}"#), "message", None);
        check(
            &format!(r#"{{"type":"messages","channel":"everyone","epoch":"E","messages":[{{{message}}}],"later":1}}"#),
            "messages",
            None,
        );
        check(r#"{"type":"accepted","id":"m","channel":"user:ben","ref":"1","later":1}"#, "accepted", Some("1"));
        check(r#"{"type":"joined","channel":"room:a","epoch":"E","head":3,"later":1}"#, "joined", None);
        check(
            &format!(
                r#"{{"type":"joined","channel":"room:a","epoch":"E","head":3,"recovered":true,"messages":[{{{message}}}],"more":true,"ref":"2"}}"#
            ),
            "joined",
            Some("2"),
        );
        check(r#"{"type":"left","channel":"room:a","ref":"3"}"#, "left", Some("3"));
        check(r#"{"type":"history","channel":"room:a","epoch":"E","messages":[],"more":false}"#, "history", None);
        check(r#"{"type":"members","channel":"room:a","count":2,"users":["ana","ben"]}"#, "members", None);
        check(r#"{"type":"presence","channel":"room:a","at":5,"count":1,"users":["ben"],"later":1}"#, "presence", None);
        check(r#"{"type":"signal","channel":"room:a","from":"ana","at":5,"body":null,"later":1}"#, "signal", None);
        check(r#"{"type":"signalled","channel":"room:a","delivered":2,"ref":"1"}"#, "signalled", Some("1"));
        check(r#"{"type":"pong","at":1700000000000}"#, "pong", None);
        check(r#"{"type":"error","code":"not_json","message":"it is not"}"#, "error", None);
    }

    #[test]
    fn who_is_there_is_kept_up_to_date_and_older_news_is_passed_over() {
        let mut present: Present = serde_json::from_str(r#"{"count":2,"users":["ana","ben"]}"#).unwrap();
        let mut apply = |rest: &str| {
            let text = format!(r#"{{"channel":"room:a",{rest}}}"#);
            let (joined, left) = present.apply(&serde_json::from_str(&text).unwrap());
            (joined.join(","), left.join(","), present.users.len(), present.paused)
        };
        let expected = |joined: &str, left: &str, users, paused| (joined.to_owned(), left.to_owned(), users, paused);
        assert_eq!(apply(r#""at":2,"count":2,"users":["ana","cyd"]"#), expected("cyd", "ben", 2, false));
        assert_eq!(apply(r#""at":1,"count":1,"users":["ben"]"#), expected("", "", 2, false));
        assert_eq!(apply(r#""at":5,"count":101,"paused":true"#), expected("", "ana,cyd", 0, true));
        assert_eq!(apply(r#""at":6,"count":1,"users":["eve"]"#), expected("eve", "", 1, false));
    }

    #[test]
    fn a_body_keeps_its_bytes() {
        let text = r#"{"type":"message","channel":"room:a","epoch":"E","seq":1,"id":"m","from":"ana","at":1,"body":{"b": 1.50, "a":12345678901234567890123}}"#;
        let ServerFrame::Posted(posted) = Incoming::parse(text).frame else { panic!("not a message") };
        assert_eq!(posted.messages[0].body(), Some(r#"{"b": 1.50, "a":12345678901234567890123}"#));
    }

    #[test]
    fn an_entry_has_a_body_or_tells_of_something() {
        let content = |rest: &str| {
            let text = format!(
                r#"{{"type":"message","channel":"room:a","epoch":"E","seq":7,"id":"m","from":"ana","at":1{rest}}}"#
            );
            match Incoming::parse(&text).frame {
                ServerFrame::Posted(posted) => format!("{:?}", posted.messages[0].content),
                other => panic!("{other:?} instead of a message"),
            }
        };
        assert_eq!(content(r#","body":null"#), "Body(RawValue(null))");
        assert_eq!(content(r#","deleted":3"#), "Deleted(3)");
        assert_eq!(content(r#","closed":"erased""#), "Closed(Erased)");
        assert_eq!(content(""), "Other", "it has its place all the same");
    }

    #[test]
    fn what_is_not_known_is_kept_as_it_came() {
        for text in [
            r#"{"type":"applause","channel":"room:a"}"#,
            r#"{"message":"Internal server error","connectionId":"c","requestId":"r"}"#,
            r#"{"type":"message","channel":"room:a"}"#,
            r#"{"type":"message","channel":"team:a","epoch":"E","seq":1,"id":"m","from":"a","at":1,"body":1}"#,
            "not JSON",
        ] {
            let ServerFrame::Other { text: kept } = check(text, "other", None) else { panic!("not kept: {text}") };
            assert_eq!(kept, text);
        }
        check(r#"{"type":"applause","ref":"9"}"#, "other", Some("9"));
    }
}
