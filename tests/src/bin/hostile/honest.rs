//! Honest people, who talk the whole time with the session that everybody uses, and an honest service.

use std::future::ready;
use std::time::Duration;

use anyhow::Context;
use fastrand::Rng;
use futures::FutureExt;
use hubbub_client::{Channel, CloseReason, Error, Event, ServerFrame, SessionOptions, Start, Tokens};
use hubbub_tests::listener::{Heard, Listener};
use hubbub_tests::service::Service;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::book::{Shared, open};
use crate::conductor::Phase;
use crate::field::Field;
use crate::kind::Kind;

/// How many there are.
pub(crate) const HONEST: usize = 6;
/// Rooms that they are in; all of them are in the first, which is large enough for the state machine.
pub(crate) const HALLS: usize = 3;

/// How long an answer may take before it counts as lost.
const ANSWER: Duration = Duration::from_secs(30);
/// How long one thing may take before there is no hope.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a person waits, about, between two messages.
const PAUSE: Duration = Duration::from_millis(900);
/// How often a client asks whether it is behind.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long, at the least, until a session moves to a fresh socket by itself; at the most it is twice as long.
const MOVE: Duration = Duration::from_secs(15);
/// The service's name.
pub(crate) const CLERK: &str = "clerk";

/// A room's id.
pub(crate) fn hall(number: usize) -> String {
    format!("hall-{number}")
}

/// A user's id.
pub(crate) fn honest(number: usize) -> String {
    format!("honest-{number}")
}

fn halls_of(number: usize) -> Vec<String> {
    vec![hall(0), hall(1 + number % (HALLS - 1))]
}

/// A person.
pub(crate) struct Person {
    number: usize,
    name: String,
    options: SessionOptions,
    dice: Rng,
    book: Shared,
    messages: u64,
}

impl Person {
    pub(crate) fn new(field: &mut Field, number: usize) -> Self {
        let name = honest(number);
        let token = field.forge.good(&name);
        // Not a fixed one: a stack under attack may refuse a token, which passes.
        let tokens = Tokens::fetch(move || ready(Ok(token.clone())));
        let mut options = SessionOptions::new(&field.stack.outputs.web_socket_url, &name, tokens);
        options = options.inbox(Start::Beginning);
        options.socket.connection.connect_timeout = ANSWER;
        options.socket.connection.request_timeout = ANSWER;
        options.socket.keep_alive = KEEP_ALIVE;
        options.longest_pause = PAUSE * 4;
        options.move_after = MOVE..=MOVE * 2;
        Self { number, name, options, dice: field.dice.fork(), book: field.book.clone(), messages: 0 }
    }

    /// Lives through the phases. Says when it has arrived, and when it has come back for the last time.
    pub(crate) async fn live(
        mut self,
        mut phase: watch::Receiver<Phase>,
        ready: mpsc::Sender<()>,
    ) -> anyhow::Result<()> {
        let mut listener = self.arrive().await?;
        ready.send(()).await.context("nobody waits for the people to arrive")?;
        while *phase.borrow_and_update() == Phase::Gathering {
            listener.listen_until(phase.changed().map(drop)).await?;
        }
        while *phase.borrow_and_update() == Phase::Attack {
            let pause = PAUSE.mul_f64(0.5 + self.dice.f64());
            let end = futures::future::select(Box::pin(phase.changed()), Box::pin(sleep(pause))).map(drop);
            listener.listen_until(end).await?;
            self.talk(&mut listener).await?;
        }
        listener.come_back().await?;
        ready.send(()).await.context("nobody waits for the people to come back")?;
        while *phase.borrow_and_update() != Phase::Over {
            listener.listen_until(phase.changed().map(drop)).await?;
        }
        listener.close().await;
        Ok(())
    }

    async fn arrive(&self) -> anyhow::Result<Listener> {
        let (who, book) = (self.name.clone(), self.book.clone());
        let mut listener =
            Listener::open(self.options.clone(), PATIENCE, move |heard| note(&who, &book, heard)).await?;
        open(&self.book).join(&self.name, &Channel::user(self.name.clone()), 0, "");
        let rooms = halls_of(self.number).into_iter().map(Channel::Room);
        for channel in rooms.chain([Channel::Everyone]) {
            let session = listener.session();
            let caught = listener.ask("join", session.join(channel.clone(), Start::Known)).await?;
            open(&self.book).join(&self.name, &channel, caught.head, &caught.epoch);
        }
        Ok(listener)
    }

    /// Publishes to a hall, mostly, or sends a direct message.
    async fn talk(&mut self, listener: &mut Listener) -> anyhow::Result<()> {
        self.messages += 1;
        let (id, body) = (format!("m-{}", self.messages), json!({"by": self.name, "number": self.messages}));
        let channel = match self.dice.u32(..4) {
            0 => Channel::user(honest(self.dice.usize(..HONEST))),
            _ => Channel::Room(self.dice.choice(halls_of(self.number)).unwrap_or_default()),
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
        open(&self.book).accept(&channel, &self.name, 0, &id);
        Ok(())
    }
}

fn note(who: &str, book: &Shared, heard: Heard) {
    let mut book = open(book);
    let event = match heard {
        Heard::Offline(why) => return book.oddities.note("lost connection", format!("`{who}`: {why}")),
        Heard::Event(event) => event,
    };
    match event {
        Event::Message(delivery) => book.receive(who, &delivery),
        Event::Reset { channel, .. } => book.reset(who, &channel),
        // Nobody may expel honest people.
        Event::Left(left) => book.breach(Kind::ForbiddenOrders, format!("`{who}` had to leave `{}`", left.channel)),
        Event::Unexpected(ServerFrame::Closing(closing)) => {
            book.breach(Kind::ForbiddenOrders, format!("`{who}` was told `{}`", closing.code));
        }
        Event::Unexpected(frame) => book.oddities.note("unasked frame", format!("`{who}`: {frame:?}")),
        Event::Dropped { channel, error } => {
            book.oddities.note("dropped channel", format!("`{who}`, `{channel}`: {error}"));
        }
        Event::Presence(news) => book.oddities.note("unasked news", format!("`{who}`: {news:?}")),
        Event::Signal(signal) => book.oddities.note("a signal that was refused", format!("`{who}`: {signal:?}")),
        Event::Receipt(receipt) => book.oddities.note("unexpected receipt", format!("`{who}`: {receipt:?}")),
        Event::Closed(CloseReason::ByApplication) => {}
        Event::Closed(reason) => book.oddities.note("ended session", format!("`{who}`: {reason}")),
    }
}

/// A service that sends to halls, to people and to everyone while the attacks last.
pub(crate) async fn serve(
    service: Service,
    mut dice: Rng,
    book: Shared,
    phase: watch::Receiver<Phase>,
) -> anyhow::Result<()> {
    let mut number: u64 = 0;
    while *phase.borrow() == Phase::Attack {
        number += 1;
        let channel = match dice.u32(..10) {
            0..6 => Channel::Room(hall(dice.usize(..HALLS))),
            6..9 => Channel::user(honest(dice.usize(..HONEST))),
            _ => Channel::Everyone,
        };
        let id = format!("s-{number}");
        service.send(&channel.to_string(), &id, &json!({"number": number})).await?;
        open(&book).accept(&channel, service.name(), 0, &id);
        sleep(PAUSE.mul_f64(0.5 + dice.f64())).await;
    }
    Ok(())
}
