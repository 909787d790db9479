//! Fan-out: a range of a channel's log to the members of some of its shards.
//!
//! `deliver` does it for a small channel and `deliver-page` for a page of a large one. It is the same work.

use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::outcome::{Outcome, Tally};
use crate::limits::budget::Budget;
use crate::log::read::read_range;
use crate::members::connection::Connection;
use crate::members::dismissal::dismiss;
use crate::members::membership;
use crate::members::pruning::{PRUNES_AT_ONCE, log_pruned, prune};
use crate::members::shard::Shard;
use crate::metrics::{DELIVERED, FAILED, GONE, POSTS, THROTTLED};
use crate::ports::{Clock, Ids, Log, Members, Meter, PortResult, Poster, Senders};
use crate::transport::Transport;
use crate::wire::channel::Channel;
use crate::wire::codes::ClosingCode;
use crate::wire::frame::{Frame, pack};
use crate::wire::id::{ConnectionId, Epoch, SenderId};
use crate::wire::message::{Content, Message, Seq};
use crate::wire::time::Timestamp;

/// About how many posts a part of the members is. One part is read at a time, and the rate is set with each.
pub const PART: usize = 1_000;

/// The fewest members that are read at a time, however many frames each is posted.
const MIN_PART_MEMBERS: usize = 100;

/// How many members make a part, where each is posted this many frames.
#[must_use]
pub fn part_members(frames: usize) -> usize {
    (PART / frames.max(1)).max(MIN_PART_MEMBERS)
}

/// How many parts are under way at a time. When one is nearly done, the next has begun, so that the sender always has something to post, also
/// while a few members don't answer. It bounds the memory, however large the room is.
pub const PARTS_AT_ONCE: usize = 4;

/// How long a sender counts as at work after the time that its parts take at its rate. A sender that crashed holds its part of the budget for
/// this time.
const AT_WORK: Duration = Duration::from_secs(5);

/// A sender's part in the callback budget.
#[derive(Clone, Debug)]
pub struct Share {
    /// The stack's budget.
    pub budget: Budget,
    /// The sender.
    pub sender: SenderId,
}

/// A range of a channel's log, packed for its members.
#[derive(Debug)]
pub struct PackedRange {
    /// The messages that have not expired.
    pub messages: Vec<Message>,
    /// The frames that hold them.
    pub frames: Vec<Frame>,
    /// Whether the messages tell that the channel is closed, and it still is: its members end with these frames.
    closes: bool,
}

/// Posts ranges of logs to members.
#[derive(Clone, Debug)]
pub struct FanOut<S, P, E> {
    /// The logs, the members, and the senders that share the budget.
    pub store: S,
    /// The sockets.
    pub poster: P,
    /// Time, and a meter.
    pub env: E,
    /// This sender's part in the callback budget.
    pub share: Share,
    /// The transport's limits.
    pub transport: Transport,
}

/// The members to post to, and how.
#[derive(Clone, Copy, Debug)]
pub struct Audience<'a> {
    /// The channel.
    pub channel: &'a Channel,
    /// The shards whose members are posted to.
    pub shards: &'a [Shard],
    /// For a large fan-out, which shares the budget with others: how many senders its broadcast has, this one included. It never takes more than
    /// its part among them.
    pub large: Option<u32>,
    /// The end of the function's time: nobody is posted to after it.
    pub deadline: Timestamp,
}

/// A fan-out under way.
struct Run<'a, S, P, E> {
    store: &'a S,
    poster: &'a P,
    env: &'a E,
    transport: &'a Transport,
    channel: &'a Channel,
    range: &'a PackedRange,
    /// The sender and the senders of its broadcast, where the fan-out is large.
    share: Option<(&'a Share, u32)>,
    deadline: Timestamp,
}

/// How far the members have been read.
struct Cursor<'a> {
    /// The shards that were not begun.
    shards: std::slice::Iter<'a, Shard>,
    /// The shard that is being read.
    current: Option<ShardCursor>,
}

struct ShardCursor {
    shard: Shard,
    after: Option<ConnectionId>,
    /// The count that its row gives.
    count: Option<u64>,
    /// How many members were read.
    read: u64,
}

impl<S, P, E: Ids> FanOut<S, P, E> {
    /// The fan-outs of a sender that is new: a process that just started.
    pub fn of_new_sender(store: S, poster: P, env: E, budget: Budget, transport: Transport) -> Self {
        let share = Share { budget, sender: SenderId::new(env.fresh()) };
        Self { store, poster, env, share, transport }
    }
}

impl<S: Log + Members + Senders, P: Poster, E: Clock + Meter> FanOut<S, P, E> {
    /// Reads and packs a range of a channel's log: the messages after `from` up to `to`.
    ///
    /// # Errors
    /// When the log can't be read.
    pub async fn pack(&self, channel: &Channel, epoch: &Epoch, (from, to): (Seq, Seq)) -> PortResult<PackedRange> {
        let messages = read_range(&self.store, &self.env, channel, epoch, (from, to)).await?;
        let frames = pack(channel, epoch, &messages, self.transport.max_frame_bytes)?;
        let tells_of_closure = messages.iter().any(|message| matches!(message.content, Content::Closed(_)));
        let closes = tells_of_closure && self.store.state(channel).await?.is_some_and(|state| state.closed);
        Ok(PackedRange { messages, frames, closes })
    }

    /// Posts a range to every member of the shards, prunes members that are gone, and corrects counts that have drifted.
    ///
    /// One member's outcome changes nothing for the others. A member that can't be pruned now is pruned at the next fan-out.
    ///
    /// # Errors
    /// When members can't be read. Some may have been posted to by then; doing it again repeats frames, which clients de-duplicate.
    pub async fn post(&self, range: &PackedRange, audience: Audience<'_>) -> PortResult<Tally> {
        let Audience { channel, shards, large, deadline } = audience;
        let Self { store, poster, env, share, transport } = self;
        let share = large.map(|senders| (share, senders));
        Run { store, poster, env, transport, channel, range, share, deadline }.run(shards).await
    }
}

impl<S: Members + Senders, P: Poster, E: Clock + Meter> Run<'_, S, P, E> {
    async fn run(&self, shards: &[Shard]) -> PortResult<Tally> {
        let cursor = Cursor { shards: shards.iter(), current: None };
        let tally = stream::try_unfold(cursor, |cursor| self.read_part(cursor))
            .map_ok(|members| async move {
                let tally = self.post_part(&members).await;
                self.record(tally);
                Ok(tally)
            })
            .try_buffer_unordered(PARTS_AT_ONCE)
            .try_fold(Tally::default(), async |mut tally, posted| {
                tally += posted;
                Ok(tally)
            })
            .await;
        self.rest().await;
        tally
    }

    /// Records each part by itself, so that a fan-out that fails later has recorded what it did.
    fn record(&self, Tally { delivered, gone, throttled, failed, posts, .. }: Tally) {
        let messages = self.range.messages.len() as u64;
        for (metric, members) in [(DELIVERED, delivered), (GONE, gone), (THROTTLED, throttled), (FAILED, failed)] {
            self.env.record(metric, members.saturating_mul(messages));
        }
        self.env.record(POSTS, posts);
    }

    /// The next members, and the cursor after them. `None` after the last.
    async fn read_part<'b>(&self, mut cursor: Cursor<'b>) -> PortResult<Option<(Vec<Connection>, Cursor<'b>)>> {
        let begin = |shard: &Shard| ShardCursor { shard: *shard, after: None, count: None, read: 0 };
        let Some(mut current) = cursor.current.take().or_else(|| cursor.shards.next().map(begin)) else {
            return Ok(None);
        };
        self.work().await;
        let (now, limit) = (self.env.now(), part_members(self.range.frames.len()));
        let page = self.store.member_page(self.channel, current.shard, current.after.as_ref(), limit, now).await?;
        current.count = current.count.or(page.count);
        current.read += page.members.len() as u64;
        current.after = page.next;
        if current.after.is_some() {
            cursor.current = Some(current);
        } else {
            self.correct_count(&current).await;
        }
        Ok(Some((page.members, cursor)))
    }

    async fn post_part(&self, members: &[Connection]) -> Tally {
        if self.env.now() >= self.deadline {
            // They see the gap, or learn of it by their next ping, and recover.
            tracing::warn!(channel = %self.channel, members = members.len(), "out of time");
            return Tally::count(&vec![Outcome::Failed; members.len()], 0);
        }
        // INVARIANT: a connection's age is taken before its post, because the other posts may take long enough to make it old.
        let now = self.env.now();
        let (ended, members): (Vec<&Connection>, Vec<&Connection>) =
            members.iter().partition(|member| member.has_ended(now));
        stream::iter(ended.iter().map(|member| self.end(member)))
            .buffer_unordered(PRUNES_AT_ONCE)
            .collect::<()>()
            .await;
        let ids: Vec<ConnectionId> = members.iter().map(|member| member.id.clone()).collect();
        let outcomes = self.poster.post(&self.range.frames, &ids).await;
        let gone = members.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Outcome::Gone);
        prune(self.store, self.env, self.transport, gone.map(|(member, _)| *member), now).await;
        if self.range.closes {
            let leaves = members.iter().map(|member| self.end_membership(member));
            stream::iter(leaves).buffer_unordered(PRUNES_AT_ONCE).collect::<()>().await;
        }
        let ended = vec![Outcome::Gone; ended.len()];
        let mut tally = Tally::count(&ended, 0);
        tally += Tally::count(&outcomes, self.range.frames.len());
        tally
    }

    /// A socket lives no longer than its token.
    async fn end(&self, member: &Connection) {
        log_pruned(member, dismiss(self.store, self.poster, self.env, &member.id, ClosingCode::TokenExpired).await);
    }

    /// If this fails, or a member was not told, it learns by its next ping.
    async fn end_membership(&self, member: &Connection) {
        if let Err(error) = membership::leave(self.store, &member.id, self.channel, self.env.now()).await {
            tracing::warn!(connection.id = %member.id, channel = %self.channel, %error, "still a member");
        }
    }

    /// Where members joined or left since the count was read, it has changed, and the correction is left to the next fan-out.
    async fn correct_count(&self, ShardCursor { shard, count, read, .. }: &ShardCursor) {
        let count = count.unwrap_or_default();
        if count != *read
            && let Err(error) = self.store.correct_count(self.channel, *shard, count, *read).await
        {
            tracing::warn!(channel = %self.channel, shard, %error, "count not corrected");
        }
    }

    /// Notes that this sender is at work, and takes its part of the budget. Where the other senders can't be read, it takes its part among the
    /// planned ones. A quota that is used up slows all of them down.
    async fn work(&self) {
        let Some((Share { budget, sender }, planned)) = self.share else { return };
        let now = self.env.now();
        let begun = PARTS_AT_ONCE * part_members(self.range.frames.len()) * self.range.frames.len();
        let until = now.plus(AT_WORK + budget.least_rate().time_for(begun as u64));
        let senders = match self.store.at_work(sender, until, now).await {
            Ok(senders) => senders.max(planned),
            Err(error) => {
                tracing::warn!(%sender, %error, "the other senders can't be read");
                planned
            }
        };
        self.poster.limit(budget.large_rate(senders));
    }

    async fn rest(&self) {
        let Some((Share { sender, .. }, _)) = self.share else { return };
        if let Err(error) = self.store.at_rest(sender).await {
            tracing::warn!(%sender, %error, "still noted as at work");
        }
    }
}
