//! What a session's calls and its keeper share: the client of the moment, and what is followed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, watch};
use tokio::time::{sleep, timeout};

use super::{SessionOptions, Status};
use crate::channel::Channel;
use crate::client::{Client, Events, State, lock};
use crate::connection::CloseReason;
use crate::error::Error;
use crate::frames::{Accepted, Presence, Present, Request, ServerError};
use crate::state::{Counters, Start};

/// The server knows a message's id for five minutes. What may be in the log already is not sent again after this, with room to spare.
const SAME_ID: Duration = Duration::from_secs(270);
/// How often a join is tried again for a message that the server says is from no member.
const MAX_REJOINS: u32 = 3;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: SessionOptions,
    pub(super) line: watch::Sender<Line>,
    pub(super) status: watch::Sender<Status>,
    /// What is followed, and from where if nothing of it is known yet.
    pub(super) followed: Mutex<BTreeMap<Channel, Start>>,
    /// The rooms of which it is told who comes and goes, and who is there.
    pub(super) watched: Mutex<BTreeMap<String, Present>>,
    /// What a session without a socket knows of the channels.
    pub(super) known: Mutex<State>,
    /// Whoever changes what is followed, or makes a new socket follow it and puts it in its place.
    pub(super) membership: Arc<AsyncMutex<()>>,
    /// Messages to one channel go one after the other, across sockets.
    pub(super) lanes: Mutex<BTreeMap<Channel, Arc<AsyncMutex<()>>>>,
    /// Without what the client of the moment counts.
    stats: Mutex<Stats>,
}

/// What a session has been through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sockets that were used.
    pub connections: u64,
    /// How many of them took the place of one that still worked.
    pub moves: u64,
    /// How often a message was sent again because its answer was lost.
    pub resent: u64,
    /// What happened to all channels, over all sockets.
    pub counters: Counters,
}

/// The client of the moment.
#[derive(Clone, Debug)]
pub(super) enum Line {
    Down,
    Up(Arc<Live>),
    Over(String),
}

/// A socket in use. Every call that uses it holds it, so that it isn't closed under them.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) client: Client,
    /// Receipts that come on this socket or never.
    pub(super) owed: AtomicUsize,
    /// How far the application had come when the session moved here: what was under way then, both sockets have brought.
    pub(super) floor: Mutex<State>,
}

impl Live {
    /// How far the application has come: what the socket before had handed out, this one may not have seen yet.
    fn state(&self) -> State {
        let mut state = self.client.state();
        for (channel, handed_out) in &lock(&self.floor).0 {
            if let Some(position) = state.0.get_mut(channel)
                && position.epoch == handed_out.epoch
            {
                position.seq = position.seq.max(handed_out.seq);
            }
        }
        state
    }

    /// A receipt has come.
    pub(super) fn paid(&self) {
        let less = |owed: usize| Some(owed.saturating_sub(1));
        // Fails never: there always is a next number.
        let _ = self.owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

/// A socket that was opened, with its events, and how long it is to be used.
pub(super) struct Dialled {
    pub(super) live: Arc<Live>,
    pub(super) events: Events,
    pub(super) lifetime: Duration,
    /// Who has come to watched rooms, and gone from them, since the socket before.
    pub(super) news: Vec<Presence>,
    /// What could not be joined, and why.
    pub(super) refused: Vec<(Channel, Error)>,
    /// What is followed stays as it is until this socket has its place.
    pub(super) changes: OwnedMutexGuard<()>,
}

impl Shared {
    pub(super) fn new(options: SessionOptions) -> Self {
        let known = options.state.clone();
        let mut followed: BTreeMap<_, _> = known.0.keys().map(|channel| (channel.clone(), Start::Known)).collect();
        followed.extend(options.socket.follow.iter().cloned());
        Self {
            options,
            line: watch::channel(Line::Down).0,
            status: watch::channel(Status::Connecting).0,
            followed: Mutex::new(followed),
            watched: Mutex::default(),
            known: Mutex::new(known),
            membership: Arc::default(),
            lanes: Mutex::default(),
            stats: Mutex::default(),
        }
    }

    /// Another client takes the place of the one of the moment, or none does.
    pub(super) fn switch(&self, line: Line) {
        let mut stats = lock(&self.stats);
        let is_up = matches!(line, Line::Up(_));
        let before = self.line.send_replace(line);
        stats.connections += u64::from(is_up);
        if let Line::Up(before) = before {
            stats.moves += u64::from(is_up);
            stats.counters += before.client.total();
        }
    }

    /// Waits until the session is over.
    pub(super) fn over(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut line = self.line.subscribe();
        async move {
            // Fails only where the session is gone.
            let _ = line.wait_for(|line| matches!(line, Line::Over(_))).await;
        }
    }

    pub(super) fn stats(&self) -> Stats {
        // Held until the end, so that no socket is counted twice or not at all.
        let gone = lock(&self.stats);
        let mut stats = *gone;
        if let Some(live) = self.live_now() {
            stats.counters += live.client.total();
        }
        drop(gone);
        stats
    }

    pub(super) fn say(&self, status: Status) {
        self.status.send_if_modified(|now| {
            let is_news = *now != status;
            *now = status;
            is_news
        });
    }

    /// Whether the next try would fail as this one has. A token that is refused may be followed by a better one, unless it is fixed.
    pub(super) fn is_hopeless(&self, error: &Error) -> bool {
        match error {
            Error::InvalidUrl { .. } | Error::InvalidToken => true,
            Error::Refused { .. } => self.options.tokens.is_fixed && !error.is_retryable(),
            _ => false,
        }
    }

    /// How far it has come in what it follows.
    pub(super) fn state(&self) -> State {
        let mut state = self.live_now().map_or_else(|| lock(&self.known).clone(), |live| live.state());
        let followed = lock(&self.followed);
        state.0.retain(|channel, _| followed.contains_key(channel));
        state
    }

    /// A channel is followed and watched no longer.
    pub(super) fn forget(&self, channel: &Channel) {
        lock(&self.followed).remove(channel);
        if let Channel::Room(room) = channel {
            lock(&self.watched).remove(room);
        }
    }

    /// The client of the moment, if there is one.
    pub(super) fn live_now(&self) -> Option<Arc<Live>> {
        match &*self.line.borrow() {
            Line::Up(live) => Some(Arc::clone(live)),
            Line::Down | Line::Over(_) => None,
        }
    }

    /// Asks a socket again to be told who comes and goes in a room: what has changed, if anything has.
    pub(super) async fn watch_again(&self, client: &Client, room: &str) -> Result<Option<Presence>, Error> {
        match client.watch(room).await {
            Ok(now) => Ok(lock(&self.watched).get(room).and_then(|present| present.news(room, now))),
            Err(error) if error.is_retryable() => Err(error),
            Err(error) => {
                tracing::debug!(room, %error, "watched no longer");
                lock(&self.watched).remove(room);
                Ok(None)
            }
        }
    }

    /// The client of the moment, other than one that is of no use any more.
    pub(super) async fn live(&self, useless: Option<&Arc<Live>>) -> Result<Arc<Live>, Error> {
        let mut line = self.line.subscribe();
        let usable = line.wait_for(|line| match line {
            Line::Up(live) => useless.is_none_or(|useless| !Arc::ptr_eq(live, useless)),
            Line::Down => false,
            Line::Over(_) => true,
        });
        match usable.await.map(|line| line.clone()) {
            Ok(Line::Up(live)) => Ok(live),
            Ok(Line::Over(why)) => Err(Error::Ended(why)),
            Ok(Line::Down) | Err(_) => Err(Error::Ended("its task is gone".to_owned())),
        }
    }

    /// Does something on a socket; on the next one, if this one ends, and again, if what failed may pass.
    pub(super) async fn try_until<T, F>(&self, act: impl Fn(Arc<Live>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut useless = None;
        let mut failures = 0;
        loop {
            let live = self.live(useless.as_ref()).await?;
            match act(Arc::clone(&live)).await {
                Err(error) if error.is_retryable() => useless = self.after(&error, live, &mut failures).await,
                outcome => return outcome,
            }
        }
    }

    /// As [`Shared::try_until`], while nobody else changes what is followed, and nothing takes the socket's place.
    pub(super) async fn change<T, F>(&self, act: impl Fn(Arc<Live>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let act = &act;
        self.try_until(|live| async move {
            let _changes = self.membership.lock().await;
            if self.live_now().is_none_or(|now| !Arc::ptr_eq(&now, &live)) {
                return Err(Error::Closed(CloseReason::Lost("another socket takes its place".to_owned())));
            }
            act(live).await
        })
        .await
    }

    /// Joins a channel, by `act`, and follows it from here on, also if an answer is lost.
    pub(super) async fn follow<T, F>(
        &self,
        channel: &Channel,
        start: Start,
        act: impl Fn(Arc<Live>, Start) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let (is_retry, is_new) = (AtomicBool::new(false), AtomicBool::new(false));
        let (act, start, is_retry, is_new) = (&act, &start, &is_retry, &is_new);
        self.change(|live| async move {
            // Later tries go on from what the first one has brought.
            let start = if is_retry.swap(true, Ordering::Relaxed) { &Start::Known } else { start };
            if *start != Start::Known {
                // What was handed out before may come once more.
                lock(&live.floor).0.remove(channel);
            }
            let was_followed = {
                let mut followed = lock(&self.followed);
                let was_followed = followed.contains_key(channel);
                if !was_followed || *start != Start::Known {
                    followed.insert(channel.clone(), start.clone());
                }
                was_followed
            };
            is_new.fetch_or(!was_followed, Ordering::Relaxed);
            let outcome = act(Arc::clone(&live), start.clone()).await;
            match &outcome {
                // The word that an earlier stay is over may have ended this one meanwhile.
                Ok(_) if live.client.is_following(channel) => {
                    lock(&self.followed).entry(channel.clone()).or_insert(Start::Known);
                }
                Ok(_) => {}
                Err(error) if error.is_retryable() || !is_new.load(Ordering::Relaxed) => {}
                Err(_) => self.forget(channel),
            }
            outcome
        })
        .await
    }

    /// What follows from a failure that may pass: a pause, or that this socket is of no use any more.
    async fn after(&self, error: &Error, live: Arc<Live>, failures: &mut u32) -> Option<Arc<Live>> {
        match error {
            Error::Closed(_) => Some(live),
            Error::Timeout { .. } => {
                live.client.give_up("a question was not answered").await;
                Some(live)
            }
            _ => {
                drop(live);
                sleep(self.options.pause(*failures)).await;
                *failures = failures.saturating_add(1);
                None
            }
        }
    }

    /// Opens a socket, and joins what is followed. What can't be joined any more is followed no longer, and its client says so.
    pub(super) async fn dial(&self) -> Result<Dialled, Error> {
        let changes = Arc::clone(&self.membership).lock_owned().await;
        let mut options = self.options.socket.clone();
        let fetching = timeout(options.connection.connect_timeout, (self.options.tokens.fetch)());
        let token = match fetching.await {
            Ok(token) => token.map_err(Error::Token)?,
            Err(_) => return Err(Error::Timeout { action: "token", after: options.connection.connect_timeout }),
        };
        let lifetime = self.options.lifetime(&token);
        options.connection.token = Some(token);
        let State(mut positions) = self.state();
        options.follow = lock(&self.followed)
            .iter()
            .map(|(channel, start)| {
                let known = positions.remove(channel).map(Start::After);
                (channel.clone(), known.unwrap_or_else(|| start.clone()))
            })
            .collect();
        let (client, events, follow) = Client::open(options).await?;
        let was_offline = matches!(*self.status.borrow(), Status::Offline(_));
        if was_offline {
            self.say(Status::Recovering);
        }
        let mut refused = Vec::new();
        for (channel, joined) in client.follow(follow).await {
            match joined {
                Ok(_) => {}
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => refused.push((channel, error)),
            }
        }
        let watched: Vec<String> = lock(&self.watched).keys().cloned().collect();
        let mut news = Vec::new();
        for room in watched {
            news.extend(self.watch_again(&client, &room).await?);
        }
        Ok(Dialled {
            news,
            refused,
            live: Arc::new(Live { client, owed: AtomicUsize::new(0), floor: Mutex::default() }),
            events,
            lifetime,
            changes,
        })
    }
}

/// Sends a message until it is known what became of it, always with the same id.
pub(super) async fn send(
    shared: Arc<Shared>,
    channel: Channel,
    request: Request,
    id: String,
) -> Result<Accepted, Error> {
    let lane = {
        let mut lanes = lock(&shared.lanes);
        lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        Arc::clone(lanes.entry(channel.clone()).or_default())
    };
    let _turn = lane.lock().await;
    let (mut useless, mut failures, mut rejoins) = (None, 0, 0);
    let mut doubt_since: Option<Instant> = None;
    loop {
        let live = shared.live(useless.as_ref()).await?;
        if let Some(since) = doubt_since {
            if since.elapsed() > SAME_ID {
                return Err(Error::InDoubt { id });
            }
            lock(&shared.stats).resent += 1;
        }
        let sent_at = Instant::now();
        let owes_receipt = usize::from(request.wants_receipt());
        live.owed.fetch_add(owes_receipt, Ordering::Relaxed);
        let error = match live.client.send(&channel, &request).await {
            Ok(accepted) => return Ok(accepted),
            Err(error) => error,
        };
        live.owed.fetch_sub(owes_receipt, Ordering::Relaxed);
        if matches!(error, Error::Closed(_) | Error::Timeout { .. }) {
            doubt_since.get_or_insert(sent_at);
        }
        let is_forgotten = matches!(&error, Error::Server(error) if error.code == ServerError::NOT_A_MEMBER)
            && lock(&shared.followed).contains_key(&channel);
        if is_forgotten && rejoins < MAX_REJOINS {
            rejoins += 1;
            match live.client.rejoin(channel.clone()).await {
                Ok(true) => continue,
                Ok(false) => return Err(error),
                Err(error) if error.is_retryable() => {
                    useless = shared.after(&error, live, &mut failures).await;
                    continue;
                }
                Err(error) => return Err(error),
            }
        }
        if !error.is_retryable() {
            return Err(error);
        }
        useless = shared.after(&error, live, &mut failures).await;
    }
}
