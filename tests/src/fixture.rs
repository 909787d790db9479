//! What every test on a stack begins with: the stack, tokens, clients, and waiting for events.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]
#![expect(clippy::missing_panics_doc, reason = "every helper fails its test if it can't do what it is for")]

use std::time::{Duration, Instant};

use hubbub_aws::system::System;
use hubbub_client::{Channel, Client, Delivery, Error, Event, Events, Options, Presence, Signal, Start};
use hubbub_core::members::connection::Connection;
use hubbub_core::members::membership;
use hubbub_core::ports::Clock;
use hubbub_core::wire::channel::Channel as CoreChannel;
use hubbub_core::wire::id::{ConnectionId, RoomId, UserId};
use hubbub_core::wire::time::Timestamp;
use serde_json::Value;
use ulid::Ulid;

use crate::stack::Stack;
use crate::token::Tokens;

/// How long anything may take. The machine may be busy with other tests, and the emulator is slower than AWS.
const PATIENCE: Duration = Duration::from_secs(120);

/// The stack of a test.
pub struct Fixture {
    /// The stack that `HUBBUB_OUTPUTS` names.
    pub stack: Stack,
    /// Signs with the stack's key.
    pub tokens: Tokens,
    /// A suffix for ids, so that tests don't meet each other.
    mark: String,
}

/// A client with its events.
pub struct TestClient {
    /// The client.
    pub client: Client,
    /// What happens on its channels.
    pub events: Events,
}

impl Fixture {
    pub async fn new() -> Self {
        let stack = Stack::from_environment().unwrap();
        let tokens = Tokens::of(&stack).await.unwrap();
        Self { stack, tokens, mark: Ulid::new().to_string().to_lowercase() }
    }

    /// An id that no other test has.
    #[must_use]
    pub fn unique(&self, name: &str) -> String {
        format!("{name}-{}", self.mark)
    }

    /// How a user connects.
    #[must_use]
    pub fn options(&self, user: &str) -> Options {
        Options::new(&self.stack.outputs.web_socket_url, user, self.tokens.sign(user).unwrap())
    }

    /// Connects as a user.
    pub async fn connect(&self, user: &str) -> TestClient {
        self.connect_with(self.options(user)).await
    }

    /// Connects with any options.
    pub async fn connect_with(&self, options: Options) -> TestClient {
        let (client, events) = Client::connect(options).await.unwrap();
        TestClient { client, events }
    }

    /// Connects as a user who joins a room.
    pub async fn join(&self, user: &str, room: &str) -> TestClient {
        let client = self.connect(user).await;
        client.client.join_room(room).await.unwrap();
        client
    }

    /// Connects, and gets all direct messages that are kept.
    pub async fn open_inbox(&self, user: &str) -> TestClient {
        self.connect_with(self.options(user).inbox(Start::Beginning)).await
    }

    /// Fills a room with more members than are delivered inline.
    pub async fn fill_room(&self, room: &str) {
        self.fill_room_with(room, self.stack.outputs.inline_limit + 1).await;
    }

    /// Fills a room with this many members. They are rows without sockets, and too young to be pruned.
    pub async fn fill_room_with(&self, room: &str, members: u64) {
        let channel = CoreChannel::Room(RoomId::parse(room).unwrap());
        let table = self.stack.table();
        for number in 0..members {
            let name = self.unique(&format!("filler-{number}"));
            let user = UserId::parse(&name).unwrap();
            let (connected_at, until) = (System.now(), Timestamp(u64::MAX));
            let connection = Connection { id: ConnectionId::new(name), user, connected_at, until };
            membership::join(&table, &System, &connection, &channel, 2_000).await.unwrap();
        }
    }

    /// Connects with any token.
    pub async fn try_token(&self, token: Option<String>) -> Error {
        let mut options = self.options("nobody");
        options.connection.token = token;
        Client::connect(options).await.unwrap_err()
    }
}

impl TestClient {
    /// The next message of a room or of the user. Other tests may send to everyone meanwhile.
    pub async fn next(&mut self) -> Delivery {
        self.next_where(|delivery| delivery.channel != Channel::Everyone).await
    }

    /// The next wanted message; earlier ones are skipped.
    pub async fn next_where(&mut self, is_wanted: impl Fn(&Delivery) -> bool) -> Delivery {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.next()).await;
            match event.expect("a message must come") {
                Some(Event::Message(delivery)) if is_wanted(&delivery) => return delivery,
                Some(Event::Message(_) | Event::Presence(_) | Event::Signal(_) | Event::Unexpected(_)) => {}
                other => panic!("{other:?} instead of a message"),
            }
        }
    }

    /// The next presence event of a watched room.
    pub async fn next_presence(&mut self) -> Presence {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.next()).await;
            match event.expect("a presence event must come") {
                Some(Event::Presence(news)) => return news,
                Some(Event::Message(_) | Event::Signal(_) | Event::Unexpected(_)) => {}
                other => panic!("{other:?} instead of a presence event"),
            }
        }
    }

    /// The next signal.
    pub async fn next_signal(&mut self) -> Signal {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.next()).await;
            match event.expect("a signal must come") {
                Some(Event::Signal(signal)) => return signal,
                Some(Event::Message(_) | Event::Presence(_) | Event::Unexpected(_)) => {}
                other => panic!("{other:?} instead of a signal"),
            }
        }
    }

    /// The ids of the next messages.
    pub async fn next_ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.next().await.message.id);
        }
        ids
    }

    /// The error that any text is answered with.
    pub async fn error_to(&self, text: &str) -> Value {
        let frame = self.client.raw(text).await.unwrap().frame;
        match frame {
            hubbub_client::ServerFrame::Error(error) => {
                serde_json::json!({"code": error.code, "message": error.message, "id": error.id})
            }
            other => panic!("{other:?} instead of an error"),
        }
    }
}

/// Waits until a condition holds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
