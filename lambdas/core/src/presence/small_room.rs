//! Reading the members of a small room.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::log::state::ChannelState;
use crate::members::connection::Connection;
use crate::members::shard::Shard;
use crate::ports::{Members, PortResult};
use crate::wire::channel::Channel;
use crate::wire::id::UserId;
use crate::wire::server_frame::MAX_SMALL_ROOM;
use crate::wire::time::Timestamp;

/// The most shards of a room with presence and signals. Each is a read. Shards stay when members go.
pub(super) const MAX_SHARDS: u32 = 128;

/// How many shards are read at a time.
const SHARDS_AT_ONCE: usize = 16;

/// The members of a small room. `None` where there are more than [`MAX_SMALL_ROOM`], or more than [`MAX_SHARDS`] shards. Costs a read unit for
/// each shard and each 4 KiB.
pub(crate) async fn small_room_members<S: Members>(
    store: &S,
    channel: &Channel,
    state: &ChannelState,
    now: Timestamp,
) -> PortResult<Option<Vec<Connection>>> {
    if state.shards > MAX_SHARDS {
        return Ok(None);
    }
    let mut shards =
        stream::iter((0..state.shards).map(|shard| shard_members(store, channel, shard, now))).buffered(SHARDS_AT_ONCE);
    let mut members = Vec::new();
    while let Some(shard) = shards.try_next().await? {
        members.extend(shard);
        if members.len() > MAX_SMALL_ROOM {
            return Ok(None);
        }
    }
    Ok(Some(members))
}

/// A shard's members; only the first of them where there are too many.
async fn shard_members<S: Members>(
    store: &S,
    channel: &Channel,
    shard: Shard,
    now: Timestamp,
) -> PortResult<Vec<Connection>> {
    // The count's row, and one member more than the limit. Expired rows are read as well, so more members may follow them.
    let (limit, mut after, mut members, mut count) = (MAX_SMALL_ROOM + 2, None, Vec::new(), None);
    while members.len() <= MAX_SMALL_ROOM {
        let page = store.member_page(channel, shard, after.as_ref(), limit, now).await?;
        members.extend(page.members);
        count = count.or(page.count);
        match page.next {
            Some(next) => after = Some(next),
            None => {
                correct_count(store, channel, shard, count, members.len() as u64).await;
                break;
            }
        }
    }
    Ok(members)
}

/// Corrects a count that is so high that changes are not announced, although the members are few enough. A smaller error does no harm here, and
/// a join at the same time would make another error.
async fn correct_count<S: Members>(store: &S, channel: &Channel, shard: Shard, count: Option<u64>, members: u64) {
    if let Some(count) = count.filter(|count| is_too_many(*count) && !is_too_many(members))
        && let Err(error) = store.correct_count(channel, shard, count, members).await
    {
        tracing::warn!(%channel, shard, %error, "the members' count is still too high");
    }
}

/// Whether a shard has too many members for their changes to be announced. The limit is one higher than a small room's, so that the change that
/// makes a room too large is announced.
pub(super) fn is_too_many(members: u64) -> bool {
    members > MAX_SMALL_ROOM as u64 + 1
}

/// The users of connections, each once, sorted.
pub(super) fn users(members: &[Connection]) -> Vec<UserId> {
    let users: BTreeSet<&UserId> = members.iter().map(|member| &member.user).collect();
    users.into_iter().cloned().collect()
}

/// About how many connections are members.
pub(super) async fn count<S: Members>(store: &S, channel: &Channel, state: &ChannelState) -> PortResult<u64> {
    Ok(store.counts(channel, state.shards).await?.iter().sum())
}
