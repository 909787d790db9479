//! Fan-out: a range of a channel's log to the members of some of its shards.
//!
//! `deliver` does it for a small channel and `deliver-page` for a page of a large one; it is the same work.

use futures::future::join;
use futures::stream::{self, StreamExt};

use crate::channel::Channel;
use crate::frame::{Frame, pack};
use crate::id::{ConnectionId, Epoch};
use crate::member::{Connection, Shard};
use crate::membership;
use crate::message::{Message, Seq};
use crate::outcome::{Outcome, Tally};
use crate::ports::{Clock, Log, MemberPage, Members, PortError, PortResult, Poster, ReadLimit};

/// How many members are read and posted to at a time. While these are posted to, the next are read, so that memory doesn't grow with
/// the room.
const CHUNK: usize = 1_000;

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

/// Posts frames to every member of the shards, prunes those that have gone, and corrects counts that have drifted.
///
/// One member's outcome changes nothing for the others. What can't be pruned now is pruned at the next fan-out.
///
/// # Errors
/// When members can't be read. Some may have been posted to by then; doing it again repeats frames, which clients de-duplicate.
pub async fn fan_out<S: Members, P: Poster, E: Clock>(
    store: &S,
    poster: &P,
    world: &E,
    channel: &Channel,
    shards: &[Shard],
    frames: &[Frame],
) -> PortResult<Tally> {
    let mut tally = Tally::default();
    for shard in shards {
        tally += fan_out_shard(store, poster, world, channel, *shard, frames).await?;
    }
    Ok(tally)
}

async fn fan_out_shard<S: Members, P: Poster, E: Clock>(
    store: &S,
    poster: &P,
    world: &E,
    channel: &Channel,
    shard: Shard,
    frames: &[Frame],
) -> PortResult<Tally> {
    let mut tally = Tally::default();
    let mut count = None;
    let mut chunk = store.member_page(channel, shard, None, CHUNK, world.now()).await?;
    loop {
        count = count.or(chunk.count);
        let next = async {
            match &chunk.next {
                Some(after) => store.member_page(channel, shard, Some(after), CHUNK, world.now()).await.map(Some),
                None => Ok(None),
            }
        };
        let (posted, next) = join(post_chunk(store, poster, world, &chunk, frames), next).await;
        tally += posted;
        match next? {
            Some(next) => chunk = next,
            None => break,
        }
    }
    correct_count(store, channel, shard, count.unwrap_or_default(), tally.members).await;
    Ok(tally)
}

async fn post_chunk<S: Members, P: Poster, E: Clock>(
    store: &S,
    poster: &P,
    world: &E,
    chunk: &MemberPage,
    frames: &[Frame],
) -> Tally {
    let ids: Vec<ConnectionId> = chunk.members.iter().map(|member| member.id.clone()).collect();
    // INVARIANT: a connection's age is taken before its post, because the other posts may take long enough to make it old.
    let now = world.now();
    let outcomes = poster.post(frames, &ids).await;
    let gone = chunk
        .members
        .iter()
        .zip(&outcomes)
        .filter(|(member, outcome)| **outcome == Outcome::Gone && member.may_be_pruned(now))
        .map(|(member, _)| prune(store, member));
    stream::iter(gone).buffer_unordered(PRUNES_AT_ONCE).collect::<()>().await;
    Tally::count(&outcomes, frames.len())
}

async fn prune<S: Members>(store: &S, member: &Connection) {
    match membership::forget(store, &member.id).await {
        Ok(()) => tracing::info!(connection.id = %member.id, "pruned"),
        Err(error) => tracing::warn!(connection.id = %member.id, %error, "not pruned"),
    }
}

/// `counted` members were met. Where some of them were pruned or others joined meanwhile, the count has changed since it was read, and
/// the correction is left to the next fan-out.
async fn correct_count<S: Members>(store: &S, channel: &Channel, shard: Shard, count: u64, counted: u64) {
    if count != counted
        && let Err(error) = store.correct_count(channel, shard, count, counted).await
    {
        tracing::warn!(%channel, shard, %error, "count not corrected");
    }
}
