//! Broadcasts: delivering a large channel in rounds, under a lease, by the state machine.
//!
//! A round is a range of the log that goes to every page of members. While it is under way, new messages only move the head; the next
//! round takes them all together. The broadcast ends when the lease could be given back, which the log allows only while nothing is
//! unsent: publishers move the head first and look at the lease second, so no wake-up is lost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::fan_out::{FanOut, Share, closes, frames, read_range};
use crate::frame::MAX_FRAME_BYTES;
use crate::id::{Epoch, LeaseId};
use crate::lease::{self, Lease};
use crate::message::Seq;
use crate::metrics::{ROUND_TIME, choose, milliseconds, record_ages};
use crate::outcome::Tally;
use crate::page::{Page, plan_pages};
use crate::ports::{
    Broadcasts, ChannelState, Clock, Log, Members, Meter, PortError, PortResult, Poster, ReadLimit, Receipts, Senders,
};
use crate::rate::Budget;
use crate::settlement::{Settlement, settle};
use crate::time::Timestamp;

/// History events of a round besides its pages': the plan, the choice and the Map (docs.aws.amazon.com/step-functions, quotas).
const EVENTS_OF_A_ROUND: u64 = 12;
/// History events of a page without retries.
const EVENTS_OF_A_PAGE: u64 = 7;
/// An inline Map runs 40 iterations at once at most.
pub const MAX_MAP_CONCURRENCY: u32 = 40;
/// How often planning looks again when the head moved just as the lease was to be given back.
const ATTEMPTS: usize = 16;

/// An execution's input. It must be the same whenever the same lease is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BroadcastInput {
    /// The channel.
    pub channel: Channel,
    /// The lease, which is the execution's name.
    pub lease: LeaseId,
}

/// A range of the log on its way to all members: those behind `from` up to `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// 1 for an execution's first.
    pub number: u32,
    /// The life of the log.
    pub epoch: Epoch,
    /// The last message that was sent before.
    pub from: Seq,
    /// The last message of the round.
    pub to: Seq,
    /// Frames for each member.
    pub frames: u32,
    /// About how many history events the execution has when the round is done.
    pub events: u64,
    /// How many of its pages are under way at once.
    pub senders: u32,
    /// When it was planned.
    pub begun_at: Timestamp,
    /// When the queue took its messages; of many, a hundred.
    pub taken_at: Vec<Timestamp>,
    /// Whether any of its messages wants a receipt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub receipts: bool,
}

/// What became of a page: its report, or the error by which it failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageReport {
    /// The page's index.
    pub index: u32,
    /// What became of its members' posts.
    #[serde(flatten)]
    pub tally: Tally,
    /// The error's name, where the page failed after all its retries. Its members recover by the gap.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// What a broadcast has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Rounds that are done.
    pub rounds: u64,
    /// Pages that were delivered.
    pub pages: u64,
    /// Pages that failed.
    pub failed_pages: u64,
    /// What became of posts.
    #[serde(flatten)]
    pub tally: Tally,
}

/// The input of `plan-broadcast`: an execution's, and from the second time on the round that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanInput {
    /// The channel.
    pub channel: Channel,
    /// The lease.
    pub lease: LeaseId,
    /// The round that is done.
    #[serde(default)]
    pub round: Option<Round>,
    /// What became of its pages.
    #[serde(default)]
    pub reports: Vec<PageReport>,
    /// What was done before it.
    #[serde(default)]
    pub totals: Totals,
}

/// What the state machine does next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Next {
    /// Deliver this.
    Round {
        /// The range.
        round: Round,
        /// The Map's items.
        pages: Vec<Page>,
        /// The Map's concurrency.
        concurrency: u32,
    },
    /// Everything is sent and the lease is given back.
    Settled,
    /// A fresh execution goes on.
    HandedOver,
    /// Another execution holds the lease: this one's ended before it was renewed.
    LostLease,
}

/// The answer of `plan-broadcast`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What to do next.
    #[serde(flatten)]
    pub next: Next,
    /// The channel.
    pub channel: Channel,
    /// The lease.
    pub lease: LeaseId,
    /// What was done so far.
    pub totals: Totals,
}

/// The input of `deliver-page`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageInput {
    /// The channel.
    pub channel: Channel,
    /// The lease.
    pub lease: LeaseId,
    /// The range.
    pub round: Round,
    /// The members.
    pub page: Page,
}

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
    pub world: E,
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
            read_range(&self.store, &self.world, channel, epoch, (*from, *to)).await?
        } else {
            Vec::new()
        };
        let tally = reports.iter().map(|report| report.tally).sum();
        let settlement = Settlement { channel, epoch, to: *to, messages: &messages, tally, retention: self.retention };
        settle(&self.store, &self.poster, &self.world, settlement).await?;
        let now = self.world.now();
        self.world.record(ROUND_TIME, milliseconds(now.since(round.begun_at)));
        record_ages(&self.world, now, round.taken_at.iter().copied());
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
            let renewed = Lease { id: lease.clone(), until: self.world.now().plus(self.lease) };
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

    /// As much behind `sent` as a round holds.
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
        let limit = ReadLimit { messages: usize::MAX, bytes: round_frames.saturating_mul(MAX_FRAME_BYTES) };
        let mut messages = self.store.read(channel, &state.epoch, state.sent, limit, self.world.now()).await?;
        messages.retain(|message| message.seq <= state.head);
        let frames = frames(channel, &state.epoch, &messages)?;
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
            begun_at: self.world.now(),
            taken_at: choose(&taken_at),
            receipts: messages.iter().any(|message| message.receipt.is_some()),
        }))
    }

    async fn hand_over(&self, channel: &Channel, lease: &LeaseId) -> PortResult<Next> {
        let next = Lease { id: lease::successor(lease), until: self.world.now().plus(self.lease) };
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

/// Delivers a page of a round.
#[derive(Clone, Debug)]
pub struct PageDelivery<S, P, E> {
    /// The log and the members.
    pub store: S,
    /// The sockets.
    pub poster: P,
    /// Time, and a meter.
    pub world: E,
    /// This sender's part in the callback budget.
    pub share: Share,
    /// How long a lease lasts.
    pub lease: Duration,
}

impl<S: Log + Members + Senders, P: Poster, E: Clock + Meter> PageDelivery<S, P, E> {
    /// Posts the round's frames to the page's members. Doing it twice repeats frames, which clients de-duplicate. Members that are not
    /// posted to by the deadline recover.
    ///
    /// # Errors
    /// When the log or the members can't be read.
    pub async fn deliver(&self, input: PageInput, deadline: Timestamp) -> PortResult<PageReport> {
        let PageInput { channel, lease, round, page } = input;
        // A round of many pages takes longer than a lease. One that was lost is no reason to stop: `sent` moves past this page's members.
        let renewed = Lease { id: lease.clone(), until: self.world.now().plus(self.lease) };
        self.store.replace_lease(&channel, &lease, &renewed).await?;
        let messages = read_range(&self.store, &self.world, &channel, &round.epoch, (round.from, round.to)).await?;
        let frames = frames(&channel, &round.epoch, &messages)?;
        let fan_out = FanOut {
            store: &self.store,
            poster: &self.poster,
            world: &self.world,
            channel: &channel,
            messages: messages.len(),
            frames: &frames,
            share: Some(&self.share),
            senders: round.senders,
            deadline,
            closes: closes(&self.store, &channel, &messages).await?,
        };
        let tally = fan_out.run(&page.shards).await?;
        tracing::info!(%channel, page.index, frames = frames.len(), ?tally, "page delivered");
        Ok(PageReport { index: page.index, tally, error: None })
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::id::{ConnectionId, SenderId};
    use crate::member::Connection;
    use crate::membership;
    use crate::memory::MemoryStore;
    use crate::metrics::AGE;
    use crate::ports::{Append, Appended};
    use crate::testing::{Recorder, World, connection, message, room};

    type TestPlanner = Planner<MemoryStore, Recorder, Recorder, World>;

    const NOW: u64 = 1_000_000;
    const NEVER: Timestamp = Timestamp(u64::MAX);

    /// A channel with members in shards of about ten, and a broadcast's lease.
    fn planner(members: usize) -> TestPlanner {
        let planner = Planner {
            store: MemoryStore::default(),
            broadcasts: Recorder::default(),
            poster: Recorder::default(),
            world: World::at(NOW),
            lease: Duration::from_secs(60),
            page_members: 10,
            round_frames: 2,
            history_events: 15_000,
            budget: Budget::of(8_000),
            retention: Duration::from_secs(60),
        };
        for number in 0..members {
            let one: Connection = connection(&format!("connection-{number:03}"), "alice", NOW);
            block_on(membership::join(&planner.store, &planner.world, &one, &room("lobby"), 10)).unwrap();
        }
        block_on(planner.store.open(&room("lobby"), &Epoch::new("E"))).unwrap();
        let lease = Lease { id: LeaseId::new("room_lobby-X-1"), until: Timestamp(NOW + 60_000) };
        assert!(block_on(planner.store.take_lease(&room("lobby"), &lease, Timestamp(NOW))).unwrap());
        planner
    }

    fn append(planner: &TestPlanner, texts: &[&str]) {
        let state = state(planner);
        let messages: Vec<_> = (state.head.0 + 1..).zip(texts).map(|(seq, text)| message(seq, text)).collect();
        let append = Append {
            epoch: &state.epoch,
            head: state.head,
            messages: &messages,
            now: Timestamp(NOW),
            expires: Timestamp(NOW + 60_000),
        };
        let appended = block_on(planner.store.append(&room("lobby"), &append));
        assert_eq!(appended, Ok(Appended::Done));
    }

    fn state(planner: &TestPlanner) -> ChannelState {
        block_on(planner.store.state(&room("lobby"))).unwrap().unwrap()
    }

    fn start(lease: &str) -> PlanInput {
        PlanInput {
            channel: room("lobby"),
            lease: LeaseId::new(lease),
            round: None,
            reports: Vec::new(),
            totals: Totals::default(),
        }
    }

    fn after(plan: Plan, reports: Vec<PageReport>) -> PlanInput {
        let Next::Round { round, .. } = plan.next else { panic!("{plan:?}") };
        PlanInput { channel: plan.channel, lease: plan.lease, round: Some(round), reports, totals: plan.totals }
    }

    fn plan(planner: &TestPlanner, input: PlanInput) -> Plan {
        block_on(planner.plan(input)).unwrap()
    }

    #[test]
    fn a_round_takes_all_that_is_unsent_to_every_shard() {
        let planner = planner(40);
        append(&planner, &["a", "b", "c"]);
        let plan = plan(&planner, start("room_lobby-X-1"));
        let Next::Round { round, pages, .. } = plan.next else { panic!("{plan:?}") };
        assert_eq!((round.number, round.from, round.to, round.frames), (1, Seq(0), Seq(3), 1));
        let shards: Vec<u32> = pages.iter().flat_map(|page| page.shards.clone()).collect();
        assert_eq!(shards, (0..state(&planner).shards).collect::<Vec<_>>());
        assert!(pages.len() >= 2, "{pages:?}");
        assert_eq!(state(&planner).sent, Seq(0), "nothing is sent before the pages are done");
    }

    #[test]
    fn a_rounds_time_and_its_messages_ages_are_measured_when_it_is_settled() {
        let planner = planner(1);
        append(&planner, &["a", "b"]);
        let first = plan(&planner, start("room_lobby-X-1"));
        assert!(planner.world.measured().is_empty());
        planner.world.set(NOW + 1_500);
        plan(&planner, after(first, Vec::new()));
        let measured = planner.world.measured();
        let taken_at = [message(1, "a").at, message(2, "b").at];
        let ages = taken_at.map(|at| NOW + 1_500 - at.0);
        assert_eq!(measured.iter().collect::<Vec<_>>(), [(&AGE, ages.as_slice()), (&ROUND_TIME, [1_500].as_slice())]);
    }

    #[test]
    fn a_round_ends_with_its_last_frame() {
        let planner = planner(1);
        let large = "x".repeat(20_000);
        append(&planner, &[large.as_str(); 5]);
        let first = plan(&planner, start("room_lobby-X-1"));
        let Next::Round { round, .. } = &first.next else { panic!("{first:?}") };
        assert_eq!((round.to, round.frames), (Seq(2), 2));
        let second = plan(&planner, after(first, Vec::new()));
        let Next::Round { round, .. } = &second.next else { panic!("{second:?}") };
        assert_eq!((round.number, round.from, round.to), (2, Seq(2), Seq(4)));
    }

    #[test]
    fn a_broadcast_ends_only_when_everything_is_sent() {
        let planner = planner(1);
        append(&planner, &["a"]);
        let first = plan(&planner, start("room_lobby-X-1"));
        append(&planner, &["b"]);
        let report = PageReport {
            index: 0,
            tally: Tally { members: 1, delivered: 1, posts: 1, ..Tally::default() },
            error: None,
        };
        let second = plan(&planner, after(first, vec![report.clone()]));
        let Next::Round { round, .. } = &second.next else { panic!("{second:?}") };
        assert_eq!((round.from, round.to), (Seq(1), Seq(2)));
        let failed = PageReport { index: 1, tally: Tally::default(), error: Some("Lambda.Unknown".to_owned()) };
        let done = plan(&planner, after(second, vec![report, failed]));
        assert_eq!(done.next, Next::Settled);
        assert_eq!(
            (done.totals.rounds, done.totals.pages, done.totals.failed_pages, done.totals.tally.posts),
            (2, 2, 1, 2)
        );
        assert_eq!(state(&planner).lease, None);
        assert_eq!(state(&planner).sent, Seq(2));
    }

    #[test]
    fn planning_renews_the_lease() {
        let planner = planner(1);
        append(&planner, &["a"]);
        planner.world.set(NOW + 30_000);
        plan(&planner, start("room_lobby-X-1"));
        assert_eq!(state(&planner).lease.unwrap().until, Timestamp(NOW + 90_000));
    }

    #[test]
    fn an_execution_that_lost_its_lease_stops() {
        let planner = planner(1);
        append(&planner, &["a"]);
        assert_eq!(plan(&planner, start("room_lobby-Y-1")).next, Next::LostLease);
        assert_eq!(state(&planner).lease.unwrap().id.as_str(), "room_lobby-X-1");
    }

    #[test]
    fn a_long_broadcast_hands_over_to_a_fresh_execution() {
        let planner = TestPlanner { history_events: 30, ..planner(1) };
        append(&planner, &["a"]);
        let first = plan(&planner, start("room_lobby-X-1"));
        append(&planner, &["b"]);
        let second = after(first, Vec::new());
        assert_eq!(plan(&planner, second.clone()).next, Next::HandedOver);
        let successor = LeaseId::new("room_lobby-X-2");
        assert_eq!(planner.broadcasts.seen().started, [(room("lobby"), successor.clone())]);
        assert_eq!(state(&planner).lease.unwrap().id, successor);
        assert_eq!(plan(&planner, second).next, Next::HandedOver, "a plan that is repeated starts it again");
        let next = plan(&planner, start("room_lobby-X-2"));
        let Next::Round { round, .. } = next.next else { panic!("{next:?}") };
        assert_eq!((round.number, round.from, round.to), (1, Seq(1), Seq(2)));
    }

    #[test]
    fn a_handover_that_was_cut_short_is_finished_by_the_repeated_plan() {
        let planner = TestPlanner { history_events: 30, ..planner(1) };
        append(&planner, &["a"]);
        let first = plan(&planner, start("room_lobby-X-1"));
        append(&planner, &["b"]);
        let second = after(first, Vec::new());
        planner.broadcasts.refuse(Some("start"));
        assert!(block_on(planner.plan(second.clone())).is_err());
        planner.broadcasts.refuse(None);
        assert_eq!(plan(&planner, second).next, Next::HandedOver);
        assert_eq!(planner.broadcasts.seen().started.len(), 1);
    }

    #[test]
    fn what_retention_took_is_settled_without_a_post() {
        let planner = planner(1);
        append(&planner, &["a", "b"]);
        planner.world.set(NOW + 60_000);
        assert_eq!(plan(&planner, start("room_lobby-X-1")).next, Next::Settled);
        assert_eq!(state(&planner).sent, Seq(2));
    }

    #[test]
    fn the_pages_of_a_round_reach_every_member_once() {
        let planner = planner(40);
        append(&planner, &["a", "b"]);
        let Plan { next: Next::Round { round, pages, .. }, channel, lease, .. } =
            plan(&planner, start("room_lobby-X-1"))
        else {
            panic!("no round")
        };
        let poster = Recorder::default();
        let delivery = PageDelivery {
            store: planner.store.clone(),
            poster: poster.clone(),
            world: planner.world,
            share: Share { budget: planner.budget, sender: SenderId::new("sender") },
            lease: Duration::from_secs(60),
        };
        let mut delivered = 0;
        for page in pages {
            let input = PageInput { channel: channel.clone(), lease: lease.clone(), round: round.clone(), page };
            delivered += block_on(delivery.deliver(input, NEVER)).unwrap().tally.delivered;
        }
        assert_eq!(delivered, 40);
        let seen = poster.seen();
        assert_eq!(seen.posted.len(), 40);
        assert!(seen.posted.values().all(|frames| frames.len() == 1));
        assert!(seen.posted.contains_key(&ConnectionId::new("connection-039")));
        assert!(seen.limits.iter().all(|rate| *rate == planner.budget.large_rate(2)), "{:?}", seen.limits);
    }

    #[test]
    fn a_page_keeps_the_lease_and_posts_to_nobody_behind_its_deadline() {
        let planner = planner(5);
        append(&planner, &["a"]);
        let Plan { next: Next::Round { round, mut pages, .. }, channel, lease, .. } =
            plan(&planner, start("room_lobby-X-1"))
        else {
            panic!("no round")
        };
        let delivery = PageDelivery {
            store: planner.store.clone(),
            poster: planner.poster.clone(),
            world: planner.world.clone(),
            share: Share { budget: planner.budget, sender: SenderId::new("sender") },
            lease: Duration::from_secs(60),
        };
        planner.world.set(NOW + 50_000);
        let input = PageInput { channel, lease, round, page: pages.remove(0) };
        let report = block_on(delivery.deliver(input, Timestamp(NOW + 50_000))).unwrap();
        assert_eq!((report.tally.members, report.tally.failed, report.tally.posts), (5, 5, 0));
        assert!(planner.poster.seen().posted.is_empty());
        assert_eq!(state(&planner).lease.unwrap().until, Timestamp(NOW + 110_000));
    }

    #[test]
    fn a_round_gives_the_receipts_that_were_asked_for_before_it_is_settled() {
        use crate::message::ReceiptTo;
        let planner = planner(1);
        let state = state(&planner);
        let asked = [ReceiptTo::Service, ReceiptTo::Connection(ConnectionId::new("publisher"))];
        let messages: Vec<_> = (1..)
            .zip(asked)
            .map(|(seq, to)| crate::message::Message { receipt: Some(to), ..message(seq, "x") })
            .collect();
        let append = Append {
            epoch: &state.epoch,
            head: Seq(0),
            messages: &messages,
            now: Timestamp(NOW),
            expires: Timestamp(NOW + 60_000),
        };
        block_on(planner.store.append(&room("lobby"), &append)).unwrap();
        let first = plan(&planner, start("room_lobby-X-1"));
        let tally = Tally { members: 3, delivered: 1, gone: 1, throttled: 1, ..Tally::default() };
        let report = PageReport { index: 0, tally, error: None };
        assert_eq!(plan(&planner, after(first, vec![report])).next, Next::Settled);
        for message in &messages {
            let found = block_on(planner.store.receipt(&room("lobby"), &message.from, &message.id, Timestamp(NOW)));
            let receipt = found.unwrap().unwrap();
            assert_eq!((receipt.seq, receipt.members, receipt.delivered), (message.seq, 3, 1));
            assert_eq!((receipt.gone, receipt.failed, receipt.ms), (1, 1, NOW - message.at.0));
        }
        let seen = planner.poster.seen();
        assert_eq!(seen.posted.len(), 1, "only a client is posted to");
        let frame = &seen.posted[&ConnectionId::new("publisher")][0];
        assert!(
            frame.starts_with(r#"{"type":"receipt","channel":"room:lobby","id":"m-2","seq":2,"members":3"#),
            "{frame}"
        );
    }

    #[test]
    fn the_state_machines_documents_have_the_form_that_it_expects() {
        let planner = planner(1);
        append(&planner, &["a"]);
        let plan = plan(&planner, start("room_lobby-X-1"));
        insta::assert_json_snapshot!("plan", plan);
        let report = r#"{"index":3,"error":"Lambda.Unknown"}"#;
        let report: PageReport = serde_json::from_str(report).unwrap();
        assert_eq!((report.index, report.error.as_deref()), (3, Some("Lambda.Unknown")));
        let input: PlanInput = serde_json::from_str(r#"{"channel":"room:lobby","lease":"room_lobby-X-1"}"#).unwrap();
        assert_eq!(input, start("room_lobby-X-1"));
    }
}
