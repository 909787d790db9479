//! An attacker's socket: it sends anything, and records what it receives.
//!
//! `hubbub-client` speaks the protocol too well for this.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::{self, Message as WireMessage};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::attacker::{Attacker, shortened};
use crate::kind::Kind;

/// How long an answer may take. API Gateway gives a function 29 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a frame was answered with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// Something other than an error: the frame's text.
    CarriedOut(String),
    /// An error frame, with its code; or the socket's last frame, with its code.
    Refused(String),
    /// What API Gateway says where a function fails.
    Failure(String),
    /// The socket was closed instead.
    Closed(String),
    /// No answer came.
    Silence,
}

impl Answer {
    /// For the table.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::CarriedOut(text) => Frame::parse(text).kind,
            Self::Refused(code) => code.clone(),
            Self::Failure(_) => "failure".to_owned(),
            Self::Closed(how) => format!("closed {how}"),
            Self::Silence => "no answer".to_owned(),
        }
    }
}

/// An open socket.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    attacker: Attacker,
    kind: Kind,
    /// The channels whose messages it may receive.
    may_receive: BTreeSet<String>,
    /// The messages that came, by channel and id.
    pub(crate) received: BTreeSet<(String, String)>,
    /// The channels that it was told to have left.
    pub(crate) expelled: Vec<String>,
    pub(crate) is_closed: bool,
}

impl Socket {
    /// Opens a socket; why it was refused.
    ///
    /// # Errors
    /// Fails if the stack can't be reached.
    pub(crate) async fn open(
        attacker: &Attacker,
        kind: Kind,
        user: &str,
        token: &str,
    ) -> anyhow::Result<Result<Self, String>> {
        let stream = TcpStream::connect(attacker.host()?.0).await?;
        Self::open_on(stream, attacker, kind, user, token).await
    }

    /// As [`Socket::open`], on a stream of one's own.
    ///
    /// # Errors
    /// Fails if the stack has no address.
    pub(crate) async fn open_on(
        stream: TcpStream,
        attacker: &Attacker,
        kind: Kind,
        user: &str,
        token: &str,
    ) -> anyhow::Result<Result<Self, String>> {
        let mut request = attacker.stack.outputs.web_socket_url.as_str().into_client_request()?;
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}"))?);
        let stream = match timeout(PATIENCE, client_async(request, stream)).await {
            Ok(Ok((stream, _))) => stream,
            Ok(Err(tungstenite::Error::Http(response))) => {
                let status = response.status().as_u16();
                if status >= 500 {
                    attacker.record.open().notes.fail("failed handshake", format!("HTTP {status} for `{user}`"));
                }
                return Ok(Err(format!("HTTP {status}")));
            }
            Ok(Err(error)) => return Ok(Err(error.to_string())),
            Err(_) => return Ok(Err("no answer".to_owned())),
        };
        Ok(Ok(Self {
            stream,
            attacker: attacker.clone(),
            kind,
            may_receive: BTreeSet::from(["everyone".to_owned(), format!("user:{user}")]),
            received: BTreeSet::new(),
            expelled: Vec::new(),
            is_closed: false,
        }))
    }

    /// Sends without waiting for anything.
    pub(crate) async fn send(&mut self, frame: impl Into<WireMessage>) {
        if !matches!(timeout(PATIENCE, self.stream.send(frame.into())).await, Ok(Ok(()))) {
            self.is_closed = true;
        }
    }

    /// Sends, and waits for the answer. Frames of one socket are answered in their order here, so that broken ones need no `ref`.
    pub(crate) async fn ask(&mut self, frame: impl Into<WireMessage>) -> Answer {
        self.send(frame).await;
        self.answer().await
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.next(deadline).await {
                Some(Some(answer)) => return answer,
                Some(None) => {}
                None => return Answer::Silence,
            }
        }
    }

    /// Joins a room that it may be a member of. Whether it is one.
    pub(crate) async fn join(&mut self, room: &str) -> bool {
        // From now on: messages may come before the answer.
        self.may_receive.insert(format!("room:{room}"));
        let answer = self.ask(format!(r#"{{"action":"join","room":"{room}","ref":"join"}}"#)).await;
        let is_member = matches!(answer, Answer::CarriedOut(_));
        if !is_member {
            self.attacker.note("failed attacker's join", format!("`{room}`: {answer:?}"));
        }
        is_member
    }

    /// Listens until something is so, or for a time. Whether it is so.
    pub(crate) async fn listen_until(&mut self, patience: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        while !is_so(self) && !self.is_closed {
            if self.next(deadline).await.is_none() {
                break;
            }
        }
        is_so(self)
    }

    /// Listens for a time.
    pub(crate) async fn listen(&mut self, time: Duration) {
        self.listen_until(time, |_| false).await;
    }

    /// Whether a message came.
    pub(crate) fn has_received(&self, channel: &str, id: &str) -> bool {
        self.received.contains(&(channel.to_owned(), id.to_owned()))
    }

    /// Reads a frame: an answer, or something else that came. Nothing when the time is over.
    async fn next(&mut self, deadline: Instant) -> Option<Option<Answer>> {
        if self.is_closed {
            return Some(Some(Answer::Closed("before".to_owned())));
        }
        let closed = match timeout_at(deadline.into(), self.stream.next()).await {
            Err(_) => return None,
            Ok(Some(Ok(WireMessage::Text(text)))) => return Some(self.sort(text.as_str())),
            Ok(Some(Ok(WireMessage::Close(frame)))) => {
                frame.map_or_else(|| "1005".to_owned(), |frame| u16::from(frame.code).to_string())
            }
            Ok(Some(Ok(_))) => return Some(None),
            Ok(Some(Err(_)) | None) => "without a close frame".to_owned(),
        };
        self.is_closed = true;
        Some(Some(Answer::Closed(closed)))
    }

    /// Records a frame that is no answer.
    fn sort(&mut self, text: &str) -> Option<Answer> {
        let frame = Frame::parse(text);
        match frame.kind.as_str() {
            "message" => self.receive(&frame.channel, [frame.id]),
            "messages" => self.receive(&frame.channel, frame.messages.into_iter().map(|message| message.id)),
            "left" if frame.reference.is_none() => self.expelled.push(frame.channel),
            "receipt" => {}
            "error" | "closing" => return Some(Answer::Refused(frame.code)),
            "" => return Some(Answer::Failure(shortened(text))),
            _ => return Some(Answer::CarriedOut(text.to_owned())),
        }
        None
    }

    fn receive(&mut self, channel: &str, ids: impl IntoIterator<Item = String>) {
        if !self.may_receive.contains(channel) {
            self.attacker.record.open().notes.breach(self.kind, format!("a socket received a message of `{channel}`"));
        }
        self.received.extend(ids.into_iter().map(|id| (channel.to_owned(), id)));
    }
}

/// What matters of a server's frame. A body is skipped: it may be JSON that no reader can represent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Frame {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    channel: String,
    pub(crate) id: String,
    code: String,
    #[serde(rename = "ref")]
    reference: Option<String>,
    messages: Vec<Item>,
}

/// What matters of a message among several.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    id: String,
}

impl Frame {
    /// A frame without a type, if it isn't one.
    pub(crate) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_with_any_body_is_read() {
        let frame = Frame::parse(r#"{"type":"message","channel":"room:a","id":"m","body":[1e999,"\ud800"]}"#);
        assert_eq!((frame.kind.as_str(), frame.id.as_str()), ("message", "m"));
        assert_eq!(Frame::parse(r#"{"message":"Internal server error"}"#).kind, "");
    }
}
