//! The rules' ports: the store in memory and the recording ports, of which each effect may go wrong.

use std::ops::Range;
use std::time::Duration;

use hubbub_core::channel::Channel;
use hubbub_core::envelope::Envelope;
use hubbub_core::frame::Frame;
use hubbub_core::id::{ConnectionId, Epoch, LeaseId, MessageId, SenderId, UserId};
use hubbub_core::lease::Lease;
use hubbub_core::limit::Turn;
use hubbub_core::member::{Connection, Shard};
use hubbub_core::memory::MemoryStore;
use hubbub_core::message::{Message, Seq};
use hubbub_core::metrics::Metric;
use hubbub_core::order::Order;
use hubbub_core::outcome::Outcome;
use hubbub_core::ports::{
    Announced, Append, Appended, Bans, Broadcasts, ChannelState, Clock, Count, DeadLetter, DeadLetters, Ids, Limits,
    Log, MemberPage, Members, Meter, PortError, PortResult, Poster, Presences, PublishQueue, ReadLimit, Receipts, Roll,
    Senders,
};
use hubbub_core::protocol::Receipt;
use hubbub_core::rate::Rate;
use hubbub_core::testing::{Recorder, World};
use hubbub_core::time::Timestamp;

use crate::faults::{Fault, Faults};

/// All ports. Clones share their content.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The store, where nothing goes wrong.
    pub store: MemoryStore,
    /// The queues, the state machine and the sockets.
    pub recorder: Recorder,
    /// Time and fresh ids.
    pub world: World,
    /// Which effects go wrong.
    pub faults: Faults,
}

impl Ports {
    async fn effect<T>(&self, operation: &'static str, work: impl Future<Output = PortResult<T>>) -> PortResult<T> {
        let error = |detail: &str| Err(PortError { operation, detail: detail.to_owned(), retryable: true });
        match self.faults.next(operation) {
            None => work.await,
            Some(Fault::Refused) => error("refused"),
            Some(Fault::Lost) => {
                work.await?;
                error("the answer is lost")
            }
        }
    }
}

/// Each is the effect of one part, under its own name.
macro_rules! effects {
    ($part:ident: $($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(async fn $name(&self, $($argument: $type),*) -> PortResult<$result> {
            self.effect(stringify!($name), self.$part.$name($($argument),*)).await
        })*
    };
}

impl Log for Ports {
    effects! {
        store:
        state(channel: &Channel) -> Option<ChannelState>;
        open(channel: &Channel, epoch: &Epoch) -> ChannelState;
        append(channel: &Channel, append: &Append<'_>) -> Appended;
        read(channel: &Channel, epoch: &Epoch, after: Seq, limit: ReadLimit, now: Timestamp) -> Vec<Message>;
        read_back(channel: &Channel, epoch: &Epoch, before: Seq, limit: ReadLimit, now: Timestamp) -> Vec<Message>;
        redact(channel: &Channel, epoch: &Epoch, seq: Seq) -> bool;
        set_closed(channel: &Channel, closed: bool) -> ();
        settle(channel: &Channel, epoch: &Epoch, to: Seq) -> ();
        take_lease(channel: &Channel, lease: &Lease, now: Timestamp) -> bool;
        replace_lease(channel: &Channel, held: &LeaseId, next: &Lease) -> bool;
        release_lease(channel: &Channel, held: &LeaseId) -> bool;
    }
}

impl Members for Ports {
    effects! {
        store:
        put_connection(connection: &Connection) -> ();
        connection(id: &ConnectionId, now: Timestamp) -> Option<Connection>;
        remove_connection(id: &ConnectionId) -> ();
        put_membership(connection: &Connection, channel: &Channel, shard: Shard) -> Shard;
        membership(id: &ConnectionId, channel: &Channel) -> Option<Shard>;
        memberships(id: &ConnectionId) -> Vec<(Channel, Shard)>;
        remove_membership(id: &ConnectionId, channel: &Channel) -> ();
        put_member(channel: &Channel, shard: Shard, member: &Connection) -> bool;
        remove_member(channel: &Channel, shard: Shard, id: &ConnectionId) -> bool;
        add_to_count(channel: &Channel, shard: Shard, difference: i64) -> Count;
        correct_count(channel: &Channel, shard: Shard, count: u64, counted: u64) -> ();
        counts(channel: &Channel, shards: u32) -> Vec<u64>;
        grow(channel: &Channel, from: u32, to: u32) -> ();
        member_page(
            channel: &Channel, shard: Shard, after: Option<&ConnectionId>, limit: usize, now: Timestamp
        ) -> MemberPage;
    }
}

impl Receipts for Ports {
    effects! {
        store:
        put_receipt(from: &UserId, receipt: &Receipt, expires: Timestamp) -> ();
        receipt(channel: &Channel, from: &UserId, id: &MessageId, now: Timestamp) -> Option<Receipt>;
    }
}

impl Bans for Ports {
    effects! {
        store:
        put_ban(user: &UserId, channel: &Channel, until: Timestamp) -> ();
        remove_ban(user: &UserId, channel: &Channel) -> ();
        ban(user: &UserId, channel: &Channel, now: Timestamp) -> Option<Timestamp>;
    }
}

impl Limits for Ports {
    effects! {
        store:
        take_turn(user: &UserId, turn: Turn) -> Result<(), Duration>;
        take_posts(second: u64, posts: u64, most: u64) -> bool;
    }
}

impl Presences for Ports {
    effects! {
        store:
        put_watcher(channel: &Channel, watcher: &Connection) -> ();
        watch_shards(channel: &Channel, shards: Range<Shard>, until: Timestamp) -> ();
        remove_watcher(channel: &Channel, id: &ConnectionId) -> ();
        claim_announcement(channel: &Channel, due: Timestamp, stale: Timestamp) -> bool;
        request_announcement(channel: &Channel, due: Timestamp) -> ();
        begin_announcement(channel: &Channel) -> ();
        roll(channel: &Channel, now: Timestamp) -> Roll;
        put_announced(channel: &Channel, last: Option<Timestamp>, announced: &Announced) -> bool;
    }
}

impl Senders for Ports {
    effects! {
        store:
        at_work(sender: &SenderId, until: Timestamp, now: Timestamp) -> u32;
        at_rest(sender: &SenderId) -> ();
        is_any_at_work(now: Timestamp) -> bool;
    }
}

impl PublishQueue for Ports {
    effects! {
        recorder:
        enqueue(envelope: &Envelope) -> ();
        order(order: &Order, id: &str) -> ();
        wake(channel: &Channel, reason: &str) -> ();
    }
}

impl DeadLetters for Ports {
    effects! {
        recorder:
        bury(letter: &DeadLetter) -> ();
    }
}

impl Broadcasts for Ports {
    effects! {
        recorder:
        start(channel: &Channel, lease: &LeaseId) -> ();
    }
}

impl Poster for Ports {
    async fn post(&self, frames: &[Frame], connections: &[ConnectionId]) -> Vec<Outcome> {
        self.recorder.post(frames, connections).await
    }

    async fn try_post(&self, frame: &Frame, connections: &[ConnectionId]) -> Vec<Outcome> {
        self.recorder.try_post(frame, connections).await
    }

    fn limit(&self, rate: Rate) {
        self.recorder.limit(rate);
    }

    async fn close(&self, connection: &ConnectionId, farewell: &Frame) {
        self.recorder.close(connection, farewell).await;
    }
}

impl Clock for Ports {
    fn now(&self) -> Timestamp {
        self.world.now()
    }
}

impl Ids for Ports {
    fn fresh(&self) -> String {
        self.world.fresh()
    }
}

impl Meter for Ports {
    fn record(&self, metric: Metric, value: u64) {
        self.world.record(metric, value);
    }
}
