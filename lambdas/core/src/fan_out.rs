//! Fan-out: a range of a channel's log to the members of some of its shards.
//!
//! `deliver` does it for a small channel and `deliver-page` for a page of a large one; it is the same work.

use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::channel::Channel;
use crate::expulsion::dismiss;
use crate::frame::{Frame, pack};
use crate::id::{ConnectionId, Epoch, SenderId};
use crate::member::{Connection, Shard};
use crate::membership;
use crate::message::{Content, Message, Seq};
use crate::metrics::{DELIVERED, FAILED, GONE, POSTS, THROTTLED};
use crate::outcome::{Outcome, Tally};
use crate::ports::{Clock, Ids, Log, Members, Meter, PortError, PortResult, Poster, ReadLimit, Senders};
use crate::protocol::ClosingCode;
use crate::rate::Budget;
use crate::time::Timestamp;

/// How many posts a part of the members is about. A part is read at a time, and the rate is looked at with each.
pub const PART: usize = 1_000;

/// The fewest members that are read at a time, however many frames each is posted.
const MIN_PART_MEMBERS: usize = 100;

/// As many members as make a part's posts, where each is posted so many frames.
#[must_use]
pub fn part_members(frames: usize) -> usize {
    (PART / frames.max(1)).max(MIN_PART_MEMBERS)
}

/// How many parts are under way at a time: when one is nearly done, the next has begun, so that the sender has always something to
/// post, also while a few members that don't answer keep theirs open. Memory is bounded by it, however large the room.
pub const PARTS_AT_ONCE: usize = 4;

/// How long a sender counts as at work beyond the time that what it has begun takes at its rate. One that died holds its part of the budget
/// for so long.
const AT_WORK: Duration = Duration::from_secs(5);

/// How many connections are forgotten at a time.
const PRUNES_AT_ONCE: usize = 16;

/// How many messages are read from the log at a time.
const READ_MESSAGES: usize = 256;

/// Reads a range of the log, without what has expired.
///
/// # Errors
/// When the log can't be read.
pub async fn read_range<S: Log, E: Clock>(
    log: &S,
    world: &E,
    channel: &Channel,
    epoch: &Epoch,
    (from, to): (Seq, Seq),
) -> PortResult<Vec<Message>> {
    let mut messages: Vec<Message> = Vec::new();
    let mut after = from;
    while after < to {
        let limit = ReadLimit { messages: READ_MESSAGES, bytes: usize::MAX };
        let read = log.read(channel, epoch, after, limit, world.now()).await?;
        let Some(last) = read.last() else { break };
        after = last.seq;
        messages.extend(read.into_iter().take_while(|message| message.seq <= to));
    }
    Ok(messages)
}

/// Packs messages for a port's caller.
///
/// # Errors
/// As [`pack`], which has none that is known.
pub fn frames(channel: &Channel, epoch: &Epoch, messages: &[Message]) -> PortResult<Vec<Frame>> {
    pack(channel, epoch, messages).map_err(|error| PortError {
        operation: "pack frames",
        detail: error.to_string(),
        retryable: false,
    })
}

/// A sender's part in the callback budget.
#[derive(Clone, Debug)]
pub struct Share {
    /// The stack's budget.
    pub budget: Budget,
    /// The sender.
    pub sender: SenderId,
}

impl Share {
    /// The part of a new sender.
    #[must_use]
    pub fn of_new_sender(budget: Budget, ids: &impl Ids) -> Self {
        Self { budget, sender: SenderId::new(ids.fresh()) }
    }
}

/// A fan-out: frames, on their way to the members of a channel.
#[derive(Debug)]
pub struct FanOut<'a, S, P, E> {
    /// The members, and the senders that share the budget.
    pub store: &'a S,
    /// The sockets.
    pub poster: &'a P,
    /// Time, and a meter.
    pub world: &'a E,
    /// The channel.
    pub channel: &'a Channel,
    /// How many messages the frames hold.
    pub messages: usize,
    /// The frames.
    pub frames: &'a [Frame],
    /// The sender, where the fan-out is a large one and so shares the budget with others.
    pub share: Option<&'a Share>,
    /// How many senders its broadcast has, this one included; it never takes more than its part among them.
    pub senders: u32,
    /// From when on nobody is posted to any more, because the function's time ends.
    pub deadline: Timestamp,
    /// Whether the frames tell that the channel is closed, so that whoever was posted to is a member no more.
    pub closes: bool,
}

/// Whether messages tell that their channel is closed, and it still is.
///
/// # Errors
/// When the channel can't be read.
pub async fn closes<S: Log>(log: &S, channel: &Channel, messages: &[Message]) -> PortResult<bool> {
    if !messages.iter().any(|message| matches!(message.content, Content::Closed(_))) {
        return Ok(false);
    }
    Ok(log.state(channel).await?.is_some_and(|state| state.closed))
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
    /// How many members it is said to have.
    count: Option<u64>,
    /// How many members were read.
    read: u64,
}

fn log_pruned(member: &Connection, pruned: PortResult<()>) {
    match pruned {
        Ok(()) => tracing::info!(connection.id = %member.id, "pruned"),
        Err(error) => tracing::warn!(connection.id = %member.id, %error, "not pruned"),
    }
}

/// Forgets members whose posts were answered 410, but for those that were too young at `posted_at`.
pub(crate) async fn prune<S: Members>(
    store: &S,
    world: &impl Clock,
    gone: impl Iterator<Item = &Connection>,
    posted_at: Timestamp,
) {
    let gone: Vec<&Connection> = gone.filter(|member| member.may_be_pruned(posted_at)).collect();
    let prunes = gone.into_iter().map(async |member| {
        log_pruned(member, membership::forget(store, &member.id, world.now()).await);
    });
    stream::iter(prunes).buffer_unordered(PRUNES_AT_ONCE).collect::<()>().await;
}

impl<S: Members + Senders, P: Poster, E: Clock + Meter> FanOut<'_, S, P, E> {
    /// Posts the frames to every member of the shards, prunes those that have gone, and corrects counts that have drifted.
    ///
    /// One member's outcome changes nothing for the others. What can't be pruned now is pruned at the next fan-out.
    ///
    /// # Errors
    /// When members can't be read. Some may have been posted to by then; doing it again repeats frames, which clients de-duplicate.
    pub async fn run(&self, shards: &[Shard]) -> PortResult<Tally> {
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

    /// Records each part by itself, so that nothing of a fan-out that fails later is left out.
    fn record(&self, Tally { delivered, gone, throttled, failed, posts, .. }: Tally) {
        let messages = self.messages as u64;
        for (metric, members) in [(DELIVERED, delivered), (GONE, gone), (THROTTLED, throttled), (FAILED, failed)] {
            self.world.record(metric, members.saturating_mul(messages));
        }
        self.world.record(POSTS, posts);
    }

    /// The next members, and how far they have been read then; nothing behind the last.
    async fn read_part<'b>(&self, mut cursor: Cursor<'b>) -> PortResult<Option<(Vec<Connection>, Cursor<'b>)>> {
        let begin = |shard: &Shard| ShardCursor { shard: *shard, after: None, count: None, read: 0 };
        let Some(mut current) = cursor.current.take().or_else(|| cursor.shards.next().map(begin)) else {
            return Ok(None);
        };
        self.work().await;
        let (now, limit) = (self.world.now(), part_members(self.frames.len()));
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
        if self.world.now() >= self.deadline {
            // They see the gap, or learn of it by their next ping, and recover.
            tracing::warn!(channel = %self.channel, members = members.len(), "out of time");
            return Tally::count(&vec![Outcome::Failed; members.len()], 0);
        }
        // INVARIANT: a connection's age is taken before its post, because the other posts may take long enough to make it old.
        let now = self.world.now();
        let (ended, members): (Vec<&Connection>, Vec<&Connection>) =
            members.iter().partition(|member| member.has_ended(now));
        stream::iter(ended.iter().map(|member| self.end(member)))
            .buffer_unordered(PRUNES_AT_ONCE)
            .collect::<()>()
            .await;
        let ids: Vec<ConnectionId> = members.iter().map(|member| member.id.clone()).collect();
        let outcomes = self.poster.post(self.frames, &ids).await;
        let gone = members.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Outcome::Gone);
        prune(self.store, self.world, gone.map(|(member, _)| *member), now).await;
        if self.closes {
            let leaves = members.iter().map(|member| self.see_off(member));
            stream::iter(leaves).buffer_unordered(PRUNES_AT_ONCE).collect::<()>().await;
        }
        let ended = vec![Outcome::Gone; ended.len()];
        let mut tally = Tally::count(&ended, 0);
        tally += Tally::count(&outcomes, self.frames.len());
        tally
    }

    /// A socket lives no longer than its token.
    async fn end(&self, member: &Connection) {
        log_pruned(member, dismiss(self.store, self.poster, self.world, &member.id, ClosingCode::TokenExpired).await);
    }

    /// Who wasn't told, or stays a member because this failed, learns it by the next ping.
    async fn see_off(&self, member: &Connection) {
        if let Err(error) = membership::leave(self.store, &member.id, self.channel, self.world.now()).await {
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

    /// Says that this sender is at work, and takes its part of the budget. Where the others can't be asked, it takes what it would have
    /// among those that are sure to be there; a quota that is used up slows them all down.
    async fn work(&self) {
        let Some(Share { budget, sender }) = self.share else { return };
        let now = self.world.now();
        let begun = PARTS_AT_ONCE * part_members(self.frames.len()) * self.frames.len();
        let until = now.plus(AT_WORK + budget.least_rate().time_for(begun as u64));
        let senders = match self.store.at_work(sender, until, now).await {
            Ok(senders) => senders.max(self.senders),
            Err(error) => {
                tracing::warn!(%sender, %error, "the budget is shared unseen");
                self.senders
            }
        };
        self.poster.limit(budget.large_rate(senders));
    }

    async fn rest(&self) {
        let Some(Share { sender, .. }) = self.share else { return };
        if let Err(error) = self.store.at_rest(sender).await {
            tracing::warn!(%sender, %error, "the budget is shared with one that rests");
        }
    }
}
