//! Announcing the users of rooms to the members who watch.

use std::collections::BTreeSet;

use super::notice::ANNOUNCED_AFTER;
use super::small_room::{count, small_room_members, users};
use crate::delivery::outcome::Outcome;
use crate::limits::pace::Rate;
use crate::members::connection::Connection;
use crate::members::pruning::prune;
use crate::metrics::POSTS;
use crate::ports::{Announced, Clock, Log, Members, Meter, PortResult, Poster, PresenceSnapshot};
use crate::transport::Transport;
use crate::wire::channel::Channel;
use crate::wire::frame::Frame;
use crate::wire::id::ConnectionId;
use crate::wire::server_frame::{Presence, ServerFrame};
use crate::wire::time::Timestamp;

/// The most watchers that are told at a time. They can be more than a small room's members: those who joined in the second in which it became
/// too large.
const MAX_TOLD: usize = 1_000;

/// Announces the users of rooms to the members who watch.
#[derive(Clone, Debug)]
pub struct Announcer<S, P, E> {
    /// The members.
    pub store: S,
    /// The sockets, at [`Announcer::rate`]. Deliveries take nothing from it.
    pub poster: P,
    /// Time, and a meter.
    pub env: E,
    /// How fast the poster posts.
    pub rate: Rate,
    /// The transport's limits.
    pub transport: Transport,
}

impl<S: Log + Members, P: Poster, E: Clock + Meter> Announcer<S, P, E> {
    /// Announces the users of rooms. A room that fails, and may succeed later, is requested again instead of being left to the queue, which
    /// would hold up the room's next announcements.
    ///
    /// Rooms are announced one after the other, so that those that are done are noted by `deadline`. The others are requested again.
    pub async fn announce(&self, channels: &BTreeSet<Channel>, deadline: Timestamp) {
        for channel in channels {
            let seconds = deadline.since(self.env.now()).as_secs();
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
        let due = self.env.now().plus(ANNOUNCED_AFTER);
        if let Err(error) = self.store.request_announcement(channel, due).await {
            tracing::error!(%channel, %error, "not asked for again");
        }
    }

    /// Announces the users of a room; or, once, that there are too many. At most `most` watchers are told, as many as there is time for.
    ///
    /// # Errors
    /// When the store can't be reached. Doing it again posts the same frame once more, which changes nothing for its receivers.
    async fn announce_room(&self, channel: &Channel, most: usize) -> PortResult<()> {
        // INVARIANT: the claim ends first. A change of the members from here on requests the next announcement.
        self.store.begin_announcement(channel).await?;
        let Some(state) = self.store.state(channel).await? else { return Ok(()) };
        let now = self.env.now();
        let members = small_room_members(&self.store, channel, &state, now).await?;
        // INVARIANT: the watchers are read after the members; `watch` says why.
        let PresenceSnapshot { announced: last, watchers } = self.store.presence_snapshot(channel, now).await?;
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
        let frame =
            Frame::beside_the_log(&ServerFrame::Presence { channel: channel.clone(), at, presence: presence.clone() })?;
        // Noted after the posts: a crash in between announces the same again.
        let outcomes = self.poster.post(std::slice::from_ref(&frame), &told).await;
        self.env.record(POSTS, told.len() as u64);
        let announced = Announced { at, paused: presence.paused, expires: now.plus(self.transport.max_connection_age) };
        self.store.put_announced(channel, last.map(|last| last.at), &announced).await?;
        tracing::info!(%channel, count = presence.count, watchers = told.len(), "announced");
        let members = members.unwrap_or_default();
        let gone = members.iter().filter(|member| is_gone(member, &told, &outcomes));
        prune(&self.store, &self.env, &self.transport, gone, now).await;
        Ok(())
    }
}

fn is_gone(member: &Connection, told: &[ConnectionId], outcomes: &[Outcome]) -> bool {
    told.iter().zip(outcomes).any(|(id, outcome)| *id == member.id && *outcome == Outcome::Gone)
}
