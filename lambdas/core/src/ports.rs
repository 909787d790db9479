//! Ports: what the rules need from outside. `hubbub-aws` implements them on AWS, [`hubbub_testkit::memory`] in memory, and
//! [`hubbub_testkit::store_suite`] says by tests what every implementation must do.
//!
//! Each method is one effect: it happens whole or not at all, and whoever calls it may die before or after. What must hold across
//! several of them is the rules' business.
#![expect(
    async_fn_in_trait,
    reason = "callers are generic over concrete ports, so that the compiler sees for itself which futures are Send"
)]

use std::ops::Range;
use std::time::Duration;

use thiserror::Error;

use crate::delivery::outcome::Outcome;
use crate::limits::pace::Rate;
use crate::limits::turns::Turn;
use crate::log::lease::Lease;
use crate::log::state::ChannelState;
use crate::members::connection::Connection;
use crate::members::shard::Shard;
use crate::metrics::Metric;
use crate::wire::channel::Channel;
use crate::wire::command::ModerationCommand;
use crate::wire::dead_letter::DeadLetterReason;
use crate::wire::frame::Frame;
use crate::wire::id::{ConnectionId, Epoch, LeaseId, MessageId, SenderId, UserId};
use crate::wire::message::{Message, Seq};
use crate::wire::queue_message::Envelope;
use crate::wire::server_frame::Receipt;
use crate::wire::time::Timestamp;

/// A port's effect didn't happen, or it isn't known whether it did.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{operation} failed: {detail}")]
pub struct PortError {
    /// What was tried, in the words of the service that it was tried on.
    pub operation: &'static str,
    /// What the service or the network said.
    pub detail: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
}

impl PortError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl From<serde_json::Error> for PortError {
    /// A frame or a queue message that can't be written. No case is known: their fields are strings, numbers and JSON.
    fn from(error: serde_json::Error) -> Self {
        Self { operation: "write JSON", detail: error.to_string(), retryable: false }
    }
}

/// The result of a port's effect.
pub type PortResult<T> = Result<T, PortError>;

/// Whether an append took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The messages are in the log.
    Done,
    /// The head was not where the caller thought; nothing was written.
    HeadMoved,
}

/// Messages for a log.
#[derive(Clone, Copy, Debug)]
pub struct Append<'a> {
    /// The epoch that they belong to.
    pub epoch: &'a Epoch,
    /// Where the head must be.
    pub head: Seq,
    /// The messages, numbered from `head.next()` without holes.
    pub messages: &'a [Message],
    /// Now.
    pub now: Timestamp,
    /// When they end.
    pub expires: Timestamp,
}

/// How much of the log to read: whole messages, until one of the limits is reached. At least one message is read if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// At most so many messages.
    pub messages: usize,
    /// Stop after about so many bytes of bodies.
    pub bytes: usize,
}

/// A channel's log, its ends and its lease.
pub trait Log {
    /// The channel's item, as it is at this moment. One read unit.
    async fn state(&self, channel: &Channel) -> PortResult<Option<ChannelState>>;

    /// The channel's item, made with this epoch where there is none yet.
    async fn open(&self, channel: &Channel, epoch: &Epoch) -> PortResult<ChannelState>;

    /// Advances the head and writes the messages behind it, both or neither. Two write units and two more for each KiB of each message.
    async fn append(&self, channel: &Channel, append: &Append<'_>) -> PortResult<Appended>;

    /// The messages behind `after`, oldest first, as they are at this moment; none that has expired or is of another epoch.
    async fn read(
        &self,
        channel: &Channel,
        epoch: &Epoch,
        after: Seq,
        limit: ReadLimit,
        now: Timestamp,
    ) -> PortResult<Vec<Message>>;

    /// The messages before `before`, newest first; else as [`Log::read`].
    async fn read_back(
        &self,
        channel: &Channel,
        epoch: &Epoch,
        before: Seq,
        limit: ReadLimit,
        now: Timestamp,
    ) -> PortResult<Vec<Message>>;

    /// Removes a message's body for good, and leaves [`Content::Deleted`](crate::wire::message::Content::Deleted) in its place. Whether it is
    /// gone now: not where there is no such message in this epoch, or one that never had a body.
    async fn redact(&self, channel: &Channel, epoch: &Epoch, seq: Seq) -> PortResult<bool>;

    /// Notes that a channel is closed, or isn't any more. Does nothing to a channel that nobody has used.
    async fn set_closed(&self, channel: &Channel, closed: bool) -> PortResult<()>;

    /// Notes that every member was posted everything up to `to`. Never moves `sent` back; does nothing in another epoch, nor beyond the
    /// head.
    async fn settle(&self, channel: &Channel, epoch: &Epoch, to: Seq) -> PortResult<()>;

    /// Takes the lease if nobody holds one that counts at `now`. Whether it is held by this id now: a call that is repeated because its
    /// answer was lost says yes again.
    async fn take_lease(&self, channel: &Channel, lease: &Lease, now: Timestamp) -> PortResult<bool>;

    /// Puts `next` in the place of the lease `held`, if that is still the one. Whether `next` is the lease now: a call that is repeated
    /// because its answer was lost says yes again. To renew a lease is to put the same id with a later end.
    async fn replace_lease(&self, channel: &Channel, held: &LeaseId, next: &Lease) -> PortResult<bool>;

    /// Gives the lease back, only if it is still `held` **and** everything is sent. Whether it was given back.
    async fn release_lease(&self, channel: &Channel, held: &LeaseId) -> PortResult<bool>;
}

/// A part of a shard's members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberPage {
    /// The members whose rows have not expired.
    pub members: Vec<Connection>,
    /// The shard's count, in the part where it was met.
    pub count: Option<u64>,
    /// Where the next part begins; nothing behind the last.
    pub next: Option<ConnectionId>,
}

/// A shard's count, after it has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many members there are, about.
    pub members: u64,
    /// Whether somebody wants to know who comes and goes.
    pub watch: Option<Watch>,
}

/// That somebody wants to know who comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// When the last of them will have gone.
    pub until: Timestamp,
    /// When an announcement is due, if one is under way; only the first shard knows.
    pub due: Option<Timestamp>,
}

/// What was announced last of who is in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// When. Each announcement's moment is later than the one before.
    pub at: Timestamp,
    /// Whether they were too many.
    pub paused: bool,
    /// When it is forgotten.
    pub expires: Timestamp,
}

/// Who is to be told of a room's members, and what they were told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresenceSnapshot {
    /// What was announced last.
    pub announced: Option<Announced>,
    /// Who wants to be told.
    pub watchers: Vec<ConnectionId>,
}

/// Who wants to know who comes and goes.
pub trait Presences {
    /// Notes that a connection wants to be told. One write unit.
    async fn put_watcher(&self, channel: &Channel, watcher: &Connection) -> PortResult<()>;

    /// Notes with the counts of these shards that somebody wants to be told until then, or still later. A write unit for each shard.
    async fn watch_shards(&self, channel: &Channel, shards: Range<Shard>, until: Timestamp) -> PortResult<()>;

    /// Notes that a connection doesn't want to be told any more. One write unit.
    async fn remove_watcher(&self, channel: &Channel, id: &ConnectionId) -> PortResult<()>;

    /// Notes that an announcement is due at `due`, unless one is that was due after `stale`. Whether it is noted now. One write unit.
    async fn claim_announcement(&self, channel: &Channel, due: Timestamp, stale: Timestamp) -> PortResult<bool>;

    /// Has the room announced at `due`, which is [`ANNOUNCED_AFTER`](crate::presence::notice::ANNOUNCED_AFTER) from now. The same moment is the
    /// same request, and a room's announcements come one after the other.
    async fn request_announcement(&self, channel: &Channel, due: Timestamp) -> PortResult<()>;

    /// Notes that no announcement is due any more. One write unit.
    async fn begin_announcement(&self, channel: &Channel) -> PortResult<()>;

    /// Who is to be told, and what they were told last, as it is at this moment; at most a thousand, none that has expired at `now`. A read
    /// unit for each 4 KiB.
    async fn presence_snapshot(&self, channel: &Channel, now: Timestamp) -> PortResult<PresenceSnapshot>;

    /// Notes what was announced, if what was announced last is still of the moment `last`. Whether it is noted. A write unit for each KiB.
    async fn put_announced(
        &self,
        channel: &Channel,
        last: Option<Timestamp>,
        announced: &Announced,
    ) -> PortResult<bool>;
}

/// Connections, memberships and members.
pub trait Members: Presences {
    /// Records a connection.
    async fn put_connection(&self, connection: &Connection) -> PortResult<()>;

    /// A connection that was recorded, not removed, and has not expired at `now`.
    async fn connection(&self, id: &ConnectionId, now: Timestamp) -> PortResult<Option<Connection>>;

    /// Removes a connection's record, but not its memberships.
    async fn remove_connection(&self, id: &ConnectionId) -> PortResult<()>;

    /// Notes which shard of the channel the connection belongs to, unless one is noted already; the shard that is noted then.
    async fn put_membership(&self, connection: &Connection, channel: &Channel, shard: Shard) -> PortResult<Shard>;

    /// The shard of the channel that the connection belongs to, if it is a member.
    async fn membership(&self, id: &ConnectionId, channel: &Channel) -> PortResult<Option<Shard>>;

    /// All channels that the connection is a member of.
    async fn memberships(&self, id: &ConnectionId) -> PortResult<Vec<(Channel, Shard)>>;

    /// Removes the note of a membership.
    async fn remove_membership(&self, id: &ConnectionId, channel: &Channel) -> PortResult<()>;

    /// Writes a member's row. Whether it is a new one.
    async fn put_member(&self, channel: &Channel, shard: Shard, member: &Connection) -> PortResult<bool>;

    /// Removes a member's row. Whether there was one.
    async fn remove_member(&self, channel: &Channel, shard: Shard, id: &ConnectionId) -> PortResult<bool>;

    /// Adds to a shard's count, which never goes below zero; what it is then.
    async fn add_to_count(&self, channel: &Channel, shard: Shard, difference: i64) -> PortResult<Count>;

    /// Sets a shard's count to `counted`, if it is still `count`.
    async fn correct_count(&self, channel: &Channel, shard: Shard, count: u64, counted: u64) -> PortResult<()>;

    /// The counts of the shards from 0 to `shards`, each about right.
    async fn counts(&self, channel: &Channel, shards: u32) -> PortResult<Vec<u64>>;

    /// Sets the number of shards to `to`, if it is still `from`. Members that are there stay where they are.
    async fn grow(&self, channel: &Channel, from: u32, to: u32) -> PortResult<()>;

    /// The members of a shard behind `after`, in the order of their ids, at most `limit`, as they are at this moment. Every member
    /// whose row was written before the call and not removed is in one of the parts.
    async fn member_page(
        &self,
        channel: &Channel,
        shard: Shard,
        after: Option<&ConnectionId>,
        limit: usize,
        now: Timestamp,
    ) -> PortResult<MemberPage>;
}

/// The publish queue.
pub trait PublishQueue {
    /// Puts an envelope on the queue, in its channel's group. When this returns, the message is durable. The same envelope within
    /// five minutes is the same message.
    async fn enqueue(&self, envelope: &Envelope) -> PortResult<()>;

    /// Puts a moderation command on the queue, in its channel's group. The same `id` within five minutes is the same command.
    async fn command(&self, command: &ModerationCommand, id: &str) -> PortResult<()>;

    /// Puts a wake for a channel on the queue, in its group. `reason` is the same exactly when the wake is: the same within five
    /// minutes is one.
    async fn wake(&self, channel: &Channel, reason: &str) -> PortResult<()>;
}

/// Receipts, for those who asked.
pub trait Receipts {
    /// Writes what became of a sender's message; it ends at `expires`. Doing it again replaces it.
    async fn put_receipt(&self, from: &UserId, receipt: &Receipt, expires: Timestamp) -> PortResult<()>;

    /// What became of a sender's message, if it is known and has not expired at `now`.
    async fn receipt(
        &self,
        channel: &Channel,
        from: &UserId,
        id: &MessageId,
        now: Timestamp,
    ) -> PortResult<Option<Receipt>>;
}

/// A message that can never be delivered, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue's id of the message; the dead letter's deduplication id.
    pub queue_id: String,
    /// The message group that it came in.
    pub group: String,
    /// The body.
    pub body: String,
    /// A stable code.
    pub reason: DeadLetterReason,
    /// A sentence.
    pub detail: String,
    /// The ARN of the queue that it came from.
    pub source: String,
    /// When the queue took it.
    pub first_seen: Timestamp,
}

/// The dead-letter queue.
pub trait DeadLetters {
    /// Puts a message there. When this returns, it is durable.
    async fn bury(&self, letter: &DeadLetter) -> PortResult<()>;
}

/// The broadcast state machine.
pub trait Broadcasts {
    /// Starts the channel's broadcast under this lease. Starting one that was started before, running or not, does nothing.
    async fn start(&self, channel: &Channel, lease: &LeaseId) -> PortResult<()>;
}

/// Who may not come in. A ban holds in a room, or everywhere: it is then noted for the user's own channel.
pub trait Bans {
    /// Notes a ban, in the place of an older one.
    async fn put_ban(&self, user: &UserId, channel: &Channel, until: Timestamp) -> PortResult<()>;

    /// Takes a ban back.
    async fn remove_ban(&self, user: &UserId, channel: &Channel) -> PortResult<()>;

    /// The end of a ban that holds at `now`, as it is at this moment. One read unit.
    async fn ban(&self, user: &UserId, channel: &Channel, now: Timestamp) -> PortResult<Option<Timestamp>>;
}

/// What users have used up of their rate.
pub trait Limits {
    /// Takes a turn of the user's, if there is one; else how long to wait. One write unit, or two.
    async fn take_turn(&self, user: &UserId, turn: Turn) -> PortResult<Result<(), Duration>>;

    /// Takes so many of the posts that all signals of a second may make, of `most`; whether there were as many left. One write unit.
    async fn take_posts(&self, second: u64, posts: u64, most: u64) -> PortResult<bool>;
}

/// Which senders have a large fan-out under way, so that they can share the callback budget.
pub trait Senders {
    /// Notes that a sender has one under way until `until`, unless it says so again; how many senders have one at `now`, itself
    /// included. A write unit and one or two read units.
    async fn at_work(&self, sender: &SenderId, until: Timestamp, now: Timestamp) -> PortResult<u32>;

    /// Notes that a sender's fan-out is over. One write unit.
    async fn at_rest(&self, sender: &SenderId) -> PortResult<()>;

    /// Whether any sender has a large fan-out under way at `now`. One read unit.
    async fn is_any_at_work(&self, now: Timestamp) -> PortResult<bool>;
}

/// Posts to sockets.
pub trait Poster {
    /// Posts the frames, in their order, to each of the connections, as many at once as the poster's limit allows. One outcome for
    /// each connection, in their order. A connection's later frames are not tried when an earlier one failed. What happens to one
    /// connection changes nothing for the others, and no post takes longer than the poster's timeout.
    async fn post(&self, frames: &[Frame], connections: &[ConnectionId]) -> Vec<Outcome>;

    /// Posts a frame to each of the connections that the rate lets go at once, a single time: nothing waits for its turn, and nothing is
    /// tried again. One outcome for each connection, in their order; [`Outcome::Throttled`] for those that were left out.
    async fn try_post(&self, frame: &Frame, connections: &[ConnectionId]) -> Vec<Outcome>;

    /// From now on, posts leave at this rate at most.
    fn limit(&self, rate: Rate);

    /// Posts a last frame to a socket and closes it. Whatever goes wrong, the socket is as good as gone: at worst it stays open and is
    /// posted to no more.
    async fn close(&self, connection: &ConnectionId, farewell: &Frame);
}

/// Counts what the rules do, for operators.
pub trait Meter {
    /// Adds to a count, or a value to a distribution. It never fails and never waits; who dies before the measurements are written loses
    /// them, so that nothing may depend on them.
    fn record(&self, metric: Metric, value: u64);
}

/// What time it is.
pub trait Clock {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Ids that were never used before.
pub trait Ids {
    /// A fresh id of 26 letters and digits.
    fn fresh(&self) -> String;
}

/// The environment of the rules: time, fresh ids, and a meter.
pub trait Env: Clock + Ids + Meter {}

impl<T: Clock + Ids + Meter> Env for T {}

/// What client actions need of the store.
pub trait ClientStore: Bans + Limits + Log + Members + Senders {}

impl<T: Bans + Limits + Log + Members + Senders> ClientStore for T {}
