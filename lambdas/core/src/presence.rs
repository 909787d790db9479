//! Presence: who comes and goes in a small room, told to those who asked for it.
//!
//! Whoever changes a shard's count learns with it whether somebody watches, and asks for an announcement unless one is under way. It comes about a
//! second later and posts who is there, all of them, as one frame. So a storm of joins is one frame, and whoever missed a frame, or watches only
//! since, knows everything from the next one.
//!
//! It is a service of best effort: nothing of it may fail a join or a delivery, and `who` tells the truth.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::channel::Channel;
use crate::expulsion::write;
use crate::fan_out::prune;
use crate::id::{ConnectionId, UserId};
use crate::member::{Connection, MAX_CONNECTION_AGE, Shard};
use crate::metrics::POSTS;
use crate::outcome::Outcome;
use crate::ports::{Announced, ChannelState, Clock, Count, Log, Members, Meter, PortResult, Poster, Roll};
use crate::protocol::{Presence, ServerFrame};
use crate::rate::Rate;
use crate::time::Timestamp;

/// The most members of a room that tells who comes and goes, and that signals are posted in.
pub const MAX_COMPANY: usize = 100;

/// The most shards of a room that tells and takes signals, each of which is a read. Shards stay when members go.
const MAX_SHARDS: u32 = 128;

/// How many of them are read at a time.
const SHARDS_AT_ONCE: usize = 16;

/// How long after the first change an announcement comes: a room has one a second at most.
pub const ANNOUNCED_AFTER: Duration = Duration::from_secs(1);

/// How long an announcement that is due may be under way before it counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// The most watchers that are told at a time. They may be more than the room's members were: those who joined in the second in which it
/// became too large.
const MAX_TOLD: usize = 1_000;

/// Has a change of a room's members announced, if somebody watches it. Whoever claims the announcement asks for it; the others know that
/// it will see their change, because a claim ends before an announcement reads the members.
pub(crate) async fn notice<S: Members>(store: &S, channel: &Channel, count: Count, now: Timestamp) {
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
            // Or nobody could claim it for a while.
            store.begin_announcement(channel).await?;
            return Err(error);
        }
        PortResult::Ok(())
    };
    if let Err(error) = requested.await {
        tracing::warn!(%channel, %error, "presence not announced");
    }
}

/// Ends a member's watch, where there may be one. What is left of it when this fails belongs to no member, so that it is told of nobody; only
/// that a room has become too large.
pub(crate) async fn unwatch<S: Members>(store: &S, channel: &Channel, id: &ConnectionId, count: Count, now: Timestamp) {
    if count.watch.is_some_and(|watch| now < watch.until)
        && let Err(error) = store.remove_watcher(channel, id).await
    {
        tracing::warn!(%channel, connection.id = %id, %error, "still a watcher");
    }
}

/// A small channel's members; nothing where they are more than [`MAX_COMPANY`], or in more than [`MAX_SHARDS`] shards. For each shard, a read
/// unit for each 4 KiB.
pub(crate) async fn company<S: Members>(
    store: &S,
    channel: &Channel,
    state: &ChannelState,
    now: Timestamp,
) -> PortResult<Option<Vec<Connection>>> {
    if state.shards > MAX_SHARDS {
        return Ok(None);
    }
    let mut shards =
        stream::iter((0..state.shards).map(|shard| shard_company(store, channel, shard, now))).buffered(SHARDS_AT_ONCE);
    let mut members = Vec::new();
    while let Some(shard) = shards.try_next().await? {
        members.extend(shard);
        if members.len() > MAX_COMPANY {
            return Ok(None);
        }
    }
    Ok(Some(members))
}

/// A shard's members, or the first of them where they are too many.
async fn shard_company<S: Members>(
    store: &S,
    channel: &Channel,
    shard: Shard,
    now: Timestamp,
) -> PortResult<Vec<Connection>> {
    // The count's row, and one member more than may be. Expired rows are read as well, so that there may be more behind them.
    let (limit, mut after, mut members, mut count) = (MAX_COMPANY + 2, None, Vec::new(), None);
    while members.len() <= MAX_COMPANY {
        let page = store.member_page(channel, shard, after.as_ref(), limit, now).await?;
        members.extend(page.members);
        count = count.or(page.count);
        match page.next {
            Some(next) => after = Some(next),
            None => {
                mend_count(store, channel, shard, count, members.len() as u64).await;
                break;
            }
        }
    }
    Ok(members)
}

/// Corrects a count that keeps changes from being announced, though the members are few enough. Counts that are wrong by less do no harm here, and
/// whoever joins meanwhile would make another wrong.
async fn mend_count<S: Members>(store: &S, channel: &Channel, shard: Shard, count: Option<u64>, members: u64) {
    if let Some(count) = count.filter(|count| is_too_many(*count) && !is_too_many(members))
        && let Err(error) = store.correct_count(channel, shard, count, members).await
    {
        tracing::warn!(%channel, shard, %error, "the members' count is still too high");
    }
}

/// Whether a shard has so many members that their changes are not announced. One more than may be are, so that the room's becoming too large is.
fn is_too_many(members: u64) -> bool {
    members > MAX_COMPANY as u64 + 1
}

/// The users of connections, each once, in their order.
fn users(members: &[Connection]) -> Vec<UserId> {
    let users: BTreeSet<&UserId> = members.iter().map(|member| &member.user).collect();
    users.into_iter().cloned().collect()
}

/// Makes a member a watcher, and says who is there.
///
/// # Errors
/// When the store can't be reached. Watching again goes on from there.
pub(crate) async fn watch<S: Log + Members>(
    store: &S,
    channel: &Channel,
    state: &ChannelState,
    watcher: &Connection,
    now: Timestamp,
) -> PortResult<Presence> {
    // INVARIANT: the watcher is noted before the members are read, and an announcement reads the watchers behind the members. So whoever
    // comes or goes is either in this answer or in an announcement that is posted to the watcher.
    store.put_watcher(channel, watcher).await?;
    let (mut noted, mut state) = (0, state.clone());
    // Shards that were added meanwhile, by somebody who couldn't know of the watcher, are noted as well.
    while noted < state.shards.min(MAX_SHARDS) {
        watch_shards(store, channel, noted..state.shards, watcher.expires()).await?;
        noted = state.shards;
        if let Some(newer) = store.state(channel).await? {
            state = newer;
        }
    }
    match company(store, channel, &state, now).await? {
        Some(members) => Ok(Presence::of(users(&members))),
        None => Ok(Presence::paused(count(store, channel, &state).await?)),
    }
}

/// Notes with shards that somebody watches, as far as a room may have shards that tells who comes and goes.
pub(crate) async fn watch_shards<S: Members>(
    store: &S,
    channel: &Channel,
    shards: Range<Shard>,
    until: Timestamp,
) -> PortResult<()> {
    store.watch_shards(channel, shards.start.min(MAX_SHARDS)..shards.end.min(MAX_SHARDS), until).await
}

async fn count<S: Members>(store: &S, channel: &Channel, state: &ChannelState) -> PortResult<u64> {
    Ok(store.counts(channel, state.shards).await?.iter().sum())
}

/// Announces who is in rooms, to those who watch.
#[derive(Clone, Debug)]
pub struct Announcer<S, P, E> {
    /// The members.
    pub store: S,
    /// The sockets, at [`Announcer::rate`], which deliveries take nothing from.
    pub poster: P,
    /// Time, and a meter.
    pub world: E,
    /// How fast the poster posts.
    pub rate: Rate,
}

impl<S: Log + Members, P: Poster, E: Clock + Meter> Announcer<S, P, E> {
    /// Announces who has come to rooms and gone from them. What fails and may succeed later is asked for again, rather than held up by the
    /// queue, behind which the room's next announcements would wait.
    ///
    /// One room comes after the other, so that what is done is noted by `deadline`, and the rest is asked for again.
    pub async fn announce(&self, channels: &BTreeSet<Channel>, deadline: Timestamp) {
        for channel in channels {
            let seconds = deadline.since(self.world.now()).as_secs();
            let most = usize::try_from(seconds.saturating_mul(self.rate.per_second.into())).unwrap_or(usize::MAX);
            if most == 0 {
                self.ask_again(channel).await;
                continue;
            }
            if let Err(error) = self.announce_room(channel, most).await {
                tracing::error!(%channel, %error, "not announced");
                if error.is_retryable() {
                    self.ask_again(channel).await;
                }
            }
        }
    }

    async fn ask_again(&self, channel: &Channel) {
        let due = self.world.now().plus(ANNOUNCED_AFTER);
        if let Err(error) = self.store.request_announcement(channel, due).await {
            tracing::error!(%channel, %error, "not asked for again");
        }
    }

    /// Announces who is in a room, or once that they have become too many. At most `most` are told, as many as there is time for.
    ///
    /// # Errors
    /// When the store can't be reached. Doing it again posts the same once more, which changes nothing for whoever got it.
    async fn announce_room(&self, channel: &Channel, most: usize) -> PortResult<()> {
        // INVARIANT: the claim ends first. Whoever changes the members from here on asks for the next announcement.
        self.store.begin_announcement(channel).await?;
        let Some(state) = self.store.state(channel).await? else { return Ok(()) };
        let now = self.world.now();
        let members = company(&self.store, channel, &state, now).await?;
        // INVARIANT: the watchers are read behind the members; `watch` says why.
        let Roll { announced: last, watchers } = self.store.roll(channel, now).await?;
        if members.is_none() && last.as_ref().is_some_and(|last| last.paused) {
            return Ok(());
        }
        // Later than the one before, so that a client can tell which is newer.
        let at = last.as_ref().map_or(now, |last| Timestamp(now.0.max(last.at.0 + 1)));
        let mut told: Vec<ConnectionId> = match &members {
            Some(members) => {
                let watching: BTreeSet<&ConnectionId> = watchers.iter().collect();
                let alive = members.iter().filter(|member| !member.has_ended(now)).map(|member| &member.id);
                alive.filter(|id| watching.contains(id)).cloned().collect()
            }
            None => watchers,
        };
        told.truncate(most.min(MAX_TOLD));
        let presence = match &members {
            Some(members) => Presence::of(users(members)),
            None => Presence::paused(count(&self.store, channel, &state).await?),
        };
        let frame = write(&ServerFrame::Presence { channel: channel.clone(), at, presence: presence.clone() })?;
        // Noted behind the posts: who dies in between announces the same again.
        let outcomes = self.poster.post(std::slice::from_ref(&frame), &told).await;
        self.world.record(POSTS, told.len() as u64);
        let announced = Announced { at, paused: presence.paused, expires: now.plus(MAX_CONNECTION_AGE) };
        self.store.put_announced(channel, last.map(|last| last.at), &announced).await?;
        tracing::info!(%channel, count = presence.count, watchers = told.len(), "announced");
        let members = members.unwrap_or_default();
        prune(&self.store, &self.world, members.iter().filter(|member| is_gone(member, &told, &outcomes)), now).await;
        Ok(())
    }
}

fn is_gone(member: &Connection, told: &[ConnectionId], outcomes: &[Outcome]) -> bool {
    told.iter().zip(outcomes).any(|(id, outcome)| *id == member.id && *outcome == Outcome::Gone)
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::id::Epoch;
    use crate::membership;
    use crate::memory::MemoryStore;
    use crate::ports::Presences;
    use crate::testing::{Recorder, World, connection, room, user};

    const NOW: u64 = 1_000_000;

    struct Stage {
        store: MemoryStore,
        poster: Recorder,
        world: World,
    }

    impl Stage {
        fn new() -> Self {
            Self { store: MemoryStore::default(), poster: Recorder::default(), world: World::at(NOW) }
        }

        fn join(&self, id: &str, name: &str) {
            let one = connection(id, name, NOW - 60_000);
            block_on(membership::join(&self.store, &self.world, &one, &room("a"), 2_000)).unwrap();
        }

        fn leave(&self, id: &str) {
            block_on(membership::leave(&self.store, &ConnectionId::new(id), &room("a"), self.world.now())).unwrap();
        }

        fn watch(&self, id: &str, name: &str) -> Presence {
            self.join(id, name);
            let state = block_on(self.store.open(&room("a"), &Epoch::new("E"))).unwrap();
            let one = connection(id, name, NOW - 60_000);
            block_on(watch(&self.store, &room("a"), &state, &one, self.world.now())).unwrap()
        }

        /// An announcer that posts one frame a second.
        fn announcer(&self) -> Announcer<MemoryStore, Recorder, World> {
            let Self { store, poster, world } = self;
            let rate = Rate { per_second: 1, burst: 1 };
            Announcer { store: store.clone(), poster: poster.clone(), world: world.clone(), rate }
        }

        fn announce(&self) {
            self.announce_within(1_000);
        }

        /// Announces with so many seconds left.
        fn announce_within(&self, seconds: u64) {
            let deadline = self.world.now().plus(Duration::from_secs(seconds));
            block_on(self.announcer().announce(&BTreeSet::from([room("a")]), deadline));
        }

        /// What a connection was posted since this was called last.
        fn told(&self, id: &str) -> Vec<String> {
            self.poster.seen().posted.remove(&ConnectionId::new(id)).unwrap_or_default()
        }

        fn requested(&self) -> usize {
            self.store.take_requested().len()
        }
    }

    #[test]
    fn a_storm_of_joins_is_one_announcement_and_one_frame() {
        let stage = Stage::new();
        let presence = stage.watch("w", "watcher");
        assert_eq!(presence, Presence::of(vec![user("watcher")]));
        for number in 0..50 {
            stage.join(&format!("c{number}"), &format!("u{number:02}"));
        }
        assert_eq!(stage.requested(), 1);
        stage.announce();
        let told = stage.told("w");
        assert_eq!(told.len(), 1);
        let frame: serde_json::Value = serde_json::from_str(&told[0]).unwrap();
        assert_eq!((&frame["type"], &frame["channel"]), (&"presence".into(), &"room:a".into()));
        assert_eq!((&frame["count"], frame["users"].as_array().unwrap().len()), (&51.into(), 51));
        assert_eq!(stage.told("c0"), Vec::<String>::new(), "who didn't ask isn't told");
        stage.leave("c0");
        assert_eq!(stage.requested(), 1, "the claim has ended");
        stage.announce();
        let told: serde_json::Value = serde_json::from_str(&stage.told("w").concat()).unwrap();
        assert_eq!((&told["at"], &told["count"]), (&1_000_001.into(), &50.into()));
        assert!(!told["users"].as_array().unwrap().contains(&"u00".into()));
    }

    /// The frame that tells of these users.
    fn frame(at: u64, users: &[&str]) -> String {
        let (count, users) = (users.len(), serde_json::to_string(users).unwrap());
        format!(r#"{{"type":"presence","channel":"room:a","at":{at},"count":{count},"users":{users}}}"#)
    }

    #[test]
    fn a_user_with_several_sockets_is_there_once_and_until_the_last_one_leaves() {
        let stage = Stage::new();
        stage.watch("w", "watcher");
        stage.join("a1", "alice");
        stage.join("a2", "alice");
        stage.announce();
        assert_eq!(stage.told("w"), [frame(NOW, &["alice", "watcher"])]);
        stage.leave("a1");
        stage.announce();
        assert_eq!(stage.told("w"), [frame(NOW + 1, &["alice", "watcher"])]);
        stage.leave("a2");
        stage.announce();
        assert_eq!(stage.told("w"), [frame(NOW + 2, &["watcher"])]);
    }

    #[test]
    fn who_was_there_when_the_first_one_began_to_watch_is_gone_in_the_next_frame() {
        let stage = Stage::new();
        stage.join("x", "xenia");
        assert_eq!(stage.watch("w", "watcher"), Presence::of(vec![user("watcher"), user("xenia")]));
        stage.leave("x");
        stage.announce();
        assert_eq!(stage.told("w"), [frame(NOW, &["watcher"])]);
    }

    #[test]
    fn who_was_away_while_somebody_began_to_watch_is_there_in_the_next_frame() {
        let stage = Stage::new();
        stage.watch("a", "alice");
        stage.join("x", "xenia");
        stage.announce();
        stage.leave("x");
        assert_eq!(stage.watch("w", "watcher"), Presence::of(vec![user("alice"), user("watcher")]));
        stage.join("x", "xenia");
        stage.announce();
        assert_eq!(stage.told("w"), [frame(NOW + 1, &["alice", "watcher", "xenia"])]);
    }

    #[test]
    fn what_was_posted_by_somebody_who_died_before_noting_it_changes_nothing() {
        let stage = Stage::new();
        stage.watch("w", "watcher");
        stage.join("x", "xenia");
        let last = block_on(stage.store.roll(&room("a"), stage.world.now())).unwrap().announced;
        stage.announce();
        stage.told("w");
        // As if the announcement had not been noted.
        assert_eq!(last, None);
        let forgotten = Announced { at: Timestamp(1), paused: false, expires: Timestamp(NOW * 2) };
        assert!(block_on(stage.store.put_announced(&room("a"), Some(Timestamp(NOW)), &forgotten)).unwrap());
        stage.leave("x");
        stage.announce();
        assert_eq!(stage.told("w"), [frame(NOW, &["watcher"])]);
    }

    #[test]
    fn who_may_not_be_told_any_more_is_not_and_there_are_no_more_than_there_is_time_for() {
        let stage = Stage::new();
        stage.watch("w", "watcher");
        stage.watch("x", "xenia");
        stage.announce_within(1);
        assert_eq!(stage.told("w").len() + stage.told("x").len(), 1);
    }

    #[test]
    fn a_room_for_which_there_is_no_time_is_asked_for_again_and_deliveries_keep_their_rate() {
        let stage = Stage::new();
        stage.watch("w", "watcher");
        stage.join("a", "alice");
        assert_eq!(stage.requested(), 1);
        stage.announce_within(0);
        assert_eq!((stage.told("w").len(), stage.requested()), (0, 1));
        stage.announce();
        assert_eq!((stage.told("w").len(), stage.requested()), (1, 0));
        assert_eq!(stage.poster.seen().limits, []);
    }

    #[test]
    fn a_room_that_nobody_watches_asks_for_no_announcement() {
        let stage = Stage::new();
        stage.join("a", "alice");
        stage.leave("a");
        assert_eq!(stage.requested(), 0);
    }

    #[test]
    fn an_announcement_that_is_lost_is_asked_for_again_later() {
        let stage = Stage::new();
        stage.watch("w", "watcher");
        stage.join("a", "alice");
        stage.join("b", "bob");
        assert_eq!(stage.requested(), 1);
        stage.world.set(NOW + 31_000);
        stage.leave("a");
        assert_eq!(stage.requested(), 1);
        stage.announce();
        assert_eq!(stage.told("w"), [frame(NOW + 31_000, &["bob", "watcher"])]);
    }

    #[test]
    fn a_room_above_a_hundred_says_so_once_and_tells_again_when_it_is_small() {
        let stage = Stage::new();
        stage.watch("w", "watcher");
        for number in 0..99 {
            stage.join(&format!("c{number}"), &format!("u{number:02}"));
        }
        stage.announce();
        assert!(stage.told("w").concat().contains(r#""count":100"#));
        stage.requested();
        stage.join("c99", "u99");
        assert_eq!(stage.requested(), 1);
        stage.announce();
        let paused = r#"{"type":"presence","channel":"room:a","at":1000001,"count":101,"paused":true}"#;
        assert_eq!(stage.told("w"), [paused]);
        assert_eq!(stage.watch("late", "late"), Presence::paused(102));
        stage.join("c100", "more");
        stage.requested();
        stage.announce();
        assert_eq!(stage.told("w"), Vec::<String>::new(), "it has been said");
        for id in ["c100", "c99", "c98"] {
            stage.leave(id);
        }
        assert_eq!(stage.requested(), 1);
        stage.announce();
        let told: serde_json::Value = serde_json::from_str(&stage.told("w").concat()).unwrap();
        assert_eq!((&told["count"], told["users"].as_array().unwrap().len()), (&100.into(), 100));
        assert_eq!(stage.told("late").len(), 1, "who came while it was paused is told as well");
    }

    #[test]
    fn a_count_that_is_too_high_keeps_a_room_paused_until_somebody_reads_the_members() {
        let stage = Stage::new();
        stage.watch("w", "watcher");
        let drift = MAX_COMPANY as i64 + 1;
        block_on(stage.store.add_to_count(&room("a"), 0, drift)).unwrap();
        stage.join("a", "alice");
        assert_eq!(stage.requested(), 0);
        stage.watch("x", "xenia");
        assert_eq!(block_on(stage.store.counts(&room("a"), 1)).unwrap(), [3]);
        stage.join("b", "bob");
        assert_eq!(stage.requested(), 1);
    }

    #[test]
    fn a_socket_that_has_gone_is_pruned_by_the_announcement_and_has_left_in_the_next() {
        let stage = Stage::new();
        stage.watch("w", "watcher");
        stage.watch("g", "ghost");
        stage.announce();
        stage.requested();
        stage.poster.outcome("g", Outcome::Gone);
        stage.join("a", "alice");
        stage.announce();
        stage.told("w");
        assert_eq!(stage.requested(), 2, "the one for alice, and one for the ghost");
        stage.announce();
        let told = stage.told("w").concat();
        assert!(told.contains(r#""users":["alice","watcher"]"#), "{told}");
    }

    #[test]
    fn who_leaves_or_does_not_want_to_know_any_more_is_not_told() {
        let stage = Stage::new();
        for (id, name) in [("w", "watcher"), ("x", "tired"), ("y", "away")] {
            stage.watch(id, name);
        }
        block_on(stage.store.remove_watcher(&room("a"), &ConnectionId::new("x"))).unwrap();
        stage.leave("y");
        stage.join("y", "away");
        stage.announce();
        let told = ["w", "x", "y"].map(|id| stage.told(id).len());
        assert_eq!(told, [1, 0, 0]);
    }
}
