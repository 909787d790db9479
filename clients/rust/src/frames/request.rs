//! The frames that a client sends.

use std::collections::BTreeMap;
use std::ops::Not;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::channel::Channel;
use crate::channel_state::Position;

/// A frame that a client sends. The server answers each one.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Request {
    /// Become a member of a channel, and get the messages that were missed.
    Join {
        /// The channel.
        #[serde(flatten)]
        target: Target,
        /// The last sequence that the client has seen.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<u64>,
        /// The epoch that `since` belongs to.
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<String>,
        /// Whether to get a presence frame when users join or leave. `None` changes nothing.
        #[serde(skip_serializing_if = "Option::is_none")]
        presence: Option<bool>,
    },
    /// Stop being a member of a room.
    Leave {
        /// The room's id.
        room: String,
    },
    /// Send a message to a room.
    Publish {
        /// The room's id.
        room: String,
        /// Any JSON value.
        body: Box<RawValue>,
        /// The message's id. The server makes one if there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Whether to get a [`Receipt`](super::Receipt).
        #[serde(skip_serializing_if = "Not::not")]
        receipt: bool,
    },
    /// Send a message to a user.
    Direct {
        /// The user's id.
        to: String,
        /// Any JSON value.
        body: Box<RawValue>,
        /// The message's id. The server makes one if there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Whether to get a [`Receipt`](super::Receipt).
        #[serde(skip_serializing_if = "Not::not")]
        receipt: bool,
    },
    /// Send a signal to connections that are open now. It is not kept.
    Signal {
        /// A room or a user.
        #[serde(flatten)]
        to: Recipient,
        /// Any JSON value of at most 1 KiB.
        body: Box<RawValue>,
    },
    /// Read a page of a channel's log.
    History {
        /// The channel.
        #[serde(flatten)]
        target: Target,
        /// Only messages before this sequence. `None` means the newest ones.
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
        /// The most messages to return, from 1 to 200.
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// List a room's members.
    Who {
        /// The room's id.
        room: String,
    },
    /// Keep the socket from being closed as idle, and ask in which channels messages are missing.
    Ping {
        /// The last position that the client has seen, for each channel to check.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        seen: BTreeMap<Channel, Position>,
    },
}

impl Request {
    /// Whether it is a message whose sender asks for a receipt.
    pub(crate) const fn wants_receipt(&self) -> bool {
        matches!(self, Self::Publish { receipt: true, .. } | Self::Direct { receipt: true, .. })
    }

    /// The action's name on the wire, such as `join`.
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

/// The channel of a `join` or `history` request. On the wire, a room is named by its id and any other channel by its full name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A room's id.
    Room(String),
    /// A channel that is not a room.
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

/// The recipient of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// The other members of the room with this id.
    Room(String),
    /// All connections of the user with this id.
    To(String),
}

/// A request and its `ref`, which the answer repeats.
#[derive(Debug, Serialize)]
pub(crate) struct Outgoing<'a> {
    #[serde(flatten)]
    pub(crate) request: &'a Request,
    #[serde(rename = "ref")]
    pub(crate) reference: &'a str,
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
            Request::Signal { to: Recipient::Room("lobby".to_owned()), body: body() },
            Request::Signal { to: Recipient::To("ben".to_owned()), body: body() },
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
}
