//! Watching a room: a member asks to be told who joins and leaves.

use super::notice::watch_shards;
use super::small_room::{MAX_SHARDS, count, small_room_members, users};
use crate::log::state::ChannelState;
use crate::members::connection::Connection;
use crate::ports::{Log, Members, PortResult};
use crate::transport::Transport;
use crate::wire::channel::Channel;
use crate::wire::server_frame::Presence;
use crate::wire::time::Timestamp;

/// Makes a member a watcher, and returns the users who are there.
///
/// # Errors
/// When the store can't be reached. Watching again goes on from there.
pub async fn watch<S: Log + Members>(
    store: &S,
    channel: &Channel,
    state: &ChannelState,
    watcher: &Connection,
    transport: &Transport,
    now: Timestamp,
) -> PortResult<Presence> {
    // INVARIANT: the watcher is noted before the members are read, and an announcement reads the watchers after the members. So each join and
    // each leave is either in this answer or in an announcement that is posted to the watcher.
    store.put_watcher(channel, watcher).await?;
    let (mut noted, mut state) = (0, state.clone());
    // Shards that were added meanwhile, by a join that couldn't know of the watcher, are noted as well.
    while noted < state.shards.min(MAX_SHARDS) {
        watch_shards(store, channel, noted..state.shards, watcher.expires(transport)).await?;
        noted = state.shards;
        if let Some(newer) = store.state(channel).await? {
            state = newer;
        }
    }
    match small_room_members(store, channel, &state, now).await? {
        Some(members) => Ok(Presence::of(users(&members))),
        None => Ok(Presence::paused(count(store, channel, &state).await?)),
    }
}
