//! Ports: the effects that the rules need. `hubbub-aws` implements them on AWS, `hubbub-testkit` in memory. Its store suite tests what every
//! store must do.
//!
//! Each method is one effect: it happens as a whole or not at all, and its caller may crash before or after it. What must hold across
//! several effects is the rules' business.
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

/// A port's effect did not happen, or it is unknown whether it did.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{operation} failed: {detail}")]
pub struct PortError {
    /// The operation, in the words of its service.
    pub operation: &'static str,
    /// The answer of the service or the network.
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
    /// The head that the log must have.
    pub head: Seq,
    /// The messages, numbered from `head.next()` without holes.
    pub messages: &'a [Message],
    /// Now.
    pub now: Timestamp,
    /// When they expire.
    pub expires: Timestamp,
}

/// How much of the log to read: whole messages, until one of the limits is reached. At least one message is read, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// The most messages.
    pub messages: usize,
    /// About how many bytes of bodies to read.
    pub bytes: usize,
}

/// A channel's log, its ends and its lease.
pub trait Log {
    /// The channel's item, as it is at this moment. One read unit.
    async fn state(&self, channel: &Channel) -> PortResult<Option<ChannelState>>;

    /// The channel's item, made with this epoch where there is none yet.
    async fn open(&self, channel: &Channel, epoch: &Epoch) -> PortResult<ChannelState>;

    /// Moves the head and writes the messages after it, both or neither. Costs two write units, and two more for each KiB of each message.
    async fn append(&self, channel: &Channel, append: &Append<'_>) -> PortResult<Appended>;

    /// The messages after `after`, oldest first, read consistently. Messages that have expired or belong to another epoch are left out.
    async fn read(
        &self,
        channel: &Channel,
        epoch: &Epoch,
        after: Seq,
        limit: ReadLimit,
        now: Timestamp,
    ) -> PortResult<Vec<Message>>;

    /// The messages before `before`, newest first; otherwise as [`Log::read`].
    async fn read_back(
        &self,
        channel: &Channel,
        epoch: &Epoch,
        before: Seq,
        limit: ReadLimit,
        now: Timestamp,
    ) -> PortResult<Vec<Message>>;

    /// Removes a message's body for good, and leaves [`Content::Deleted`](crate::wire::message::Content::Deleted) in its place. Returns
    /// whether the body is gone now: `false` if this epoch has no such message, or one that never had a body.
    async fn redact(&self, channel: &Channel, epoch: &Epoch, seq: Seq) -> PortResult<bool>;

    /// Notes that a channel is closed, or open. Does nothing to a channel that was never used.
    async fn set_closed(&self, channel: &Channel, closed: bool) -> PortResult<()>;

    /// Notes that everything up to `to` was posted to every member. Never moves `sent` back. Does nothing in another epoch, or beyond the
    /// head.
    async fn settle(&self, channel: &Channel, epoch: &Epoch, to: Seq) -> PortResult<()>;

    /// Takes the lease, unless another one is live at `now`. Returns whether this id holds it now: a call that is repeated because its answer
    /// was lost returns `true` again.
    async fn take_lease(&self, channel: &Channel, lease: &Lease, now: Timestamp) -> PortResult<bool>;

    /// Replaces the lease `held` by `next`, if `held` is still the lease. Returns whether `next` is the lease now: a call that is repeated because
    /// its answer was lost returns `true` again. Renewing a lease replaces it by the same id with a later end.
    async fn replace_lease(&self, channel: &Channel, held: &LeaseId, next: &Lease) -> PortResult<bool>;

    /// Gives the lease back, only if it is still `held` **and** everything is sent. Returns whether it was given back.
    async fn release_lease(&self, channel: &Channel, held: &LeaseId) -> PortResult<bool>;
}

/// A part of a shard's members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberPage {
    /// The members whose rows have not expired.
    pub members: Vec<Connection>,
    /// The shard's count, in the part that contains its row.
    pub count: Option<u64>,
    /// Where the next part begins. `None` after the last part.
    pub next: Option<ConnectionId>,
}

/// A shard's count, after it has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// About how many members there are.
    pub members: u64,
    /// The watch, if a member watches the room.
    pub watch: Option<Watch>,
}

/// A shard's note that a member watches the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// When the last watcher's connection will have ended.
    pub until: Timestamp,
    /// When an announcement is due, if one is claimed. Only the first shard has it.
    pub due: Option<Timestamp>,
}

/// The last announcement of a room's users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Its time. Each announcement has a later time than the one before.
    pub at: Timestamp,
    /// Whether the room was too large.
    pub paused: bool,
    /// When this row expires.
    pub expires: Timestamp,
}

/// A room's watchers, and the last announcement to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresenceSnapshot {
    /// The last announcement.
    pub announced: Option<Announced>,
    /// The connections that watch.
    pub watchers: Vec<ConnectionId>,
}

/// The watchers of rooms.
pub trait Presences {
    /// Adds a watcher. One write unit.
    async fn put_watcher(&self, channel: &Channel, watcher: &Connection) -> PortResult<()>;

    /// Notes in these shards that the room is watched until `until`, or later. A write unit for each shard.
    async fn watch_shards(&self, channel: &Channel, shards: Range<Shard>, until: Timestamp) -> PortResult<()>;

    /// Removes a watcher. One write unit.
    async fn remove_watcher(&self, channel: &Channel, id: &ConnectionId) -> PortResult<()>;

    /// Claims the announcement at `due`, unless another one was due after `stale`. Returns whether it is claimed now. One write unit.
    async fn claim_announcement(&self, channel: &Channel, due: Timestamp, stale: Timestamp) -> PortResult<bool>;

    /// Requests an announcement of the room at `due`, which is [`ANNOUNCED_AFTER`](crate::presence::notice::ANNOUNCED_AFTER) from now. Requests
    /// with the same `due` are one, and a room's announcements come one after the other.
    async fn request_announcement(&self, channel: &Channel, due: Timestamp) -> PortResult<()>;

    /// Ends the claim: no announcement is due now. One write unit.
    async fn begin_announcement(&self, channel: &Channel) -> PortResult<()>;

    /// The watchers and the last announcement, read consistently: at most a thousand watchers that have not expired at `now`. A read unit for
    /// each 4 KiB.
    async fn presence_snapshot(&self, channel: &Channel, now: Timestamp) -> PortResult<PresenceSnapshot>;

    /// Notes an announcement, if the last one still has the time `last`. Returns whether it is noted. A write unit for each KiB.
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

    /// A connection that was recorded and not removed, and has not expired at `now`.
    async fn connection(&self, id: &ConnectionId, now: Timestamp) -> PortResult<Option<Connection>>;

    /// Removes a connection's record, but not its memberships.
    async fn remove_connection(&self, id: &ConnectionId) -> PortResult<()>;

    /// Notes the connection's shard of the channel, unless one is noted already. Returns the shard that is noted then.
    async fn put_membership(&self, connection: &Connection, channel: &Channel, shard: Shard) -> PortResult<Shard>;

    /// The connection's shard of the channel, if it is a member.
    async fn membership(&self, id: &ConnectionId, channel: &Channel) -> PortResult<Option<Shard>>;

    /// All channels that the connection is a member of.
    async fn memberships(&self, id: &ConnectionId) -> PortResult<Vec<(Channel, Shard)>>;

    /// Removes a membership.
    async fn remove_membership(&self, id: &ConnectionId, channel: &Channel) -> PortResult<()>;

    /// Writes a member's row. Returns whether the row is new.
    async fn put_member(&self, channel: &Channel, shard: Shard, member: &Connection) -> PortResult<bool>;

    /// Removes a member's row. Returns whether there was one.
    async fn remove_member(&self, channel: &Channel, shard: Shard, id: &ConnectionId) -> PortResult<bool>;

    /// Adds to a shard's count, which never goes below zero. Returns the new count.
    async fn add_to_count(&self, channel: &Channel, shard: Shard, difference: i64) -> PortResult<Count>;

    /// Sets a shard's count to `counted`, if it is still `count`.
    async fn correct_count(&self, channel: &Channel, shard: Shard, count: u64, counted: u64) -> PortResult<()>;

    /// The counts of the shards from 0 to `shards`, each about right.
    async fn counts(&self, channel: &Channel, shards: u32) -> PortResult<Vec<u64>>;

    /// Sets the number of shards to `to`, if it is still `from`. Members that are there stay where they are.
    async fn grow(&self, channel: &Channel, from: u32, to: u32) -> PortResult<()>;

    /// The members of a shard after `after`, sorted by id, at most `limit`, read consistently. Every member whose row was written before the
    /// call, and not removed, is in one of the parts.
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

    /// Puts a wake for a channel on the queue, in its group. Wakes within five minutes are deduplicated by `reason`.
    async fn wake(&self, channel: &Channel, reason: &str) -> PortResult<()>;
}

/// Receipts of messages.
pub trait Receipts {
    /// Writes a message's receipt, which expires at `expires`. Writing it again replaces it.
    async fn put_receipt(&self, from: &UserId, receipt: &Receipt, expires: Timestamp) -> PortResult<()>;

    /// A message's receipt, if there is one that has not expired at `now`.
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

/// Bans. A ban holds in a room; or everywhere, and is then noted for the user's own channel.
pub trait Bans {
    /// Notes a ban, which replaces an older one.
    async fn put_ban(&self, user: &UserId, channel: &Channel, until: Timestamp) -> PortResult<()>;

    /// Removes a ban.
    async fn remove_ban(&self, user: &UserId, channel: &Channel) -> PortResult<()>;

    /// The end of a ban that holds at `now`, read consistently. One read unit.
    async fn ban(&self, user: &UserId, channel: &Channel, now: Timestamp) -> PortResult<Option<Timestamp>>;
}

/// The rates that users and signals have used up.
pub trait Limits {
    /// Takes a turn of the user's rate; or returns how long to wait. One write unit, or two.
    async fn take_turn(&self, user: &UserId, turn: Turn) -> PortResult<Result<(), Duration>>;

    /// Takes `posts` of the `most` posts that all signals of a second may make. Returns whether that many were left. One write unit.
    async fn take_posts(&self, second: u64, posts: u64, most: u64) -> PortResult<bool>;
}

/// The senders that have a large fan-out under way. They share the callback budget.
pub trait Senders {
    /// Notes that a sender has one under way until `until`, and returns how many senders have one at `now`, this sender included. A write unit and
    /// one or two read units.
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

    /// Posts a frame once to each connection that the rate allows at once. No post waits for its turn, and no post is tried again. One outcome for
    /// each connection, in their order; [`Outcome::Throttled`] for those that were left out.
    async fn try_post(&self, frame: &Frame, connections: &[ConnectionId]) -> Vec<Outcome>;

    /// From now on, posts leave at this rate at most.
    fn limit(&self, rate: Rate);

    /// Posts a last frame to a socket and closes it. If that fails, the socket stays open, and nothing is posted to it any more.
    async fn close(&self, connection: &ConnectionId, farewell: &Frame);
}

/// Records metrics for operators.
pub trait Meter {
    /// Adds to a count, or adds a value to a distribution. It never fails and never waits. A crash before the metrics are written loses them, so
    /// nothing may depend on them.
    fn record(&self, metric: Metric, value: u64);
}

/// The time.
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
