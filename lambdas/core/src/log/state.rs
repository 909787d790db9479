//! A channel's item: the two ends of its log, its shards, and its lease.

use std::time::Duration;

use super::lease::Lease;
use crate::wire::id::Epoch;
use crate::wire::message::Seq;
use crate::wire::time::Timestamp;

/// A channel's item: its log's ends, and who broadcasts it.
///
/// INVARIANT: `sent <= head`; the log holds every message from 1 to `head` that retention has not passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelState {
    /// The life of the log.
    pub epoch: Epoch,
    /// The newest message.
    pub head: Seq,
    /// The newest message that was posted to all members.
    pub sent: Seq,
    /// How many shards its members are spread over.
    pub shards: u32,
    /// The lease of its broadcast; it may have expired.
    pub lease: Option<Lease>,
    /// When the head moved last.
    pub moved_at: Timestamp,
    /// Whether it is a room that was closed: nobody can join it.
    pub closed: bool,
}

/// Unsent messages without an owner count as stalled after this time, which is longer than a delivery takes.
const STALLED_AFTER: Duration = Duration::from_secs(30);

impl ChannelState {
    /// A channel that was never used.
    #[must_use]
    pub const fn new(epoch: Epoch) -> Self {
        Self { epoch, head: Seq::ZERO, sent: Seq::ZERO, shards: 1, lease: None, moved_at: Timestamp(0), closed: false }
    }

    /// Whether messages are unsent and their sender appears to have crashed.
    #[must_use]
    pub fn is_stalled(&self, now: Timestamp) -> bool {
        self.sent < self.head && self.live_lease(now).is_none() && now.since(self.moved_at) >= STALLED_AFTER
    }

    /// The lease, where it still counts.
    #[must_use]
    pub fn live_lease(&self, now: Timestamp) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.is_live(now))
    }
}
