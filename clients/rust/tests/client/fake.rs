//! A scripted server on loopback: each test says what it answers.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use hubbub_client::{Channel, Client, Event, Events, Options};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// Much longer than any step takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for something that must happen soon.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(DEADLINE, what).await.expect("this should have happened by now")
}

/// A server that accepts one socket at a time.
pub(crate) struct Server(TcpListener);

impl Server {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn options(&self) -> Options {
        let url = format!("ws://{}/live", self.0.local_addr().unwrap());
        Options::new(url, "ana", "secret")
    }

    /// Accepts the next socket, and keeps the token of its handshake.
    pub(crate) async fn accept(&self) -> Socket {
        soon(async {
            let (stream, _) = self.0.accept().await.unwrap();
            let mut authorization = None;
            let read = |request: &Request, response: Response| {
                authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
                Ok(response)
            };
            let stream = accept_hdr_async(stream, read).await.unwrap();
            Socket { stream, authorization }
        })
        .await
    }

    /// Refuses the next handshake.
    pub(crate) async fn refuse(&self, status: u16, body: &str) {
        let (stream, _) = soon(self.0.accept()).await.unwrap();
        let refuse = |_: &Request, _: Response| {
            let mut response = ErrorResponse::new(Some(body.to_owned()));
            *response.status_mut() = status.try_into().unwrap();
            Err(response)
        };
        soon(accept_hdr_async(stream, refuse)).await.unwrap_err();
    }

    /// Accepts the next TCP connection and drops it.
    pub(crate) async fn hang_up(&self) {
        drop(soon(self.0.accept()).await.unwrap());
    }

    /// Connects a client, and returns it with the server's end of its socket.
    pub(crate) async fn connect(&self) -> (Client, Events, Socket) {
        let (client, socket) = tokio::join!(Client::connect(self.options()), self.accept());
        let (client, events) = client.unwrap();
        (client, events, socket)
    }
}

/// The server's end of a socket.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    pub(crate) authorization: Option<String>,
}

impl Socket {
    /// Reads the client's next frame.
    pub(crate) async fn next(&mut self) -> Value {
        let message = soon(self.stream.next()).await.unwrap().unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    /// Reads the client's next text, which may not be JSON.
    pub(crate) async fn next_text(&mut self) -> String {
        soon(self.stream.next()).await.unwrap().unwrap().into_text().unwrap().to_string()
    }

    /// Waits for the client's end, and returns whether it sent a close frame.
    pub(crate) async fn ends_with_goodbye(&mut self) -> bool {
        let last = soon(self.stream.next()).await;
        // Reading on is what answers the close frame.
        while let Some(Ok(_)) = soon(self.stream.next()).await {}
        matches!(last, Some(Ok(Message::Close(_))))
    }

    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.stream.send(Message::text(text.into())).await.unwrap();
    }

    /// Answers a frame; `fields` is JSON without its braces.
    pub(crate) async fn answer(&mut self, question: &Value, fields: &str) {
        let reference = &question["ref"];
        self.send(format!(r#"{{{fields},"ref":{reference}}}"#)).await;
    }

    /// Sends messages of a room, with their sequences as bodies.
    pub(crate) async fn post(&mut self, room: &str, epoch: &str, seqs: &[u64]) {
        let messages = messages(seqs);
        self.send(format!(
            r#"{{"type":"messages","channel":"room:{room}","epoch":"{epoch}","messages":[{messages}]}}"#
        ))
        .await;
    }

    pub(crate) async fn close(&mut self) {
        self.stream.close(None).await.unwrap();
    }
}

/// The JSON of messages in a frame.
pub(crate) fn messages(seqs: &[u64]) -> String {
    let messages: Vec<String> = seqs
        .iter()
        .map(|seq| format!(r#"{{"seq":{seq},"id":"m{seq}","from":"ben","body":{seq},"at":{seq}}}"#))
        .collect();
    messages.join(",")
}

/// Waits for a message, and returns its channel and sequence.
pub(crate) async fn next_message(events: &mut Events) -> (Channel, u64) {
    match soon(events.next()).await {
        Some(Event::Message(delivery)) => (delivery.channel, delivery.message.seq),
        other => panic!("not a message: {other:?}"),
    }
}

/// Waits for messages, and returns their sequences.
pub(crate) async fn next_seqs(events: &mut Events, count: usize) -> Vec<u64> {
    let mut seqs = Vec::new();
    for _ in 0..count {
        seqs.push(next_message(events).await.1);
    }
    seqs
}
