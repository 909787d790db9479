//! Expulsion: a user leaves a room, or everything, and may be kept out for a while.

use crate::members::dismissal::dismiss;
use crate::members::membership;
use crate::ports::{Bans, Clock, Log, Members, PortResult, Poster};
use crate::wire::channel::Channel;
use crate::wire::codes::{ClosingCode, LeftReason};
use crate::wire::frame::Frame;
use crate::wire::id::{ConnectionId, UserId};
use crate::wire::server_frame::ServerFrame;
use crate::wire::time::Timestamp;

/// How many of a user's connections are read at a time.
const CONNECTIONS: usize = 100;

/// How a user is expelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expulsion {
    /// The user leaves, and may come back.
    Kick,
    /// The user leaves, and may not come back before `until`.
    Ban {
        /// The end of the ban.
        until: Timestamp,
    },
    /// A ban ends.
    Unban,
}

/// Makes a user leave a room, or everything where the channel is the user's own. Returns how many connections left.
///
/// # Errors
/// When the store can't be reached. Doing it again goes on from there.
pub async fn expel<S: Bans + Log + Members, P: Poster, E: Clock>(
    store: &S,
    poster: &P,
    env: &E,
    channel: &Channel,
    user: &UserId,
    expulsion: Expulsion,
) -> PortResult<u64> {
    // INVARIANT: the ban is written before the user's connections are read, and a join reads the ban after it has written the member. So no
    // connection of the user is missed.
    let (left, closing) = match expulsion {
        Expulsion::Kick => (LeftReason::Kicked, ClosingCode::Kicked),
        Expulsion::Ban { until } => {
            store.put_ban(user, channel, until).await?;
            (LeftReason::Banned, ClosingCode::Banned)
        }
        Expulsion::Unban => {
            store.remove_ban(user, channel).await?;
            return Ok(0);
        }
    };
    let mut expelled = 0;
    for connection in connections(store, env, user).await? {
        if matches!(channel, Channel::User(_)) {
            // If this is cut short, the repeated command finds the connection again, because its membership of the user's channel is removed
            // last; or the next post finds it gone.
            dismiss(store, poster, env, &connection, closing).await?;
            expelled += 1;
        } else if store.membership(&connection, channel).await?.is_some() {
            membership::leave(store, &connection, channel, env.now()).await?;
            let frame = Frame::beside_the_log(&ServerFrame::Left { channel: channel.clone(), reason: Some(left) })?;
            poster.post(&[frame], std::slice::from_ref(&connection)).await;
            expelled += 1;
        }
    }
    Ok(expelled)
}

/// All connections of a user.
async fn connections<S: Log + Members, E: Clock>(store: &S, env: &E, user: &UserId) -> PortResult<Vec<ConnectionId>> {
    let channel = Channel::User(user.clone());
    let Some(state) = store.state(&channel).await? else { return Ok(Vec::new()) };
    let mut connections = Vec::new();
    for shard in 0..state.shards {
        let mut after = None;
        loop {
            let page = store.member_page(&channel, shard, after.as_ref(), CONNECTIONS, env.now()).await?;
            connections.extend(page.members.into_iter().map(|member| member.id));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(connections)
}
