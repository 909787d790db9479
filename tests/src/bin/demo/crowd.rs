//! The clients, and what comes out of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Context;
use futures::stream::{self, StreamExt, TryStreamExt};
use hubbub_client::{Channel, Client, Counters, Error, Event, Events, Options};
use hubbub_tests::oddities::Oddities;
use hubbub_tests::stack::Stack;
use hubbub_tests::token::Tokens;
use serde_json::Value;

use crate::ledger::Ledger;
use crate::names::{ROOM, Topic, user_of};

/// Clients that connect or join at the same time.
const AT_ONCE: usize = 32;
/// How often a call is tried.
const TRIES: u32 = 3;

/// What all watchers write into.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) ledger: Ledger,
    /// Events that a smooth run doesn't have.
    pub(crate) oddities: Oddities,
}

/// A client, and since when its socket is open.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) client: Client,
    pub(crate) connected: Instant,
}

/// The clients by socket number, each with a task that watches it.
pub(crate) struct Crowd {
    run: String,
    url: String,
    tokens: Tokens,
    seen: Arc<Mutex<Seen>>,
    members: BTreeMap<u32, Member>,
}

impl Crowd {
    /// Nobody is there yet.
    pub(crate) async fn new(stack: &Stack, run: String) -> anyhow::Result<Self> {
        Ok(Self {
            run,
            url: stack.outputs.web_socket_url.clone(),
            tokens: Tokens::of(stack).await?,
            seen: Arc::default(),
            members: BTreeMap::new(),
        })
    }

    /// The run's id, which every message's id begins with.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// What was seen so far.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client by its socket's number.
    pub(crate) fn member(&self, socket: u32) -> anyhow::Result<&Member> {
        self.members.get(&socket).with_context(|| format!("there's no socket {socket}"))
    }

    /// Connects sockets with the users that their numbers give them.
    pub(crate) async fn connect(
        &mut self,
        sockets: impl Iterator<Item = u32>,
        mut done: impl FnMut(u64),
    ) -> anyhow::Result<()> {
        let connecting = sockets.map(|socket| {
            let options = self.options(&user_of(socket));
            let seen = Arc::clone(&self.seen);
            async move { anyhow::Ok((socket, open(options?, &seen).await?)) }
        });
        let mut connected = stream::iter(connecting.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
        while let Some((socket, (member, events))) = connected.try_next().await? {
            self.watch(socket, member, events);
            done(self.members.len() as u64);
        }
        Ok(())
    }

    /// Connects one more socket that gets what its user has missed.
    pub(crate) async fn connect_late(&mut self, socket: u32, user: &str) -> anyhow::Result<()> {
        let options = self.options(user)?.inbox(hubbub_client::Start::Beginning);
        let (member, events) = open(options, &self.seen).await?;
        self.watch(socket, member, events);
        Ok(())
    }

    fn options(&self, user: &str) -> anyhow::Result<Options> {
        Ok(Options::new(self.url.clone(), user, self.tokens.sign(user)?))
    }

    fn watch(&mut self, socket: u32, member: Member, events: Events) {
        self.members.insert(socket, member);
        tokio::spawn(watch(self.run.clone(), Arc::clone(&self.seen), socket, events));
    }

    /// Everybody who is there joins the room.
    pub(crate) async fn join_room(&self, mut done: impl FnMut(u64)) -> anyhow::Result<()> {
        let joining = self.members.iter().map(|(socket, member)| {
            let seen = Arc::clone(&self.seen);
            async move {
                try_often(&seen, "failed join attempt", async || member.client.join_room(ROOM).await).await?;
                anyhow::Ok(*socket)
            }
        });
        let mut joined = stream::iter(joining.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
        let mut count = 0;
        while let Some(socket) = joined.try_next().await? {
            self.seen().ledger.add_member(socket);
            count += 1;
            done(count);
        }
        Ok(())
    }

    /// The id and the body of one of the room's messages, which is about to be sent.
    pub(crate) fn announce(&self, number: u32) -> (String, Value) {
        self.seen().ledger.publish(number, Instant::now());
        let body = serde_json::json!({"text": format!("message {number} of the room"), "number": number});
        (Topic::Room(number).id(&self.run), body)
    }

    /// One client publishes a message to the room, and waits until it is accepted.
    pub(crate) async fn publish(&self, socket: u32, number: u32) -> anyhow::Result<()> {
        let client = &self.member(socket)?.client;
        let (id, body) = self.announce(number);
        try_often(&self.seen, "failed publish attempt", async || client.publish(ROOM, &body, Some(&id)).await).await?;
        Ok(())
    }

    /// Drops a socket without a goodbye.
    pub(crate) async fn cut(&self, socket: u32) -> anyhow::Result<()> {
        self.member(socket)?.client.cut().await;
        self.seen().ledger.cut(socket);
        Ok(())
    }

    /// What happened to a channel, over all sockets.
    pub(crate) fn counters(&self, channel: &Channel) -> Counters {
        self.members.values().map(|member| member.client.counters(channel)).sum()
    }

    /// The most frames of a channel that any socket was posted.
    pub(crate) fn most_frames(&self, channel: &Channel) -> u64 {
        self.members.values().map(|member| member.client.counters(channel).frames).max().unwrap_or_default()
    }

    /// Everybody goes.
    pub(crate) async fn close(&self) {
        stream::iter(self.members.values()).for_each_concurrent(AT_ONCE, |member| member.client.close()).await;
    }
}

async fn open(options: Options, seen: &Arc<Mutex<Seen>>) -> anyhow::Result<(Member, Events)> {
    let user = options.user.clone();
    let (client, events) =
        try_often(seen, "failed connection attempt", async || Client::connect(options.clone()).await)
            .await
            .with_context(|| format!("`{user}` can't connect"))?;
    Ok((Member { client, connected: Instant::now() }, events))
}

/// Tries again where that may help, and notes it.
async fn try_often<T>(
    seen: &Mutex<Seen>,
    what: &'static str,
    call: impl AsyncFn() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut tries = 1;
    loop {
        match call().await {
            Err(error) if error.is_retryable() && tries < TRIES => {
                tries += 1;
                note(seen, what, error.to_string());
            }
            result => return result,
        }
    }
}

fn note(seen: &Mutex<Seen>, kind: &'static str, example: String) {
    seen.lock().unwrap_or_else(PoisonError::into_inner).oddities.note(kind, example);
}

/// Writes down what comes out of a client until it ends.
async fn watch(run: String, seen: Arc<Mutex<Seen>>, socket: u32, mut events: Events) {
    while let Some(event) = events.next().await {
        match event {
            Event::Message(delivery) => {
                if let Some(topic) = Topic::parse(&delivery.message.id, &run) {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.ledger.record(socket, topic, delivery.received_at);
                }
            }
            Event::Reset { channel, epoch, head } => {
                note(&seen, "log reset", format!("`{channel}` went on from {head} in `{epoch}`"));
            }
            Event::Dropped { channel, error } => note(&seen, "dropped channel", format!("`{channel}`: {error}")),
            Event::Receipt(receipt) => note(&seen, "unexpected receipt", format!("{receipt:?}")),
            Event::Presence(news) => note(&seen, "unasked news", format!("{news:?}")),
            Event::Signal(signal) => note(&seen, "unexpected signal", format!("{signal:?}")),
            Event::Left(left) => note(&seen, "lost membership", format!("{left:?}")),
            Event::Unexpected(frame) => note(&seen, "unexpected frame", format!("{frame:?}")),
            Event::Closed(hubbub_client::CloseReason::ByApplication | hubbub_client::CloseReason::Cut) => {}
            Event::Closed(reason) => note(&seen, "lost connection", reason.to_string()),
        }
    }
}
