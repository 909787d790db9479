//! The frames of the protocol, in both directions, as PROTOCOL.md describes them.
//!
//! Unknown fields are ignored. A frame of an unknown type becomes [`ServerFrame::Other`]. So a client keeps working with a newer
//! server.

mod answer;
mod message;
mod presence;
mod request;

use serde::Deserialize;

pub use self::answer::{
    Accepted, Closing, CommandAccepted, History, Joined, Left, Members, Pong, Receipt, ServerError, Signalled,
};
pub use self::message::{Closure, Content, FrameKind, Message, Messages};
pub use self::presence::{Presence, RoomPresence, Signal};
pub(crate) use self::request::Outgoing;
pub use self::request::{Recipient, Request, Target};

/// Declares the server's frames in one list: each has its documentation, its variant, its fields' type, and its `type` on the wire.
macro_rules! server_frames {
    ($($(#[$doc:meta])+ $frame:ident($fields:ident) = $kind:literal,)+) => {
        /// A frame that the server sends.
        #[derive(Clone, Debug)]
        pub enum ServerFrame {
            /// Messages of a channel.
            Messages(Messages),
            $($(#[$doc])+ $frame($fields),)+
            /// A text that this client does not understand: a newer type, or an error of API Gateway's own, which is
            /// `{"message": "Internal server error", …}` after a function failed.
            Other {
                /// The text, as it came.
                text: String,
            },
        }

        impl ServerFrame {
            /// The `type` on the wire, or `other`.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self {
                    Self::Messages(Messages { kind: FrameKind::Message, .. }) => "message",
                    Self::Messages(_) => "messages",
                    $(Self::$frame(_) => $kind,)+
                    Self::Other { .. } => "other",
                }
            }

            /// Reads a frame whose `type` is known. Serde's own tagged enums would buffer each body and lose its bytes.
            fn parse(kind: &str, text: &str) -> Result<Self, serde_json::Error> {
                Ok(match kind {
                    "message" => Self::Messages(Messages::from_message_frame(text)?),
                    "messages" => Self::Messages(Messages::from_messages_frame(text)?),
                    $($kind => Self::$frame(serde_json::from_str(text)?),)+
                    _ => Self::Other { text: text.to_owned() },
                })
            }
        }
    };
}

server_frames! {
    /// The answer to `publish` and `direct`.
    Accepted(Accepted) = "accepted",
    /// The answer to a moderation command.
    CommandAccepted(CommandAccepted) = "command_accepted",
    /// The answer to `join`.
    Joined(Joined) = "joined",
    /// The answer to `leave`, or the news that a moderator removed the user.
    Left(Left) = "left",
    /// The answer to `history`.
    History(History) = "history",
    /// The answer to `who`.
    Members(Members) = "members",
    /// The answer to `ping`.
    Pong(Pong) = "pong",
    /// The receipt of a message.
    Receipt(Receipt) = "receipt",
    /// The users in a room have changed.
    Presence(Presence) = "presence",
    /// A signal from another user.
    Signal(Signal) = "signal",
    /// The answer to `signal`.
    Signalled(Signalled) = "signalled",
    /// The server is about to close the socket.
    Closing(Closing) = "closing",
    /// The answer to a request that the server refused.
    Error(ServerError) = "error",
}

/// A frame from the server, with the `ref` of the request that it answers.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The request's `ref`, if the frame is an answer and the request had one.
    pub reference: Option<String>,
    /// The frame.
    pub frame: ServerFrame,
}

impl Incoming {
    /// Reads a text. A text that can't be understood becomes [`ServerFrame::Other`], so that the application can see it.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let tag = serde_json::from_str::<Tag>(text).unwrap_or_default();
        let frame = ServerFrame::parse(&tag.kind, text).unwrap_or_else(|error| {
            if !tag.kind.is_empty() {
                tracing::warn!(kind = tag.kind, %error, "a frame can't be understood");
            }
            ServerFrame::Other { text: text.to_owned() }
        });
        Self { reference: tag.reference, frame }
    }
}

/// The fields that all of the server's frames have.
#[derive(Default, Deserialize)]
struct Tag {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(rename = "ref", default)]
    reference: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, kind: &str, reference: Option<&str>) -> ServerFrame {
        let incoming = Incoming::parse(text);
        assert_eq!(incoming.frame.kind(), kind, "{text}");
        assert_eq!(incoming.reference.as_deref(), reference, "{text}");
        incoming.frame
    }

    #[test]
    fn every_frame_is_read_and_unknown_fields_are_ignored() {
        let message = r#""seq":3,"id":"m","from":"ana","body":{"n":1.50},"at":1700000000000,"later":true"#;
        check(&format!(r#"{{"type":"message","channel":"room:a","epoch":"E",{message}}}"#), "message", None);
        check(
            &format!(r#"{{"type":"messages","channel":"everyone","epoch":"E","messages":[{{{message}}}],"later":1}}"#),
            "messages",
            None,
        );
        check(r#"{"type":"accepted","id":"m","channel":"user:ben","ref":"1","later":1}"#, "accepted", Some("1"));
        let accepted = r#"{"type":"command_accepted","channel":"room:a","command":"kick","user":"ben","ref":"1"}"#;
        check(accepted, "command_accepted", Some("1"));
        check(r#"{"type":"command_accepted","channel":"room:a","command":"open"}"#, "command_accepted", None);
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
        check(r#"{"type":"closing","code":"going_away","message":"soon","reconnect":true}"#, "closing", None);
        check(r#"{"type":"error","code":"not_json","message":"it is not"}"#, "error", None);
    }

    #[test]
    fn body_keeps_its_bytes() {
        let text = r#"{"type":"message","channel":"room:a","epoch":"E","seq":1,"id":"m","from":"ana","at":1,"body":{"b": 1.50, "a":12345678901234567890123}}"#;
        let ServerFrame::Messages(frame) = Incoming::parse(text).frame else { panic!("not a message") };
        assert_eq!(frame.messages[0].body(), Some(r#"{"b": 1.50, "a":12345678901234567890123}"#));
    }

    #[test]
    fn entry_has_a_body_or_records_an_event() {
        let content = |rest: &str| {
            let text = format!(
                r#"{{"type":"message","channel":"room:a","epoch":"E","seq":7,"id":"m","from":"ana","at":1{rest}}}"#
            );
            match Incoming::parse(&text).frame {
                ServerFrame::Messages(frame) => format!("{:?}", frame.messages[0].content),
                other => panic!("{other:?} instead of a message"),
            }
        };
        assert_eq!(content(r#","body":null"#), "Body(RawValue(null))");
        assert_eq!(content(r#","deleted":3"#), "Deleted(3)");
        assert_eq!(content(r#","closed":"erased""#), "Closed(Erased)");
        assert_eq!(content(""), "Other", "it still counts in the sequence");
    }

    #[test]
    fn unknown_text_is_kept_as_it_came() {
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
