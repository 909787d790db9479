//! What a session's calls and its keeper share: the client of the moment, and what is followed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::{sleep, timeout};

use super::{SessionOptions, Status};
use crate::channel::Channel;
use crate::client::{Client, Events, State, lock};
use crate::error::Error;
use crate::frames::{Accepted, Presence, Present, Request, ServerError};
use crate::state::Start;

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
    /// Whoever changes what is followed, or makes a new socket follow it.
    pub(super) membership: AsyncMutex<()>,
    /// Messages to one channel go one after the other, across sockets.
    pub(super) lanes: Mutex<BTreeMap<Channel, Arc<AsyncMutex<()>>>>,
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
}

impl Shared {
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

    pub(super) fn state(&self) -> State {
        let line = self.line.borrow().clone();
        let state = match line {
            Line::Up(live) => live.client.state(),
            Line::Down | Line::Over(_) => lock(&self.known).clone(),
        };
        self.only_followed(state)
    }

    /// A channel is followed and watched no longer.
    pub(super) fn forget(&self, channel: &Channel) {
        lock(&self.followed).remove(channel);
        if let Channel::Room(room) = channel {
            lock(&self.watched).remove(room);
        }
    }

    pub(super) fn only_followed(&self, State(mut positions): State) -> State {
        let followed = lock(&self.followed);
        positions.retain(|channel, _| followed.contains_key(channel));
        State(positions)
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
    pub(super) async fn dial(&self, state: State) -> Result<Dialled, Error> {
        let _changes = self.membership.lock().await;
        let mut options = self.options.socket.clone();
        let fetching = timeout(options.connection.connect_timeout, (self.options.tokens.fetch)());
        let token = match fetching.await {
            Ok(token) => token.map_err(Error::Token)?,
            Err(_) => return Err(Error::Timeout { action: "token", after: options.connection.connect_timeout }),
        };
        let lifetime = self.options.lifetime(&token);
        options.connection.token = Some(token);
        let State(mut positions) = state;
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
        for (channel, joined) in client.follow(follow).await {
            match joined {
                Ok(_) => {}
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => {
                    self.forget(&channel);
                    client.drop_channel(&channel, error);
                }
            }
        }
        let watched: Vec<String> = lock(&self.watched).keys().cloned().collect();
        let mut news = Vec::new();
        for room in watched {
            news.extend(self.watch_again(&client, &room).await?);
        }
        Ok(Dialled {
            news,
            live: Arc::new(Live { client, owed: AtomicUsize::new(0), floor: Mutex::default() }),
            events,
            lifetime,
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
        if doubt_since.is_some_and(|since| since.elapsed() > SAME_ID) {
            return Err(Error::InDoubt { id });
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
            match live.client.join(channel.clone(), Start::Known).await {
                Ok(_) => continue,
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
