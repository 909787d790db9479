//! The state that a session's calls and its task share: the current socket, and the channels to follow.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Mutex as AsyncMutex, watch};

use super::{SessionOptions, Status};
use crate::channel::Channel;
use crate::channel_state::{Counters, Start};
use crate::client::{Client, State, lock};
use crate::error::Error;
use crate::frames::RoomPresence;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: SessionOptions,
    pub(super) connectivity: watch::Sender<Connectivity>,
    pub(super) status: watch::Sender<Status>,
    /// The channels to follow, and where to begin with those that have no position yet.
    pub(super) followed: Mutex<BTreeMap<Channel, Start>>,
    /// The watched rooms, and the users in each.
    pub(super) watched: Mutex<BTreeMap<String, RoomPresence>>,
    /// The position in each channel, while there is no socket.
    pub(super) offline_positions: Mutex<State>,
    /// Held while the followed channels change, and from the opening of a new socket until it is the current one.
    pub(super) membership: Arc<AsyncMutex<()>>,
    /// Messages to one channel are sent one after the other, across sockets.
    pub(super) publish_locks: Mutex<BTreeMap<Channel, Arc<AsyncMutex<()>>>>,
    /// Without the counters of the current socket.
    stats: Mutex<Stats>,
}

/// Counts of what a session has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sockets that were used.
    pub connections: u64,
    /// Sockets that replaced one that still worked.
    pub moves: u64,
    /// Messages that were sent again because their answer was lost.
    pub resent: u64,
    /// Counts for all channels, over all sockets.
    pub counters: Counters,
}

/// Whether a session has a socket.
#[derive(Clone, Debug)]
pub(super) enum Connectivity {
    Offline,
    Online(Arc<LiveClient>),
    /// The session has ended, for this reason.
    Ended(String),
}

/// A client in use. Each call that uses it holds a reference, so that it is not closed during the call.
#[derive(Debug)]
pub(super) struct LiveClient {
    pub(super) client: Client,
    /// Receipts that come on this socket or never.
    pub(super) pending_receipts: AtomicUsize,
    /// The positions that the old socket had handed out when this one replaced it. Both sockets bring the messages around a move.
    pub(super) handed_out: Mutex<State>,
}

impl LiveClient {
    pub(super) fn new(client: Client) -> Self {
        Self { client, pending_receipts: AtomicUsize::new(0), handed_out: Mutex::default() }
    }

    /// The positions that the application has reached. The old socket may have handed out messages that this one has not read yet.
    pub(super) fn positions(&self) -> State {
        let mut state = self.client.state();
        for (channel, handed_out) in &lock(&self.handed_out).0 {
            if let Some(position) = state.0.get_mut(channel)
                && position.epoch == handed_out.epoch
            {
                position.seq = position.seq.max(handed_out.seq);
            }
        }
        state
    }

    pub(super) fn receipt_arrived(&self) {
        let decremented = |count: usize| Some(count.saturating_sub(1));
        // Never fails, as there always is a next number.
        let _ = self.pending_receipts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, decremented);
    }
}

impl Shared {
    pub(super) fn new(options: SessionOptions) -> Self {
        let positions = options.state.clone();
        let mut followed: BTreeMap<_, _> = positions.0.keys().map(|channel| (channel.clone(), Start::Known)).collect();
        followed.extend(options.socket.follow.iter().cloned());
        Self {
            options,
            connectivity: watch::channel(Connectivity::Offline).0,
            status: watch::channel(Status::Connecting).0,
            followed: Mutex::new(followed),
            watched: Mutex::default(),
            offline_positions: Mutex::new(positions),
            membership: Arc::default(),
            publish_locks: Mutex::default(),
            stats: Mutex::default(),
        }
    }

    pub(super) fn set_connectivity(&self, connectivity: Connectivity) {
        let mut stats = lock(&self.stats);
        let is_online = matches!(connectivity, Connectivity::Online(_));
        let before = self.connectivity.send_replace(connectivity);
        stats.connections += u64::from(is_online);
        if let Connectivity::Online(before) = before {
            stats.moves += u64::from(is_online);
            stats.counters += before.client.total();
        }
    }

    /// Waits until the session has ended.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut connectivity = self.connectivity.subscribe();
        async move {
            // Fails only if the session is dropped.
            let _ = connectivity.wait_for(|connectivity| matches!(connectivity, Connectivity::Ended(_))).await;
        }
    }

    pub(super) fn stats(&self) -> Stats {
        // The lock is held until the end, so that each socket is counted once.
        let past = lock(&self.stats);
        let mut stats = *past;
        if let Some(live) = self.current() {
            stats.counters += live.client.total();
        }
        drop(past);
        stats
    }

    pub(super) fn count_resent(&self) {
        lock(&self.stats).resent += 1;
    }

    pub(super) fn set_status(&self, status: Status) {
        self.status.send_if_modified(|now| {
            let has_changed = *now != status;
            *now = status;
            has_changed
        });
    }

    /// Whether connecting again would fail in the same way. A refused token is fatal only if the session has no other.
    pub(super) fn is_fatal(&self, error: &Error) -> bool {
        match error {
            Error::InvalidUrl { .. } | Error::InvalidToken => true,
            Error::Refused { .. } => self.options.tokens.is_fixed && !error.is_retryable(),
            _ => false,
        }
    }

    /// The position in each followed channel.
    pub(super) fn positions(&self) -> State {
        let state = self.current().map_or_else(|| lock(&self.offline_positions).clone(), |live| live.positions());
        self.only_followed(state)
    }

    fn only_followed(&self, mut state: State) -> State {
        let followed = lock(&self.followed);
        state.0.retain(|channel, _| followed.contains_key(channel));
        state
    }

    /// Keeps the positions of a socket that is gone.
    pub(super) fn save_positions(&self, live: &LiveClient) {
        let mut positions = lock(&self.offline_positions);
        *positions = self.only_followed(live.positions());
    }

    /// Keeps the position in one channel of a socket that may be gone.
    pub(super) fn save_position(&self, live: &LiveClient, channel: &Channel) {
        let position = live.positions().0.remove(channel);
        let mut positions = lock(&self.offline_positions);
        match position {
            Some(position) => positions.0.insert(channel.clone(), position),
            None => positions.0.remove(channel),
        };
    }

    /// Stops following and watching a channel.
    pub(super) fn unfollow(&self, channel: &Channel) {
        lock(&self.followed).remove(channel);
        if let Channel::Room(room) = channel {
            lock(&self.watched).remove(room);
        }
    }

    /// The current client, if the session is online.
    pub(super) fn current(&self) -> Option<Arc<LiveClient>> {
        match &*self.connectivity.borrow() {
            Connectivity::Online(live) => Some(Arc::clone(live)),
            Connectivity::Offline | Connectivity::Ended(_) => None,
        }
    }

    pub(super) fn is_current(&self, live: &Arc<LiveClient>) -> bool {
        self.current().is_some_and(|current| Arc::ptr_eq(&current, live))
    }
}
