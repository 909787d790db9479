//! Signals: something for those who are there now, such as that somebody types. A signal is not kept and has no sequence; it is posted once by
//! whoever received it, and is the first to be dropped when posts are short.

use crate::channel::Channel;
use crate::expulsion::write;
use crate::fan_out::prune;
use crate::id::{ConnectionId, UserId};
use crate::member::Connection;
use crate::message::Body;
use crate::metrics::POSTS;
use crate::outcome::Outcome;
use crate::ports::{Clock, Limits, Log, Members, Meter, PortResult, Poster, Senders};
use crate::presence::company;
use crate::protocol::ServerFrame;
use crate::rate::Budget;

/// How many connections a signal may be posted to for each message of the user's rate.
const CONNECTIONS_A_TURN: usize = 10;

/// How many messages of the user's rate a signal counts as.
pub(crate) fn turns(connections: usize) -> u32 {
    u32::try_from(connections.div_ceil(CONNECTIONS_A_TURN).max(1)).unwrap_or(u32::MAX)
}

/// Posts signals.
#[derive(Debug)]
pub(crate) struct Signal<'a, S, P, E> {
    pub(crate) store: &'a S,
    pub(crate) poster: &'a P,
    pub(crate) world: &'a E,
    pub(crate) budget: Budget,
}

impl<S: Limits + Log + Members + Senders, P: Poster, E: Clock + Meter> Signal<'_, S, P, E> {
    /// A channel's members but for the sender's connection; nothing where they are too many.
    pub(crate) async fn others(&self, channel: &Channel, sender: &ConnectionId) -> PortResult<Option<Vec<Connection>>> {
        let Some(state) = self.store.state(channel).await? else { return Ok(Some(Vec::new())) };
        let now = self.world.now();
        let Some(mut members) = company(self.store, channel, &state, now).await? else { return Ok(None) };
        members.retain(|member| member.id != *sender && !member.has_ended(now));
        Ok(Some(members))
    }

    /// Posts a signal to members; to how many of them. To none, if all signals of this second have used up their part of the budget.
    pub(crate) async fn post(
        &self,
        channel: &Channel,
        from: &UserId,
        body: Body,
        members: &[Connection],
    ) -> PortResult<u64> {
        let (now, posts) = (self.world.now(), members.len() as u64);
        if posts == 0 {
            return Ok(0);
        }
        let most = self.budget.signal_posts(self.store.is_any_at_work(now).await?);
        if !self.store.take_posts(now.0 / 1_000, posts, most).await? {
            tracing::debug!(%channel, "signal dropped");
            return Ok(0);
        }
        let frame = write(&ServerFrame::Signal { channel: channel.clone(), from: from.clone(), at: now, body })?;
        let ids: Vec<ConnectionId> = members.iter().map(|member| member.id.clone()).collect();
        let outcomes = self.poster.try_post(&frame, &ids).await;
        self.world.record(POSTS, posts);
        let gone = members.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Outcome::Gone);
        prune(self.store, self.world, gone.map(|(member, _)| member), now).await;
        Ok(outcomes.iter().filter(|outcome| **outcome == Outcome::Delivered).count() as u64)
    }
}
