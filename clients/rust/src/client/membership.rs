//! Joining and leaving channels, and closing gaps.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::sleep;

use super::channels::Channels;
use super::{JoinOutcome, State, lock, unexpected};
use crate::channel::Channel;
use crate::channel_state::Start;
use crate::connection::Connection;
use crate::error::Error;
use crate::frames::{Left, Pong, Request, ServerFrame};

/// The most channels that a ping may ask about.
const MAX_SEEN: usize = 100;
/// The pause after a first failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The locks of the channels, each made when it is first asked for.
type Locks = BTreeMap<(Channel, ChannelLock), Arc<AsyncMutex<()>>>;

/// The part of a client that its calls and its tasks share.
pub(super) struct Shared {
    pub(super) connection: Connection,
    pub(super) user: String,
    pub(super) channels: Arc<Mutex<Channels>>,
    /// The locks that somebody holds or waits for.
    locks: Mutex<Locks>,
}

/// The operations that run one at a time on each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ChannelLock {
    /// Joining and leaving.
    Membership,
    /// Sending messages.
    Publishing,
}

impl Shared {
    pub(super) fn new(connection: Connection, user: String, channels: Arc<Mutex<Channels>>) -> Self {
        Self { connection, user, channels, locks: Mutex::new(BTreeMap::new()) }
    }

    /// Waits for a channel's lock. Callers get it in the order in which they ask.
    pub(super) async fn lock_channel(&self, channel: &Channel, kind: ChannelLock) -> OwnedMutexGuard<()> {
        let gate = {
            let mut locks = lock(&self.locks);
            locks.retain(|_, gate| Arc::strong_count(gate) > 1);
            Arc::clone(locks.entry((channel.clone(), kind)).or_default())
        };
        gate.lock_owned().await
    }

    /// Asks about the channels of `state`, up to the limit of a ping, and joins again those in which messages are missing.
    pub(super) async fn ping(self: &Arc<Self>, state: State) -> Result<Pong, Error> {
        let request = Request::Ping { seen: random_entries(state.0, MAX_SEEN) };
        match self.connection.request(&request).await?.frame {
            ServerFrame::Pong(pong) => {
                for channel in &pong.rejoin {
                    tokio::spawn(rejoin(Arc::clone(self), channel.clone()));
                }
                Ok(pong)
            }
            other => Err(unexpected(&request, &other)),
        }
    }

    /// Joins until no message is missing. The caller holds the membership lock and is the channel's joiner.
    async fn catch_up(&self, channel: &Channel, start: Start, presence: Option<bool>) -> Result<JoinOutcome, Error> {
        let mut outcome = JoinOutcome::default();
        let mut request = lock(&self.channels).begin_join(channel, start, presence);
        loop {
            let answer = self.connection.request(&request).await.and_then(|received| match received.frame {
                ServerFrame::Joined(joined) => Ok((joined, received.at)),
                other => Err(unexpected(&request, &other)),
            });
            let (joined, at) = match answer {
                Ok(answer) => answer,
                Err(error) => {
                    lock(&self.channels).join_failed(channel);
                    return Err(error);
                }
            };
            outcome.messages += joined.messages.len();
            outcome.recovered = if outcome.recovered == Some(false) { outcome.recovered } else { joined.recovered };
            outcome.head = joined.head;
            outcome.epoch.clone_from(&joined.epoch);
            outcome.presence = outcome.presence.or_else(|| joined.presence.clone());
            let Some(step) = lock(&self.channels).joined(channel, joined, at)? else {
                return Err(self.leave_after_expulsion(channel).await);
            };
            if !step.needs_join {
                return Ok(outcome);
            }
            if step.idle_joins > 0 {
                sleep(FIRST_PAUSE * step.idle_joins).await;
            }
            request = lock(&self.channels).begin_join(channel, Start::Known, None);
        }
    }

    /// Leaves a room whose join was answered after the user was expelled. The server may have done the two in either order.
    async fn leave_after_expulsion(&self, channel: &Channel) -> Error {
        if let Channel::Room(room) = channel
            && let Err(error) = self.connection.request(&Request::Leave { room: room.clone() }).await
        {
            tracing::debug!(room, %error, "the room could not be left again");
        }
        Error::Expelled(channel.clone())
    }

    /// Joins a channel. The caller holds its membership lock.
    async fn join_locked(
        self: &Arc<Self>,
        channel: &Channel,
        start: Start,
        presence: Option<bool>,
    ) -> Result<JoinOutcome, Error> {
        let was_following = {
            let mut channels = lock(&self.channels);
            channels.add_joiner(channel);
            channels.is_following(channel)
        };
        let outcome = self.catch_up(channel, start, presence).await;
        if !was_following && outcome.as_ref().is_err_and(|error| !error.is_retryable()) {
            lock(&self.channels).unfollow(channel);
        }
        self.hand_over(channel);
        outcome
    }

    /// Ends the caller's part as the joiner. If messages have come to be missing meanwhile, a task takes over.
    fn hand_over(self: &Arc<Self>, channel: &Channel) {
        if lock(&self.channels).needs_joiner(channel) {
            tokio::spawn(close_gap(Arc::clone(self), channel.clone()));
        }
    }
}

/// Random entries of a map, at most `most`.
fn random_entries<K: Ord, V>(entries: BTreeMap<K, V>, most: usize) -> BTreeMap<K, V> {
    let mut entries: Vec<(K, V)> = entries.into_iter().collect();
    fastrand::shuffle(&mut entries);
    entries.into_iter().take(most).collect()
}

/// Joins a channel and returns when no message is missing. `presence` says whether to get presence frames from now on.
pub(super) async fn join(
    shared: Arc<Shared>,
    channel: Channel,
    start: Start,
    presence: Option<bool>,
) -> Result<JoinOutcome, Error> {
    let _lock = shared.lock_channel(&channel, ChannelLock::Membership).await;
    if presence == Some(true) {
        lock(&shared.channels).begin_presence(&channel);
    }
    let outcome = shared.join_locked(&channel, start, presence).await;
    let mut channels = lock(&shared.channels);
    match (&outcome, presence) {
        (Ok(outcome), Some(true)) => channels.set_presence(&channel, outcome.presence.clone().unwrap_or_default()),
        (Ok(_), Some(false)) => channels.end_presence(&channel),
        (Err(error), Some(true)) if !error.is_retryable() => channels.end_presence(&channel),
        _ => {}
    }
    drop(channels);
    outcome
}

/// Leaves a room.
pub(super) async fn leave(shared: Arc<Shared>, room: String) -> Result<Left, Error> {
    let _lock = shared.lock_channel(&Channel::room(&room), ChannelLock::Membership).await;
    let request = Request::Leave { room };
    match shared.connection.request(&request).await?.frame {
        ServerFrame::Left(left) => {
            lock(&shared.channels).left(left.clone())?;
            Ok(left)
        }
        other => Err(unexpected(&request, &other)),
    }
}

/// Joins a channel again from its position, and asks for presence again if the client had asked before: a server that has forgotten
/// the membership has forgotten that as well. Returns `false` if the channel was left meanwhile.
pub(super) async fn rejoin(shared: Arc<Shared>, channel: Channel) -> Result<bool, Error> {
    let _lock = shared.lock_channel(&channel, ChannelLock::Membership).await;
    let presence = {
        let channels = lock(&shared.channels);
        if !channels.is_following(&channel) {
            return Ok(false);
        }
        channels.is_watched(&channel).then_some(true)
    };
    let outcome = shared.join_locked(&channel, Start::Known, presence).await?;
    if let Some(now) = outcome.presence {
        lock(&shared.channels).refresh_presence(&channel, now);
    }
    Ok(true)
}

/// Fetches the missing messages of a channel, and tries again until it succeeds, the channel is lost or the connection ends.
pub(super) async fn close_gap(shared: Arc<Shared>, channel: Channel) {
    let mut pause = FIRST_PAUSE;
    loop {
        // The lock is released between two tries, so that the application can leave the channel.
        let guard = shared.lock_channel(&channel, ChannelLock::Membership).await;
        if !lock(&shared.channels).needs_joiner(&channel) {
            return;
        }
        match shared.catch_up(&channel, Start::Known, None).await {
            Ok(_) => {
                pause = FIRST_PAUSE;
                continue;
            }
            Err(Error::Closed(_)) => return,
            Err(error) if error.is_retryable() => {
                tracing::debug!(%channel, %error, "a gap could not be closed yet");
            }
            Err(error) => {
                lock(&shared.channels).give_up(&channel, error);
                return;
            }
        }
        drop(guard);
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}
