//! Expulsion: a user leaves a room, or everything, and may be kept from coming back.

use crate::channel::Channel;
use crate::frame::Frame;
use crate::id::{ConnectionId, UserId};
use crate::membership;
use crate::message::Seq;
use crate::ports::{Bans, Clock, Log, Members, PortError, PortResult, Poster};
use crate::protocol::{ClosingCode, LeftReason, ServerFrame};
use crate::time::Timestamp;

/// How many of a user's connections are read at a time.
const CONNECTIONS: usize = 100;

/// What is to become of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expulsion {
    /// The user leaves, and may come back.
    Kick,
    /// The user leaves, and may not come back before then.
    Ban {
        /// The end of the ban.
        until: Timestamp,
    },
    /// A ban ends.
    Unban,
}

impl Expulsion {
    /// Its name, as on the wire and in audit lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kick => "kick",
            Self::Ban { .. } => "ban",
            Self::Unban => "unban",
        }
    }
}

/// Has a user leave a room, or everything where the channel is the user's own; how many connections had to.
///
/// # Errors
/// When the store can't be reached. Doing it again goes on from there.
pub async fn expel<S: Bans + Log + Members, P: Poster, E: Clock>(
    store: &S,
    poster: &P,
    world: &E,
    channel: &Channel,
    user: &UserId,
    expulsion: Expulsion,
) -> PortResult<u64> {
    // INVARIANT: the ban is there before the user's connections are looked at, and whoever comes in looks for a ban after being in. So nobody
    // slips through.
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
    for connection in connections(store, world, user).await? {
        if matches!(channel, Channel::User(_)) {
            // What is left of it when this is cut short is found again by the repeated order, because its membership of the user's channel
            // goes last; or by the next post, which finds it gone.
            dismiss(store, poster, world, &connection, closing).await?;
            expelled += 1;
        } else if store.membership(&connection, channel).await?.is_some() {
            membership::leave(store, &connection, channel, world.now()).await?;
            let frame = write(&ServerFrame::Left { channel: channel.clone(), reason: Some(left) })?;
            poster.post(&[frame], std::slice::from_ref(&connection)).await;
            expelled += 1;
        }
    }
    Ok(expelled)
}

/// All connections of a user.
async fn connections<S: Log + Members, E: Clock>(store: &S, world: &E, user: &UserId) -> PortResult<Vec<ConnectionId>> {
    let channel = Channel::User(user.clone());
    let Some(state) = store.state(&channel).await? else { return Ok(Vec::new()) };
    let mut connections = Vec::new();
    for shard in 0..state.shards {
        let mut after = None;
        loop {
            let page = store.member_page(&channel, shard, after.as_ref(), CONNECTIONS, world.now()).await?;
            connections.extend(page.members.into_iter().map(|member| member.id));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(connections)
}

/// Closes a socket with a last word, and forgets its connection.
///
/// # Errors
/// As [`membership::forget`]. The socket is closed, or as good as closed, all the same.
pub async fn dismiss<S: Members, P: Poster, E: Clock>(
    store: &S,
    poster: &P,
    world: &E,
    connection: &ConnectionId,
    code: ClosingCode,
) -> PortResult<()> {
    poster.close(connection, &write(&ServerFrame::closing(code))?).await;
    membership::forget(store, connection, world.now()).await
}

/// A frame that belongs to no log.
pub(crate) fn write(frame: &ServerFrame<'_>) -> PortResult<Frame> {
    let text = serde_json::to_string(frame).map_err(|error| PortError {
        operation: "write frame",
        detail: error.to_string(),
        retryable: false,
    })?;
    Ok(Frame { text, last: Seq::ZERO })
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::memory::MemoryStore;
    use crate::testing::{Recorder, World, connection, room, user};

    const NOW: u64 = 1_000_000;

    struct Stage {
        store: MemoryStore,
        poster: Recorder,
        world: World,
    }

    /// Alice with two connections and bob with one, all in a room.
    fn stage() -> Stage {
        let stage = Stage { store: MemoryStore::default(), poster: Recorder::default(), world: World::at(NOW) };
        for (id, name) in [("a1", "alice"), ("a2", "alice"), ("b1", "bob")] {
            let one = connection(id, name, NOW);
            block_on(membership::connect(&stage.store, &stage.world, &one, 2_000)).unwrap();
            block_on(membership::join(&stage.store, &stage.world, &one, &room("lobby"), 2_000)).unwrap();
        }
        stage
    }

    fn give(stage: &Stage, channel: &Channel, expulsion: Expulsion) {
        block_on(expel(&stage.store, &stage.poster, &stage.world, channel, &user("alice"), expulsion)).unwrap();
    }

    fn everywhere() -> Channel {
        Channel::User(user("alice"))
    }

    fn members(stage: &Stage, channel: &Channel) -> Vec<String> {
        let page = block_on(stage.store.member_page(channel, 0, None, 10, Timestamp(NOW))).unwrap();
        page.members.into_iter().map(|member| member.id.to_string()).collect()
    }

    fn is_banned(stage: &Stage, channel: &Channel, now: u64) -> bool {
        block_on(stage.store.ban(&user("alice"), channel, Timestamp(now))).unwrap().is_some()
    }

    #[test]
    fn who_is_kicked_from_a_room_leaves_it_with_every_socket_and_is_told() {
        let stage = stage();
        give(&stage, &room("lobby"), Expulsion::Kick);
        assert_eq!(members(&stage, &room("lobby")), ["b1"]);
        assert_eq!(members(&stage, &Channel::Everyone), ["a1", "a2", "b1"], "the sockets stay open");
        let seen = stage.poster.seen();
        assert!(seen.closed.is_empty());
        let told: Vec<&str> = seen.posted.keys().map(ConnectionId::as_str).collect();
        assert_eq!(told, ["a1", "a2"]);
        let expected = r#"{"type":"left","channel":"room:lobby","reason":"kicked"}"#;
        assert_eq!(seen.posted[&ConnectionId::new("a1")], [expected]);
    }

    #[test]
    fn who_is_kicked_everywhere_is_disconnected_with_a_last_word() {
        let stage = stage();
        give(&stage, &everywhere(), Expulsion::Kick);
        assert_eq!(members(&stage, &Channel::Everyone), ["b1"]);
        assert_eq!(members(&stage, &room("lobby")), ["b1"]);
        let seen = stage.poster.seen();
        assert_eq!(seen.closed.len(), 2);
        assert!(seen.closed[0].1.starts_with(r#"{"type":"closing","code":"kicked""#), "{:?}", seen.closed);
        assert!(seen.closed[0].1.ends_with(r#""reconnect":true}"#), "{:?}", seen.closed);
    }

    #[test]
    fn a_ban_lasts_until_its_end_or_until_it_is_taken_back() {
        let stage = stage();
        let ban = Expulsion::Ban { until: Timestamp(NOW + 10) };
        give(&stage, &room("lobby"), ban);
        assert_eq!(members(&stage, &room("lobby")), ["b1"]);
        assert!(is_banned(&stage, &room("lobby"), NOW + 9) && !is_banned(&stage, &room("lobby"), NOW + 10));
        assert!(!is_banned(&stage, &room("other"), NOW) && !is_banned(&stage, &everywhere(), NOW));
        give(&stage, &room("lobby"), Expulsion::Unban);
        assert!(!is_banned(&stage, &room("lobby"), NOW));
        give(&stage, &everywhere(), ban);
        assert!(is_banned(&stage, &everywhere(), NOW));
        assert!(stage.poster.seen().closed[0].1.contains(r#""code":"banned""#));
    }

    #[test]
    fn an_expulsion_that_is_repeated_changes_nothing() {
        let stage = stage();
        for _ in 0..2 {
            give(&stage, &everywhere(), Expulsion::Kick);
        }
        assert_eq!(stage.poster.seen().closed.len(), 2);
    }
}
