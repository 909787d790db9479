//! Becoming and ceasing to be a member.
//!
//! Join writes the membership, then the member, then the count, and forget removes them so that what is left after a crash is found
//! again: the membership rows name every member row. There is no transaction, because one on a hot count would conflict in a join
//! storm. Counts may drift. A reader of a whole shard corrects them.

use crate::log::state::ChannelState;
use crate::members::connection::Connection;
use crate::members::shard::{Shard, is_growth_due, shard_of, shards_wanted};
use crate::ports::{Bans, Clock, Count, Ids, Log, Members, PortResult};
use crate::presence::notice::{note_change, unwatch, watch_shards};
use crate::wire::channel::Channel;
use crate::wire::id::{ConnectionId, Epoch};
use crate::wire::time::Timestamp;

/// Whether a connection was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is a member of its user's channel and of everyone.
    Connected,
    /// Its user is banned from everywhere. Nothing of it is left.
    Banned,
}

/// Records a connection as a member of its user's channel and of everyone, unless its user is banned from everywhere.
///
/// # Errors
/// When a read or a write fails. The connection is then refused, and what was written ends by its time to live.
pub async fn connect<S: Bans + Log + Members, E: Clock + Ids>(
    store: &S,
    env: &E,
    connection: &Connection,
    shard_members: u64,
) -> PortResult<Admission> {
    let own = Channel::User(connection.user.clone());
    store.put_connection(connection).await?;
    join(store, env, connection, &own, shard_members).await?;
    join(store, env, connection, &Channel::Everyone, shard_members).await?;
    // INVARIANT: the ban is read after the connection is recorded, because a ban is noted before the user's connections are looked for.
    if store.ban(&connection.user, &own, env.now()).await?.is_some() {
        forget(store, &connection.id, env.now()).await?;
        return Ok(Admission::Banned);
    }
    Ok(Admission::Connected)
}

/// Makes a connection a member. Joining again changes nothing, and mends what an earlier join left undone.
///
/// When this returns, every message that is appended later is posted to the connection. A caller that wants the messages before that must read
/// the log *after* joining.
///
/// # Errors
/// When a write fails; joining again goes on from there.
pub async fn join<S: Log + Members, E: Clock + Ids>(
    store: &S,
    env: &E,
    connection: &Connection,
    channel: &Channel,
    shard_members: u64,
) -> PortResult<()> {
    let state = store.open(channel, &Epoch::new(env.fresh())).await?;
    let shard = store.put_membership(connection, channel, shard_of(&connection.id, state.shards)).await?;
    if store.put_member(channel, shard, connection).await? {
        let count = store.add_to_count(channel, shard, 1).await?;
        if is_growth_due(count.members, shard_members) {
            grow(store, channel, &state, shard_members, count).await?;
        }
        note_change(store, channel, count, env.now()).await;
    }
    Ok(())
}

async fn grow<S: Members>(
    store: &S,
    channel: &Channel,
    state: &ChannelState,
    shard_members: u64,
    count: Count,
) -> PortResult<()> {
    let counts = store.counts(channel, state.shards).await?;
    let wanted = shards_wanted(&counts, shard_members);
    if wanted > state.shards {
        // Before they have members.
        if let Some(watch) = count.watch
            && let Err(error) = watch_shards(store, channel, state.shards..wanted, watch.until).await
        {
            tracing::warn!(%channel, %error, "presence not told from new shards");
        }
        store.grow(channel, state.shards, wanted).await?;
        tracing::info!(%channel, shards = wanted, "shards doubled");
    }
    Ok(())
}

/// Ends a membership. Leaving what one isn't a member of does nothing.
///
/// # Errors
/// When a write fails; leaving again goes on from there.
pub async fn leave<S: Members>(store: &S, id: &ConnectionId, channel: &Channel, now: Timestamp) -> PortResult<()> {
    match store.membership(id, channel).await? {
        Some(shard) => end(store, id, channel, shard, now).await,
        None => Ok(()),
    }
}

async fn end<S: Members>(
    store: &S,
    id: &ConnectionId,
    channel: &Channel,
    shard: Shard,
    now: Timestamp,
) -> PortResult<()> {
    if store.remove_member(channel, shard, id).await? {
        let count = store.add_to_count(channel, shard, -1).await?;
        unwatch(store, channel, id, count, now).await;
        note_change(store, channel, count, now).await;
    }
    store.remove_membership(id, channel).await
}

/// Forgets a connection that has gone: its record first, so that no frame of it that is still under way can join again, then every
/// membership.
///
/// # Errors
/// When a read or a write fails; forgetting again goes on from there.
pub async fn forget<S: Members>(store: &S, id: &ConnectionId, now: Timestamp) -> PortResult<()> {
    store.remove_connection(id).await?;
    let mut memberships = store.memberships(id).await?;
    // INVARIANT: the user's channel goes last, because by its members an order finds the connection again.
    memberships.sort_by_key(|(channel, _)| matches!(channel, Channel::User(_)));
    for (channel, shard) in memberships {
        end(store, id, &channel, shard, now).await?;
    }
    Ok(())
}
