//! Notices of a change of a room's members, which lead to an announcement.

use std::ops::Range;
use std::time::Duration;

use super::small_room::{MAX_SHARDS, is_too_many};
use crate::members::shard::Shard;
use crate::ports::{Count, Members, PortResult};
use crate::wire::channel::Channel;
use crate::wire::id::ConnectionId;
use crate::wire::time::Timestamp;

/// The time from the first change to the announcement: a room has one a second at most.
pub const ANNOUNCED_AFTER: Duration = Duration::from_secs(1);

/// An announcement that is due counts as lost after this time.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// Requests an announcement after a change of a room's members, if somebody watches the room. Only the caller that claims the announcement
/// requests it. Other callers' changes are in it, because a claim ends before an announcement reads the members.
pub(crate) async fn note_change<S: Members>(store: &S, channel: &Channel, count: Count, now: Timestamp) {
    let Some(watch) = count.watch.filter(|watch| now < watch.until) else { return };
    if is_too_many(count.members) {
        return;
    }
    let (due, stale) = (now.plus(ANNOUNCED_AFTER), now.minus(LOST_AFTER));
    if watch.due.is_some_and(|due| due > stale) {
        return;
    }
    let requested = async {
        if store.claim_announcement(channel, due, stale).await?
            && let Err(error) = store.request_announcement(channel, due).await
        {
            // Otherwise nobody could claim it for a while.
            store.begin_announcement(channel).await?;
            return Err(error);
        }
        PortResult::Ok(())
    };
    if let Err(error) = requested.await {
        tracing::warn!(%channel, %error, "presence not announced");
    }
}

/// Ends a member's watch, where there may be one. If this fails, the row that is left belongs to no member. Its connection is told only that
/// the room has become too large.
pub(crate) async fn unwatch<S: Members>(store: &S, channel: &Channel, id: &ConnectionId, count: Count, now: Timestamp) {
    if count.watch.is_some_and(|watch| now < watch.until)
        && let Err(error) = store.remove_watcher(channel, id).await
    {
        tracing::warn!(%channel, connection.id = %id, %error, "still a watcher");
    }
}

/// Notes in shards that somebody watches, for as many shards as a room with presence may have.
pub(crate) async fn watch_shards<S: Members>(
    store: &S,
    channel: &Channel,
    shards: Range<Shard>,
    until: Timestamp,
) -> PortResult<()> {
    store.watch_shards(channel, shards.start.min(MAX_SHARDS)..shards.end.min(MAX_SHARDS), until).await
}
