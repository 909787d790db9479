//! A client: one session in some rooms that sends, joins, leaves, is cut, closes and comes back.

use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use fastrand::Rng;
use futures::FutureExt;
use hubbub_client::{Channel, CloseReason, Error, Event, Session, SessionOptions, Start, State};
use hubbub_ledger::Position;
use hubbub_tests::listener::{Heard, Listener};
use hubbub_tests::record::received;
use hubbub_tests::stack::Stack;
use hubbub_tests::token::Tokens;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::sleep;

use crate::load::{LARGE_ROOM, Load, random_pause};
use crate::record::{Notes, Shared};
use crate::run::Phase;

/// How long an answer may take before it counts as lost.
const ANSWER: Duration = Duration::from_secs(15);
/// How often a client asks whether it has missed messages: often, so that a loss is repaired within the soak.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long one request may take before the soak gives up on the stack.
const PATIENCE: Duration = Duration::from_secs(300);

/// Clients that connect at the same time, but for those that were cut.
const CONNECTING: usize = 6;
/// Clients that reconnect for the last time at the same time; most of them pause before they connect.
const RETURNING: usize = 12;
/// Requests that wait for an answer at the same time.
const ASKING: usize = 12;

/// The average time until a client joins another room.
const JOIN: Duration = Duration::from_secs(20);
/// The average time until a client leaves a room.
const LEAVE: Duration = Duration::from_secs(30);
/// The average time until a client's socket ends.
const DISCONNECT: Duration = Duration::from_secs(40);
/// The average time for which a client stays away.
const AWAY: Duration = Duration::from_secs(3);
/// The shortest time after which a session moves to a fresh socket by itself, where it does; the longest is twice as long.
const MOVE: Duration = Duration::from_secs(30);
/// One in this many sessions moves.
const MOVING: u32 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Send,
    Join,
    Leave,
    Disconnect,
}

/// How much clients do at the same time. The local AWS starts a process for every call that finds all others busy, so that an overloaded
/// host would get less and less done.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Connecting takes several functions.
    connecting: Arc<Semaphore>,
    returning: Arc<Semaphore>,
    asking: Arc<Semaphore>,
}

impl Default for Limits {
    fn default() -> Self {
        let limit = |permits| Arc::new(Semaphore::new(permits));
        Self { connecting: limit(CONNECTING), returning: limit(RETURNING), asking: limit(ASKING) }
    }
}

/// Records what a session says.
fn note(user: &String, record: &Shared, heard: Heard) {
    let record = &mut *record.open();
    let (ledger, surprises) = (&mut record.ledger, &mut record.surprises);
    let event = match heard {
        Heard::Offline(why) => return surprises.note("lost connection", format!("`{user}`: {why}")),
        Heard::Event(event) => event,
    };
    match event {
        Event::Message(delivery) => {
            ledger.receive(user, &delivery.channel, received(&delivery));
        }
        Event::Reset { channel, epoch, head } => {
            ledger.reset(user, &channel);
            surprises.note("log reset", format!("`{user}` in `{channel}`, to {head} of `{epoch}`"));
        }
        // Everything that came before belongs to the membership that ends.
        Event::Left(left) => ledger.leave(user, &left.channel),
        Event::Dropped { channel, error } => surprises.note("dropped channel", format!("`{channel}`: {error}")),
        Event::Receipt(receipt) => surprises.note("unexpected receipt", format!("{receipt:?}")),
        Event::Presence(presence) => surprises.note("unexpected presence", format!("{presence:?}")),
        Event::Signal(signal) => surprises.note("unexpected signal", format!("{signal:?}")),
        Event::Unexpected(frame) => surprises.note("unexpected frame", format!("{frame:?}")),
        Event::Closed(CloseReason::ByApplication) => {}
        Event::Closed(reason) => surprises.note("ended session", reason.to_string()),
    }
}

/// A client that has not connected yet.
pub(crate) struct SoakClient {
    load: Load,
    rng: Rng,
    user: String,
    record: Shared,
    options: SessionOptions,
    limits: Limits,
    run: String,
}

impl SoakClient {
    /// `run` keeps the messages apart from those of another soak on the same stack.
    pub(crate) fn new(
        number: u32,
        load: Load,
        rng: Rng,
        record: Shared,
        limits: Limits,
        (stack, tokens): (&Stack, &Tokens),
        run: &str,
    ) -> anyhow::Result<Self> {
        let user = Load::user(number);
        let token = tokens.sign(&user)?;
        // Not a fixed one, which a session believes to be bad when it is refused: the local AWS refuses a good token where `authorize` or
        // `connect` was killed.
        let tokens = hubbub_client::Tokens::fetch(move || ready(Ok(token.clone())));
        let mut options = SessionOptions::new(&stack.outputs.web_socket_url, &user, tokens);
        options.socket.connection.connect_timeout = ANSWER;
        options.socket.connection.request_timeout = ANSWER;
        options.socket.keep_alive = KEEP_ALIVE;
        // The pause is random: half of this on the average.
        options.first_pause = AWAY * 2;
        options.longest_pause = AWAY * 4;
        if number.is_multiple_of(MOVING) {
            options.move_after = MOVE..=MOVE * 2;
        }
        Ok(Self { load, rng, user, record, options, limits, run: run.to_owned() })
    }

    /// Connects, and goes through the phases. Says when it is ready, and when it has reconnected for the last time.
    pub(crate) async fn run(self, phase: watch::Receiver<Phase>, ready: mpsc::Sender<()>) -> anyhow::Result<()> {
        let listener = self.connect(State::default()).await?;
        Connected { client: self, listener, messages: 0 }.run(phase, ready).await
    }

    /// A session that goes on from where the one before it was closed.
    async fn connect(&self, state: State) -> anyhow::Result<Listener> {
        let own = Channel::user(self.user.clone());
        let mut options = self.options.clone();
        if !state.0.contains_key(&own) {
            options = options.inbox(Start::Beginning);
        }
        options.state = state;
        let _permit = self.limits.connecting.acquire().await?;
        let (user, record) = (self.user.clone(), self.record.clone());
        let listener = Listener::open(options, PATIENCE, move |heard| note(&user, &record, heard)).await?;
        self.record.open().ledger.join(&self.user, &own, Position::START);
        Ok(listener)
    }

    fn count(&self, count: impl FnOnce(&mut Notes)) {
        count(&mut self.record.open().notes);
    }
}

struct Connected {
    client: SoakClient,
    listener: Listener,
    messages: u32,
}

impl Connected {
    async fn run(mut self, mut phase: watch::Receiver<Phase>, ready: mpsc::Sender<()>) -> anyhow::Result<()> {
        self.join(Channel::Everyone).await?;
        self.join(Channel::room(LARGE_ROOM)).await?;
        ready.send(()).await.context("the soak does not wait for its clients")?;
        while *phase.borrow_and_update() == Phase::Start {
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
            let _permit = self.client.limits.returning.acquire().await?;
            self.listener.reconnect().await?;
        }
        ready.send(()).await.context("the soak does not wait for its clients")?;
        while *phase.borrow_and_update() != Phase::End {
            self.listener.listen_until(phase.changed().map(drop)).await?;
        }
        let (_, stats) = self.listener.close().await;
        self.client.count(|notes| notes.add_session(stats));
        Ok(())
    }

    /// Draws what comes next and how long it takes until then.
    fn next_act(&mut self) -> (Act, Duration) {
        let send = self.client.load.client_pause();
        // Each comes after a time of its own; the first of them happens.
        let drawn = [(Act::Send, send), (Act::Join, JOIN), (Act::Leave, LEAVE), (Act::Disconnect, DISCONNECT)]
            .map(|(act, average)| (act, random_pause(average, &mut self.client.rng)));
        drawn.into_iter().min_by_key(|(_, pause)| *pause).unwrap_or((Act::Send, send))
    }

    async fn act(&mut self, act: Act) -> anyhow::Result<()> {
        match act {
            Act::Send => self.send().await?,
            Act::Join => {
                let room = self.client.load.random_room(&mut self.client.rng);
                self.join(Channel::room(room)).await?;
                self.client.count(|notes| notes.joins += 1);
            }
            Act::Leave => self.leave().await?,
            Act::Disconnect if self.client.rng.f64() < 0.7 => {
                self.listener.cut().await;
                self.client.count(|notes| notes.cuts += 1);
            }
            Act::Disconnect => {
                let (state, stats) = self.listener.close().await;
                self.client.count(|notes| notes.add_session(stats));
                sleep(random_pause(AWAY, &mut self.client.rng)).await;
                self.listener = self.client.connect(state).await?;
            }
        }
        Ok(())
    }

    /// Makes a request as soon as there is a permit for it.
    async fn ask<T, F>(&mut self, what: &str, call: impl FnOnce(Session) -> F) -> anyhow::Result<T>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let (asking, call) = (Arc::clone(&self.client.limits.asking), call(self.listener.session()));
        let limited = async {
            // Never fails, as the semaphore is never closed.
            let _permit = asking.acquire().await;
            call.await
        };
        self.listener.ask(what, limited).await
    }

    async fn join(&mut self, channel: Channel) -> anyhow::Result<()> {
        let joined = channel.clone();
        let caught = self.ask("join", |session| async move { session.join(joined, Start::Known).await }).await?;
        let after = Position::new(caught.epoch, caught.head);
        self.client.record.open().ledger.join(&self.client.user, &channel, after);
        Ok(())
    }

    /// Leaves a room, other than the large one.
    async fn leave(&mut self) -> anyhow::Result<()> {
        let Some(room) = self.random_joined_room() else { return Ok(()) };
        self.listener.leave(&room).await?;
        self.client.count(|notes| notes.leaves += 1);
        Ok(())
    }

    /// One of the rooms that the client has joined, other than the large one.
    fn random_joined_room(&mut self) -> Option<String> {
        let channels = self.client.record.open().ledger.channels_of(&self.client.user);
        let rooms = channels.into_iter().filter_map(|channel| match channel {
            Channel::Room(room) if room != LARGE_ROOM => Some(room),
            _ => None,
        });
        let rooms: Vec<String> = rooms.collect();
        self.client.rng.choice(rooms)
    }

    /// Publishes to a room, mostly, or sends a direct message.
    async fn send(&mut self) -> anyhow::Result<()> {
        self.messages += 1;
        let Self { client, messages, .. } = self;
        let id = format!("{}.{messages}", client.run);
        let body = json!({"by": client.user, "number": messages});
        let room = match self.client.rng.u32(..100) {
            0..65 => self.random_joined_room(),
            65..67 => Some(LARGE_ROOM.to_owned()),
            _ => None,
        };
        let SoakClient { load, rng, .. } = &mut self.client;
        let channel = room.map_or_else(|| Channel::user(load.random_user(rng)), Channel::Room);
        let (to, sent) = (channel.clone(), id.clone());
        self.ask("publish", |session| async move {
            match to {
                Channel::Room(room) => session.publish(&room, &body, Some(&sent)).await,
                Channel::User(user) => session.direct(&user, &body, Some(&sent)).await,
                Channel::Everyone => Err(Error::ServicesOnly),
            }
        })
        .await?;
        let user = &self.client.user;
        self.client.record.open().ledger.accept(&channel, user, user, &id);
        Ok(())
    }
}
