//! What every test begins with: a stack, tokens, members, and waiting for what must come.

use std::time::{Duration, Instant};

use hubbub_client::{Channel, Client, Delivery, Error, Event, Events, Options, Start};
use hubbub_tests::stack::Stack;
use hubbub_tests::token::Tokens;
use serde_json::Value;
use ulid::Ulid;

/// How long anything may take. The machine may be busy with other tests, and the emulator is slower than AWS.
const PATIENCE: Duration = Duration::from_secs(60);

/// A test's stack.
pub(crate) struct Scene {
    pub(crate) stack: Stack,
    pub(crate) tokens: Tokens,
    /// A suffix for ids, so that a test meets only itself.
    mark: String,
}

/// A client with its events.
pub(crate) struct Member {
    pub(crate) client: Client,
    pub(crate) events: Events,
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let stack = Stack::from_environment().unwrap();
        let tokens = Tokens::of(&stack).await.unwrap();
        Self {
            stack,
            tokens,
            mark: Ulid::new().to_string().to_lowercase(),
        }
    }

    /// An id that no other test has.
    pub(crate) fn own(&self, name: &str) -> String {
        format!("{name}-{}", self.mark)
    }

    pub(crate) fn options(&self, user: &str) -> Options {
        Options::new(
            &self.stack.outputs.web_socket_url,
            user,
            self.tokens.sign(user).unwrap(),
        )
    }

    pub(crate) async fn connect(&self, user: &str) -> Member {
        self.connect_with(self.options(user)).await
    }

    pub(crate) async fn connect_with(&self, options: Options) -> Member {
        let (client, events) = Client::connect(options).await.unwrap();
        Member { client, events }
    }

    /// Connects as a user who joins a room.
    pub(crate) async fn join(&self, user: &str, room: &str) -> Member {
        let member = self.connect(user).await;
        member.client.join_room(room).await.unwrap();
        member
    }

    /// Connects, and gets all direct messages that are kept.
    pub(crate) async fn open_inbox(&self, user: &str) -> Member {
        self.connect_with(self.options(user).inbox(Start::Beginning)).await
    }

    /// Connects with any token.
    pub(crate) async fn try_token(&self, token: Option<String>) -> Error {
        let mut options = self.options("nobody");
        options.connection.token = token;
        Client::connect(options).await.unwrap_err()
    }
}

impl Member {
    /// The next message of a room or of the user. Other tests may send to everyone meanwhile.
    pub(crate) async fn next(&mut self) -> Delivery {
        self.next_where(|delivery| delivery.channel != Channel::Everyone).await
    }

    /// The next message that is wanted; those before it are passed over.
    pub(crate) async fn next_where(&mut self, is_wanted: impl Fn(&Delivery) -> bool) -> Delivery {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.next()).await;
            match event.expect("a message must come") {
                Some(Event::Message(delivery)) if is_wanted(&delivery) => return delivery,
                Some(Event::Message(_) | Event::Unexpected(_)) => {}
                other => panic!("{other:?} instead of a message"),
            }
        }
    }

    /// The ids of the next messages.
    pub(crate) async fn next_ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.next().await.message.id);
        }
        ids
    }

    /// The answer to any text.
    pub(crate) async fn say(&self, text: &str) -> Value {
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
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
