//! Broadcasts: delivering a large channel in rounds, under a lease, by the state machine.
//!
//! A round is a range of the log that goes to every page of members. While it is under way, new messages only move the head; the next
//! round takes them all together. The broadcast ends when the lease could be given back, which the log allows only while nothing is
//! unsent: publishers move the head first and look at the lease second, so no wake-up is lost.

use std::time::Duration;

use super::page::plan_pages;
use super::round::{Next, PageReport, Plan, PlanInput, Round, Totals};
use crate::delivery::age::{choose, record_ages};
use crate::delivery::settlement::{Settlement, settle};
use crate::limits::budget::Budget;
use crate::log::lease;
use crate::log::lease::Lease;
use crate::log::read::read_range;
use crate::log::state::ChannelState;
use crate::metrics::{ROUND_TIME, milliseconds};
use crate::ports::{Broadcasts, Clock, Log, Members, Meter, PortError, PortResult, Poster, ReadLimit, Receipts};
use crate::transport::Transport;
use crate::wire::channel::Channel;
use crate::wire::frame::pack;
use crate::wire::id::LeaseId;
use crate::wire::time::Timestamp;

/// History events of a round besides its pages': the plan, the choice and the Map (docs.aws.amazon.com/step-functions, quotas).
const EVENTS_OF_A_ROUND: u64 = 12;
/// History events of a page without retries.
const EVENTS_OF_A_PAGE: u64 = 7;
/// How often planning looks again when the head moved just as the lease was to be given back.
const ATTEMPTS: usize = 16;

/// Plans a channel's broadcast.
#[derive(Clone, Debug)]
pub struct Planner<S, B, P, E> {
    /// The log, the lease and the counts.
    pub store: S,
    /// For the handover to a fresh execution.
    pub broadcasts: B,
    /// For receipts.
    pub poster: P,
    /// Time, and a meter.
    pub env: E,
    /// How long a lease lasts; longer than a round's slowest page.
    pub lease: Duration,
    /// Members for each page, about.
    pub page_members: u64,
    /// Frames in a round, at most.
    pub round_frames: u64,
    /// History events after which a fresh execution takes over.
    pub history_events: u64,
    /// The callback budget, which says how many pages are under way at once.
    pub budget: Budget,
    /// How long receipts are kept.
    pub retention: Duration,
    /// The transport's limits.
    pub transport: Transport,
}

impl<S: Log + Members + Receipts, B: Broadcasts, P: Poster, E: Clock + Meter> Planner<S, B, P, E> {
    /// Settles the round that is done, and plans the next. Doing it twice is harmless.
    ///
    /// # Errors
    /// When the store or the state machine can't be reached.
    pub async fn plan(&self, input: PlanInput) -> PortResult<Plan> {
        let PlanInput { channel, lease, round, reports, totals } = input;
        let totals = add_round(totals, round.as_ref(), &reports);
        if let Some(round) = &round {
            self.settle(&channel, round, &reports).await?;
        }
        let next = self.next(&channel, &lease, round.as_ref()).await?;
        Ok(Plan { next, channel, lease, totals })
    }

    async fn settle(&self, channel: &Channel, round: &Round, reports: &[PageReport]) -> PortResult<()> {
        let Round { epoch, from, to, .. } = round;
        let messages = if round.receipts {
            read_range(&self.store, &self.env, channel, epoch, (*from, *to)).await?
        } else {
            Vec::new()
        };
        let tally = reports.iter().map(|report| report.tally).sum();
        let settlement = Settlement { channel, epoch, to: *to, messages: &messages, tally, retention: self.retention };
        settle(&self.store, &self.poster, &self.env, settlement).await?;
        let now = self.env.now();
        self.env.record(ROUND_TIME, milliseconds(now.since(round.begun_at)));
        record_ages(&self.env, now, round.taken_at.iter().copied());
        Ok(())
    }

    async fn next(&self, channel: &Channel, lease: &LeaseId, done: Option<&Round>) -> PortResult<Next> {
        for _ in 0..ATTEMPTS {
            let Some(state) = self.store.state(channel).await? else {
                return Ok(Next::LostLease);
            };
            if state.lease.as_ref().is_none_or(|held| held.id != *lease) {
                return self.follow_up(channel, lease, &state).await;
            }
            if state.sent >= state.head {
                if self.store.release_lease(channel, lease).await? {
                    return Ok(Next::Settled);
                }
                continue;
            }
            let counts = self.store.counts(channel, state.shards).await?;
            let pages = plan_pages(&counts, self.page_members);
            let events = done
                .map_or(0, |round| round.events)
                .saturating_add(EVENTS_OF_A_ROUND + EVENTS_OF_A_PAGE * pages.len() as u64);
            if done.is_some() && events > self.history_events {
                return self.hand_over(channel, lease).await;
            }
            let renewed = Lease { id: lease.clone(), until: self.env.now().plus(self.lease) };
            if !self.store.replace_lease(channel, lease, &renewed).await? {
                continue;
            }
            let concurrency = self.budget.page_senders();
            let senders = concurrency.min(u32::try_from(pages.len()).unwrap_or(u32::MAX));
            let Some(round) = self.next_round(channel, &state, done, events, senders).await? else {
                // Nothing of the range is left: retention has passed.
                self.store.settle(channel, &state.epoch, state.head).await?;
                continue;
            };
            return Ok(Next::Round { round, pages, concurrency });
        }
        Err(PortError {
            operation: "plan broadcast",
            detail: format!("the state of `{channel}` changed {ATTEMPTS} times under the planner"),
            retryable: true,
        })
    }

    /// The messages after `sent`, as many as a round holds.
    async fn next_round(
        &self,
        channel: &Channel,
        state: &ChannelState,
        done: Option<&Round>,
        events: u64,
        senders: u32,
    ) -> PortResult<Option<Round>> {
        let round_frames = self.round_frames.min(self.budget.round_frames(self.page_members));
        let round_frames = usize::try_from(round_frames).unwrap_or(usize::MAX);
        let limit =
            ReadLimit { messages: usize::MAX, bytes: round_frames.saturating_mul(self.transport.max_frame_bytes) };
        let mut messages = self.store.read(channel, &state.epoch, state.sent, limit, self.env.now()).await?;
        messages.retain(|message| message.seq <= state.head);
        let frames = pack(channel, &state.epoch, &messages, self.transport.max_frame_bytes)?;
        let count = frames.len().min(round_frames);
        let Some(to) = frames.get(..count).and_then(<[_]>::last).map(|frame| frame.last) else { return Ok(None) };
        messages.retain(|message| message.seq <= to);
        let taken_at: Vec<Timestamp> = messages.iter().map(|message| message.at).collect();
        Ok(Some(Round {
            number: done.map_or(0, |round| round.number).saturating_add(1),
            epoch: state.epoch.clone(),
            from: state.sent,
            to,
            frames: u32::try_from(count).unwrap_or(u32::MAX),
            events,
            senders,
            begun_at: self.env.now(),
            taken_at: choose(&taken_at),
            receipts: messages.iter().any(|message| message.receipt.is_some()),
        }))
    }

    async fn hand_over(&self, channel: &Channel, lease: &LeaseId) -> PortResult<Next> {
        let next = Lease { id: lease::successor(lease), until: self.env.now().plus(self.lease) };
        if !self.store.replace_lease(channel, lease, &next).await? {
            return Ok(Next::LostLease);
        }
        self.broadcasts.start(channel, &next.id).await?;
        tracing::info!(%channel, lease = %next.id, "handed over");
        Ok(Next::HandedOver)
    }

    /// The lease is no longer this execution's. Where it went to its successor, the handover may have been cut short before the start,
    /// so the start is repeated, which is harmless.
    async fn follow_up(&self, channel: &Channel, lease: &LeaseId, state: &ChannelState) -> PortResult<Next> {
        let successor = lease::successor(lease);
        if state.lease.as_ref().is_some_and(|held| held.id == successor) {
            self.broadcasts.start(channel, &successor).await?;
            return Ok(Next::HandedOver);
        }
        Ok(Next::LostLease)
    }
}

fn add_round(mut totals: Totals, round: Option<&Round>, reports: &[PageReport]) -> Totals {
    if round.is_some() {
        totals.rounds = totals.rounds.saturating_add(1);
    }
    for report in reports {
        if report.error.is_some() {
            totals.failed_pages = totals.failed_pages.saturating_add(1);
        } else {
            totals.pages = totals.pages.saturating_add(1);
        }
        totals.tally += report.tally;
    }
    totals
}
