//! Signals to the connections that are members now. A signal is not kept and has no sequence. The function that received it posts it once. It is
//! the first to be dropped when posts are short.

use super::small_room::small_room_members;
use crate::delivery::outcome::Outcome;
use crate::limits::budget::Budget;
use crate::members::connection::Connection;
use crate::members::pruning::prune;
use crate::metrics::POSTS;
use crate::ports::{Clock, Limits, Log, Members, Meter, PortResult, Poster, Senders};
use crate::transport::Transport;
use crate::wire::channel::Channel;
use crate::wire::frame::Frame;
use crate::wire::id::{ConnectionId, UserId};
use crate::wire::message::Body;
use crate::wire::server_frame::ServerFrame;

/// How many connections a signal may be posted to for each message of the user's rate.
const CONNECTIONS_A_TURN: usize = 10;

/// How many messages of the user's rate a signal counts as.
pub(crate) fn turns(connections: usize) -> u32 {
    u32::try_from(connections.div_ceil(CONNECTIONS_A_TURN).max(1)).unwrap_or(u32::MAX)
}

/// Posts signals.
#[derive(Debug)]
pub(crate) struct Signals<'a, S, P, E> {
    pub(crate) store: &'a S,
    pub(crate) poster: &'a P,
    pub(crate) env: &'a E,
    pub(crate) budget: Budget,
    pub(crate) transport: &'a Transport,
}

impl<S: Limits + Log + Members + Senders, P: Poster, E: Clock + Meter> Signals<'_, S, P, E> {
    /// A channel's members without the sender's connection. `None` where there are too many.
    pub(crate) async fn others(&self, channel: &Channel, sender: &ConnectionId) -> PortResult<Option<Vec<Connection>>> {
        let Some(state) = self.store.state(channel).await? else { return Ok(Some(Vec::new())) };
        let now = self.env.now();
        let Some(mut members) = small_room_members(self.store, channel, &state, now).await? else { return Ok(None) };
        members.retain(|member| member.id != *sender && !member.has_ended(now));
        Ok(Some(members))
    }

    /// Posts a signal to members, and returns how many got it: none, if the signals of this second have used up their part of the budget.
    pub(crate) async fn post(
        &self,
        channel: &Channel,
        from: &UserId,
        body: Body,
        members: &[Connection],
    ) -> PortResult<u64> {
        let (now, posts) = (self.env.now(), members.len() as u64);
        if posts == 0 {
            return Ok(0);
        }
        let most = self.budget.signal_posts(self.store.is_any_at_work(now).await?);
        if !self.store.take_posts(now.0 / 1_000, posts, most).await? {
            tracing::debug!(%channel, "signal dropped");
            return Ok(0);
        }
        let frame = Frame::beside_the_log(&ServerFrame::Signal {
            channel: channel.clone(),
            from: from.clone(),
            at: now,
            body,
        })?;
        let ids: Vec<ConnectionId> = members.iter().map(|member| member.id.clone()).collect();
        let outcomes = self.poster.try_post(&frame, &ids).await;
        self.env.record(POSTS, posts);
        let gone = members.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Outcome::Gone);
        prune(self.store, self.env, self.transport, gone.map(|(member, _)| member), now).await;
        Ok(outcomes.iter().filter(|outcome| **outcome == Outcome::Delivered).count() as u64)
    }
}
