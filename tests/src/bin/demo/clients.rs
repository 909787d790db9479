//! The clients, and what they receive.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Context;
use futures::stream::{self, StreamExt, TryStreamExt};
use hubbub_client::{Channel, Client, CloseReason, Counters, Error, Event, Events, Options, Start};
use hubbub_ledger::Position;
use hubbub_tests::record::received;
use hubbub_tests::stack::Stack;
use hubbub_tests::token::Tokens;
use serde_json::Value;

use crate::names::{ROOM, user_of};
use crate::record::Shared;

/// Clients that connect or join at the same time.
const AT_ONCE: usize = 32;
/// How often a call is tried.
const TRIES: u32 = 3;

/// A client, and since when its socket is open.
#[derive(Clone)]
pub(crate) struct Connected {
    pub(crate) client: Client,
    pub(crate) since: Instant,
}

/// The clients by socket number, each with a task that records what it receives.
pub(crate) struct Clients {
    run: String,
    url: String,
    tokens: Tokens,
    pub(crate) record: Shared,
    connected: BTreeMap<u32, Connected>,
}

impl Clients {
    /// No client is connected yet. `run` begins every message's id, so that another demo's messages on the same stack have other ids.
    pub(crate) async fn new(stack: &Stack, run: String) -> anyhow::Result<Self> {
        Ok(Self {
            run,
            url: stack.outputs.web_socket_url.clone(),
            tokens: Tokens::of(stack).await?,
            record: Shared::default(),
            connected: BTreeMap::new(),
        })
    }

    pub(crate) fn id(&self, what: &str, number: u32) -> String {
        format!("{}.{what}.{number}", self.run)
    }

    pub(crate) fn get(&self, socket: u32) -> anyhow::Result<&Connected> {
        self.connected.get(&socket).with_context(|| format!("there's no socket {socket}"))
    }

    /// Connects sockets as the users that their numbers give.
    pub(crate) async fn connect(
        &mut self,
        sockets: impl Iterator<Item = u32>,
        mut done: impl FnMut(u64),
    ) -> anyhow::Result<()> {
        let connecting = sockets.map(|socket| {
            let options = self.options(&user_of(socket));
            let record = self.record.clone();
            async move { anyhow::Ok((socket, open(options?, &record).await?)) }
        });
        let mut opened = stream::iter(connecting.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
        while let Some((socket, (connected, events))) = opened.try_next().await? {
            self.add(socket, connected, events);
            done(self.connected.len() as u64);
        }
        Ok(())
    }

    /// Connects one more socket, which gets what its user has missed.
    pub(crate) async fn connect_late(&mut self, socket: u32, user: &str) -> anyhow::Result<()> {
        let options = self.options(user)?.inbox(Start::Beginning);
        self.record.open().ledger.join(&socket, &Channel::user(user), Position::START);
        let (connected, events) = open(options, &self.record).await?;
        self.add(socket, connected, events);
        Ok(())
    }

    fn options(&self, user: &str) -> anyhow::Result<Options> {
        Ok(Options::new(self.url.clone(), user, self.tokens.sign(user)?))
    }

    fn add(&mut self, socket: u32, connected: Connected, events: Events) {
        self.connected.insert(socket, connected);
        tokio::spawn(record_events(self.record.clone(), socket, events));
    }

    /// Every connected client joins the room.
    pub(crate) async fn join_room(&self, mut done: impl FnMut(u64)) -> anyhow::Result<()> {
        let joining = self.connected.iter().map(|(socket, connected)| async move {
            let join = async || connected.client.join_room(ROOM).await;
            anyhow::Ok((*socket, retry(&self.record, "failed join attempt", join).await?))
        });
        let mut joined = stream::iter(joining.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
        let mut count = 0;
        while let Some((socket, caught)) = joined.try_next().await? {
            let after = Position::new(caught.epoch, caught.head);
            self.record.open().ledger.join(&socket, &Channel::room(ROOM), after);
            count += 1;
            done(count);
        }
        Ok(())
    }

    /// The id and the body of one of the room's messages, which is about to be sent.
    pub(crate) fn announce(&self, number: u32) -> (String, Value) {
        let id = self.id("room", number);
        self.record.open().notes.send(&id, Instant::now());
        let body = serde_json::json!({"text": format!("message {number} of the room"), "number": number});
        (id, body)
    }

    /// One client publishes a message to the room, and waits until it is accepted.
    pub(crate) async fn publish(&self, socket: u32, number: u32) -> anyhow::Result<()> {
        let client = &self.get(socket)?.client;
        let (id, body) = self.announce(number);
        let publish = async || client.publish(ROOM, &body, Some(&id)).await;
        retry(&self.record, "failed publish attempt", publish).await?;
        let user = user_of(socket);
        self.record.open().ledger.accept(&Channel::room(ROOM), &user, &user, &id);
        Ok(())
    }

    /// Drops a socket without a close frame. It is owed nothing from then on.
    pub(crate) async fn cut(&self, socket: u32) -> anyhow::Result<()> {
        self.get(socket)?.client.cut().await;
        self.record.open().ledger.cut(&socket);
        Ok(())
    }

    /// What happened to a channel, over all sockets.
    pub(crate) fn counters(&self, channel: &Channel) -> Counters {
        self.connected.values().map(|connected| connected.client.counters(channel)).sum()
    }

    /// The most frames of a channel that any socket was posted.
    pub(crate) fn most_frames(&self, channel: &Channel) -> u64 {
        let frames = self.connected.values().map(|connected| connected.client.counters(channel).frames);
        frames.max().unwrap_or_default()
    }

    pub(crate) async fn close(&self) {
        let close = |connected: &Connected| {
            let client = connected.client.clone();
            async move { client.close().await }
        };
        stream::iter(self.connected.values()).for_each_concurrent(AT_ONCE, close).await;
    }
}

async fn open(options: Options, record: &Shared) -> anyhow::Result<(Connected, Events)> {
    let user = options.user.clone();
    let connect = async || Client::connect(options.clone()).await;
    let (client, events) =
        retry(record, "failed connection attempt", connect).await.with_context(|| format!("`{user}` can't connect"))?;
    Ok((Connected { client, since: Instant::now() }, events))
}

/// Tries again where that may help, and notes it.
async fn retry<T>(record: &Shared, what: &'static str, call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let mut tries = 1;
    loop {
        match call().await {
            Err(error) if error.is_retryable() && tries < TRIES => {
                tries += 1;
                record.open().surprises.note(what, error.to_string());
            }
            result => return result,
        }
    }
}

/// Records what a client receives, until it ends.
async fn record_events(record: Shared, socket: u32, mut events: Events) {
    while let Some(event) = events.next().await {
        let record = &mut *record.open();
        let mut note = |kind, example: String| record.surprises.note(kind, example);
        match event {
            Event::Message(delivery) => {
                record.notes.receive(&delivery.message.id, delivery.received_at);
                record.ledger.receive(&socket, &delivery.channel, received(&delivery));
            }
            Event::Reset { channel, epoch, head } => {
                note("log reset", format!("`{channel}` went on from {head} in `{epoch}`"));
                record.ledger.reset(&socket, &channel);
            }
            Event::Dropped { channel, error } => note("dropped channel", format!("`{channel}`: {error}")),
            Event::Receipt(receipt) => note("unexpected receipt", format!("{receipt:?}")),
            Event::Presence(presence) => note("unexpected presence", format!("{presence:?}")),
            Event::Signal(signal) => note("unexpected signal", format!("{signal:?}")),
            Event::Left(left) => note("lost membership", format!("{left:?}")),
            Event::Unexpected(frame) => note("unexpected frame", format!("{frame:?}")),
            Event::Closed(CloseReason::ByApplication | CloseReason::Cut) => {}
            Event::Closed(reason) => note("lost connection", reason.to_string()),
        }
    }
}
