//! Well-behaved clients, which send the whole time with an ordinary session, and a well-behaved service.

use std::future::ready;
use std::time::Duration;

use anyhow::Context;
use fastrand::Rng;
use futures::FutureExt;
use hubbub_client::{Channel, CloseReason, Error, Event, ServerFrame, SessionOptions, Start, Tokens};
use hubbub_ledger::Position;
use hubbub_tests::listener::{Heard, Listener};
use hubbub_tests::record::{Record, received};
use hubbub_tests::service::Service;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::attacker::Attacker;
use crate::kind::Kind;
use crate::record::Shared;
use crate::run::Phase;

pub(crate) const CLIENTS: usize = 6;
/// Rooms of the well-behaved clients. All of them are in the first, which has enough members for the state machine.
pub(crate) const ROOMS: usize = 3;

/// How long an answer may take before it counts as lost.
const ANSWER: Duration = Duration::from_secs(30);
/// How long one request may take before the run gives up on the stack.
const PATIENCE: Duration = Duration::from_secs(120);
/// The time between two messages of a client, about.
const PAUSE: Duration = Duration::from_millis(900);
/// How often a client asks whether it has missed messages.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The shortest time after which a session moves to a fresh socket by itself; the longest is twice as long.
const MOVE: Duration = Duration::from_secs(15);
/// The service's name.
pub(crate) const CLERK: &str = "clerk";

pub(crate) fn shared_room(number: usize) -> String {
    format!("shared-{number}")
}

pub(crate) fn client_user(number: usize) -> String {
    format!("client-{number}")
}

fn rooms_of(number: usize) -> Vec<String> {
    vec![shared_room(0), shared_room(1 + number % (ROOMS - 1))]
}

pub(crate) struct WellBehaved {
    number: usize,
    user: String,
    options: SessionOptions,
    rng: Rng,
    record: Shared,
    messages: u64,
}

impl WellBehaved {
    pub(crate) fn new(attacker: &mut Attacker, number: usize) -> Self {
        let user = client_user(number);
        let token = attacker.forge.good(&user);
        // Not a fixed one, which a session believes to be bad when it is refused: a stack under attack may refuse a good token.
        let tokens = Tokens::fetch(move || ready(Ok(token.clone())));
        let mut options = SessionOptions::new(&attacker.stack.outputs.web_socket_url, &user, tokens);
        options = options.inbox(Start::Beginning);
        options.socket.connection.connect_timeout = ANSWER;
        options.socket.connection.request_timeout = ANSWER;
        options.socket.keep_alive = KEEP_ALIVE;
        options.longest_pause = PAUSE * 4;
        options.move_after = MOVE..=MOVE * 2;
        Self { number, user, options, rng: attacker.rng.fork(), record: attacker.record.clone(), messages: 0 }
    }

    /// Connects, and goes through the phases. Says when it is ready, and when it has reconnected for the last time.
    pub(crate) async fn run(
        mut self,
        mut phase: watch::Receiver<Phase>,
        ready: mpsc::Sender<()>,
    ) -> anyhow::Result<()> {
        let mut listener = self.connect().await?;
        ready.send(()).await.context("the run does not wait for its clients")?;
        while *phase.borrow_and_update() == Phase::Start {
            listener.listen_until(phase.changed().map(drop)).await?;
        }
        while *phase.borrow_and_update() == Phase::Attack {
            let pause = PAUSE.mul_f64(0.5 + self.rng.f64());
            let end = futures::future::select(Box::pin(phase.changed()), Box::pin(sleep(pause))).map(drop);
            listener.listen_until(end).await?;
            self.send(&mut listener).await?;
        }
        listener.reconnect().await?;
        ready.send(()).await.context("the run does not wait for its clients")?;
        while *phase.borrow_and_update() != Phase::End {
            listener.listen_until(phase.changed().map(drop)).await?;
        }
        listener.close().await;
        Ok(())
    }

    async fn connect(&self) -> anyhow::Result<Listener> {
        let (user, record) = (self.user.clone(), self.record.clone());
        let mut listener =
            Listener::open(self.options.clone(), PATIENCE, move |heard| note(&user, &record, heard)).await?;
        self.record.open().ledger.join(&self.user, &Channel::user(self.user.clone()), Position::START);
        let rooms = rooms_of(self.number).into_iter().map(Channel::Room);
        for channel in rooms.chain([Channel::Everyone]) {
            let session = listener.session();
            let caught = listener.ask("join", session.join(channel.clone(), Start::Known)).await?;
            let after = Position::new(caught.epoch, caught.head);
            self.record.open().ledger.join(&self.user, &channel, after);
        }
        Ok(listener)
    }

    /// Publishes to a room, mostly, or sends a direct message.
    async fn send(&mut self, listener: &mut Listener) -> anyhow::Result<()> {
        self.messages += 1;
        let (id, body) = (format!("m-{}", self.messages), json!({"by": self.user, "number": self.messages}));
        let channel = match self.rng.u32(..4) {
            0 => Channel::user(client_user(self.rng.usize(..CLIENTS))),
            _ => Channel::Room(self.rng.choice(rooms_of(self.number)).unwrap_or_default()),
        };
        let session = listener.session();
        let sending = async {
            match &channel {
                Channel::Room(room) => session.publish(room, &body, Some(&id)).await,
                Channel::User(user) => session.direct(user, &body, Some(&id)).await,
                Channel::Everyone => Err(Error::ServicesOnly),
            }
        };
        listener.ask("publish", sending).await?;
        self.record.open().ledger.accept(&channel, &self.user, &self.user, &id);
        Ok(())
    }
}

fn note(user: &String, record: &Shared, heard: Heard) {
    let Record { ledger, surprises, notes } = &mut *record.open();
    let event = match heard {
        Heard::Offline(why) => return surprises.note("lost connection", format!("`{user}`: {why}")),
        Heard::Event(event) => event,
    };
    match event {
        Event::Message(delivery) => {
            ledger.receive(user, &delivery.channel, received(&delivery));
        }
        Event::Reset { channel, .. } => ledger.reset(user, &channel),
        // No attacker may expel a well-behaved client.
        Event::Left(left) => {
            notes.breach(Kind::ForbiddenModeration, format!("`{user}` had to leave `{}`", left.channel));
        }
        Event::Unexpected(ServerFrame::Closing(closing)) => {
            notes.breach(Kind::ForbiddenModeration, format!("`{user}` was told `{}`", closing.code));
        }
        Event::Unexpected(frame) => surprises.note("unexpected frame", format!("`{user}`: {frame:?}")),
        Event::Dropped { channel, error } => {
            surprises.note("dropped channel", format!("`{user}`, `{channel}`: {error}"));
        }
        Event::Presence(presence) => surprises.note("unexpected presence", format!("`{user}`: {presence:?}")),
        Event::Signal(signal) => surprises.note("signal that was refused", format!("`{user}`: {signal:?}")),
        Event::Receipt(receipt) => surprises.note("unexpected receipt", format!("`{user}`: {receipt:?}")),
        Event::Closed(CloseReason::ByApplication) => {}
        Event::Closed(reason) => surprises.note("ended session", format!("`{user}`: {reason}")),
    }
}

/// A service that sends to shared rooms, to users and to everyone while the attacks last.
pub(crate) async fn serve(
    service: Service,
    mut rng: Rng,
    record: Shared,
    phase: watch::Receiver<Phase>,
) -> anyhow::Result<()> {
    let mut number: u64 = 0;
    while *phase.borrow() == Phase::Attack {
        number += 1;
        let channel = match rng.u32(..10) {
            0..6 => Channel::Room(shared_room(rng.usize(..ROOMS))),
            6..9 => Channel::user(client_user(rng.usize(..CLIENTS))),
            _ => Channel::Everyone,
        };
        let id = format!("s-{number}");
        service.send(&channel.to_string(), &id, &json!({"number": number})).await?;
        record.open().ledger.accept(&channel, service.name(), service.name(), &id);
        sleep(PAUSE.mul_f64(0.5 + rng.f64())).await;
    }
    Ok(())
}
