//! A person: one session, in some rooms, talking, leaving, being cut, closing it and coming back.

use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use futures::FutureExt;
use hubbub_client::{Channel, CloseReason, Error, Event, Session, SessionOptions, Start, State};
use hubbub_tests::listener::{Heard, Listener};
use hubbub_tests::stack::Stack;
use hubbub_tests::token::Tokens;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::sleep;

use crate::conductor::Phase;
use crate::ledger::{Events, Shared, open};
use crate::town::{Town, around};

/// How long an answer may take before it counts as lost.
const ANSWER: Duration = Duration::from_secs(15);
/// How often a client asks whether it is behind: often, so that what goes wrong heals within the soak.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long one thing may take before the soak gives up on the stack.
const PATIENCE: Duration = Duration::from_secs(300);

/// People who connect at the same time, but for those who were cut.
const CONNECTING: usize = 6;
/// People who come back for the last time at the same time; most of them pause before they connect.
const RETURNING: usize = 12;
/// People who ask for something at the same time.
const ASKING: usize = 12;

/// How long it takes, on the average, until a person joins another room.
const JOIN: Duration = Duration::from_secs(20);
/// How long it takes, on the average, until a person leaves a room.
const LEAVE: Duration = Duration::from_secs(30);
/// How long it takes, on the average, until a person's socket ends.
const VANISH: Duration = Duration::from_secs(40);
/// How long a person stays away, on the average.
const AWAY: Duration = Duration::from_secs(3);
/// How long, at the least, until a restless session moves to a fresh socket by itself; at the most it is twice as long.
const MOVE: Duration = Duration::from_secs(30);
/// Every so many people are restless.
const RESTLESS: u32 = 8;

/// What a person does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Talk,
    Join,
    Leave,
    Vanish,
}

/// Where people wait for their turn. The local AWS starts a process for every call that finds all others busy, so that a machine with
/// more to do than it can would do less and less.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// To connect, which takes several functions.
    connecting: Arc<Semaphore>,
    /// To be cut and come back.
    returning: Arc<Semaphore>,
    /// To ask for something.
    asking: Arc<Semaphore>,
}

impl Default for Lines {
    fn default() -> Self {
        let line = |places| Arc::new(Semaphore::new(places));
        Self { connecting: line(CONNECTING), returning: line(RETURNING), asking: line(ASKING) }
    }
}

/// Who somebody is, and where it writes.
#[derive(Clone, Debug)]
struct Pen {
    number: u32,
    name: String,
    ledger: Shared,
}

impl Pen {
    fn note(&self, heard: Heard) {
        let mut ledger = open(&self.ledger);
        let event = match heard {
            Heard::Offline(why) => return ledger.oddities.note("lost connection", format!("`{}`: {why}", self.name)),
            Heard::Event(event) => event,
        };
        match event {
            Event::Message(delivery) => ledger.receive(self.number, &delivery),
            Event::Reset { channel, epoch, head } => {
                ledger.reset(self.number, &channel);
                ledger.oddities.note("log reset", format!("`{}` in `{channel}`, to {head} of `{epoch}`", self.name));
            }
            // Everything that came before it belongs to the stay that ends.
            Event::Left(left) => ledger.leave(self.number, &left.channel),
            Event::Dropped { channel, error } => {
                ledger.oddities.note("dropped channel", format!("`{channel}`: {error}"));
            }
            Event::Receipt(receipt) => ledger.oddities.note("unexpected receipt", format!("{receipt:?}")),
            Event::Presence(news) => ledger.oddities.note("unasked news", format!("{news:?}")),
            Event::Signal(signal) => ledger.oddities.note("unexpected signal", format!("{signal:?}")),
            Event::Unexpected(frame) => ledger.oddities.note("unasked frame", format!("{frame:?}")),
            Event::Closed(CloseReason::ByApplication) => {}
            Event::Closed(reason) => ledger.oddities.note("ended session", reason.to_string()),
        }
    }
}

/// Who somebody will be.
pub(crate) struct Person {
    town: Town,
    dice: Rng,
    pen: Pen,
    options: SessionOptions,
    lines: Lines,
    run: String,
}

impl Person {
    /// A person who is not there yet. `run` keeps the messages apart from those of another soak on the same stack.
    pub(crate) fn new(
        number: u32,
        town: Town,
        dice: Rng,
        ledger: Shared,
        lines: Lines,
        (stack, tokens): (&Stack, &Tokens),
        run: &str,
    ) -> anyhow::Result<Self> {
        let name = Town::user(number);
        let token = tokens.sign(&name)?;
        // Not a fixed one: the local AWS refuses a token where `authorize` or `connect` was killed, which passes.
        let tokens = hubbub_client::Tokens::fetch(move || ready(Ok(token.clone())));
        let mut options = SessionOptions::new(&stack.outputs.web_socket_url, &name, tokens);
        options.socket.connection.connect_timeout = ANSWER;
        options.socket.connection.request_timeout = ANSWER;
        options.socket.keep_alive = KEEP_ALIVE;
        // The pause is random: half of this on the average.
        options.first_pause = AWAY * 2;
        options.longest_pause = AWAY * 4;
        if number.is_multiple_of(RESTLESS) {
            options.move_after = MOVE..=MOVE * 2;
        }
        let pen = Pen { number, name, ledger };
        Ok(Self { town, dice, pen, options, lines, run: run.to_owned() })
    }

    /// Connects, and lives through the phases. Says when it has arrived, and when it has come back for the last time.
    pub(crate) async fn live(self, phase: watch::Receiver<Phase>, ready: mpsc::Sender<()>) -> anyhow::Result<()> {
        let listener = self.connect(State::default()).await?;
        Present { person: self, listener, messages: 0 }.live(phase, ready).await
    }

    /// A session that goes on from where the one before it was closed.
    async fn connect(&self, state: State) -> anyhow::Result<Listener> {
        let own = Channel::user(self.pen.name.clone());
        let mut options = self.options.clone();
        if !state.0.contains_key(&own) {
            options = options.inbox(Start::Beginning);
        }
        options.state = state;
        let _turn = self.lines.connecting.acquire().await?;
        let pen = self.pen.clone();
        let listener = Listener::open(options, PATIENCE, move |heard| pen.note(heard)).await?;
        open(&self.pen.ledger).join(self.pen.number, &own, 0, "");
        Ok(listener)
    }
}

/// A person who is there.
struct Present {
    person: Person,
    listener: Listener,
    messages: u32,
}

impl Present {
    async fn live(mut self, mut phase: watch::Receiver<Phase>, ready: mpsc::Sender<()>) -> anyhow::Result<()> {
        self.join(Channel::Everyone).await?;
        self.join(Channel::room(Town::plaza())).await?;
        ready.send(()).await.context("nobody waits for the people to arrive")?;
        while *phase.borrow_and_update() == Phase::Gathering {
            self.listener.listen_until(phase.changed().map(drop)).await?;
        }
        while *phase.borrow_and_update() == Phase::Load {
            let (act, pause) = self.next_act();
            let deadline = Instant::now() + pause;
            // The next phase may come before.
            let end = futures::future::select(Box::pin(phase.changed()), Box::pin(sleep(pause))).map(drop);
            self.listener.listen_until(end).await?;
            if Instant::now() >= deadline {
                self.act(act).await?;
            }
        }
        {
            let _turn = self.person.lines.returning.acquire().await?;
            self.listener.come_back().await?;
        }
        ready.send(()).await.context("nobody waits for the people to come back")?;
        while *phase.borrow_and_update() != Phase::Over {
            self.listener.listen_until(phase.changed().map(drop)).await?;
        }
        let (_, stats) = self.listener.close().await;
        open(&self.person.pen.ledger).sum_up(stats);
        Ok(())
    }

    /// Draws what comes next and how long it takes until then.
    fn next_act(&mut self) -> (Act, Duration) {
        let talk = self.person.town.person_pause();
        // Each comes after a time of its own; the first of them is what happens.
        let drawn = [(Act::Talk, talk), (Act::Join, JOIN), (Act::Leave, LEAVE), (Act::Vanish, VANISH)]
            .map(|(act, average)| (act, around(average, &mut self.person.dice)));
        drawn.into_iter().min_by_key(|(_, pause)| *pause).unwrap_or((Act::Talk, talk))
    }

    async fn act(&mut self, act: Act) -> anyhow::Result<()> {
        match act {
            Act::Talk => self.talk().await?,
            Act::Join => {
                let room = self.person.town.any_room(&mut self.person.dice);
                self.join(Channel::room(room)).await?;
                self.count(|events| events.joins += 1);
            }
            Act::Leave => self.leave().await?,
            Act::Vanish if self.person.dice.f64() < 0.7 => {
                self.listener.cut().await;
                self.count(|events| events.cuts += 1);
            }
            Act::Vanish => {
                let (state, stats) = self.listener.close().await;
                open(&self.person.pen.ledger).sum_up(stats);
                sleep(around(AWAY, &mut self.person.dice)).await;
                self.listener = self.person.connect(state).await?;
            }
        }
        Ok(())
    }

    fn count(&self, count: impl FnOnce(&mut Events)) {
        count(&mut open(&self.person.pen.ledger).events);
    }

    /// Asks for something when it is this person's turn.
    async fn ask<T, F>(&mut self, what: &str, call: impl FnOnce(Session) -> F) -> anyhow::Result<T>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let (asking, call) = (Arc::clone(&self.person.lines.asking), call(self.listener.session()));
        let in_turn = async {
            // Fails never: nobody closes it.
            let _turn = asking.acquire().await;
            call.await
        };
        self.listener.ask(what, in_turn).await
    }

    async fn join(&mut self, channel: Channel) -> anyhow::Result<()> {
        let joined = channel.clone();
        let caught = self.ask("join", |session| async move { session.join(joined, Start::Known).await }).await?;
        open(&self.person.pen.ledger).join(self.person.pen.number, &channel, caught.head, &caught.epoch);
        Ok(())
    }

    /// Leaves a room, other than the plaza.
    async fn leave(&mut self) -> anyhow::Result<()> {
        let Some(room) = self.any_own_room(|room| room != Town::plaza()) else { return Ok(()) };
        self.listener.leave(&room).await?;
        self.count(|events| events.leaves += 1);
        Ok(())
    }

    /// One of the rooms that the person is in.
    fn any_own_room(&mut self, is_meant: impl Fn(&str) -> bool) -> Option<String> {
        let channels = open(&self.person.pen.ledger).channels_of(self.person.pen.number);
        let rooms = channels.into_iter().filter_map(|channel| match channel {
            Channel::Room(room) if is_meant(&room) => Some(room),
            _ => None,
        });
        let rooms: Vec<String> = rooms.collect();
        self.person.dice.choice(rooms)
    }

    /// Publishes to a room, mostly, or sends a direct message.
    async fn talk(&mut self) -> anyhow::Result<()> {
        self.messages += 1;
        let Self { person, messages, .. } = self;
        let id = format!("{}.{messages}", person.run);
        let body = json!({"by": person.pen.name, "number": messages});
        let room = match self.person.dice.u32(..100) {
            0..65 => self.any_own_room(|room| room != Town::plaza()),
            65..67 => Some(Town::plaza().to_owned()),
            _ => None,
        };
        let Person { town, dice, .. } = &mut self.person;
        let channel = room.map_or_else(|| Channel::user(town.any_user(dice)), Channel::Room);
        let (to, sent) = (channel.clone(), id.clone());
        self.ask("publish", |session| async move {
            match to {
                Channel::Room(room) => session.publish(&room, &body, Some(&sent)).await,
                Channel::User(user) => session.direct(&user, &body, Some(&sent)).await,
                Channel::Everyone => Err(Error::ServicesOnly),
            }
        })
        .await?;
        open(&self.person.pen.ledger).accept(&channel, &self.person.pen.name, &id);
        Ok(())
    }
}
