//! Planning rounds, and delivering their pages.

use futures::executor::block_on;
use hubbub_core::broadcast::page_delivery::*;
use hubbub_core::broadcast::planner::*;
use hubbub_core::broadcast::round::*;
use hubbub_core::transport::API_GATEWAY;

use hubbub_core::delivery::fan_out::{FanOut, Share};
use hubbub_core::delivery::outcome::Tally;
use hubbub_core::limits::budget::Budget;
use hubbub_core::log::lease::Lease;
use hubbub_core::log::state::ChannelState;
use hubbub_core::members::connection::Connection;
use hubbub_core::members::membership;
use hubbub_core::metrics::AGE;
use hubbub_core::metrics::ROUND_TIME;
use hubbub_core::ports::{Append, Appended};
use hubbub_core::ports::{Log, Receipts};

use hubbub_core::wire::id::{ConnectionId, SenderId};
use hubbub_core::wire::id::{Epoch, LeaseId};
use hubbub_core::wire::message::Seq;
use hubbub_core::wire::time::Timestamp;
use hubbub_testkit::fixtures::{Recorder, TestEnv, connection, message, room};
use hubbub_testkit::memory::MemoryStore;
use std::time::Duration;

type TestPlanner = Planner<MemoryStore, Recorder, Recorder, TestEnv>;

const NOW: u64 = 1_000_000;
const NEVER: Timestamp = Timestamp(u64::MAX);

/// A channel with members in shards of about ten, and a broadcast's lease.
fn planner(members: usize) -> TestPlanner {
    let planner = Planner {
        store: MemoryStore::default(),
        broadcasts: Recorder::default(),
        poster: Recorder::default(),
        env: TestEnv::at(NOW),
        lease: Duration::from_secs(60),
        page_members: 10,
        round_frames: 2,
        history_events: 15_000,
        budget: Budget::of(8_000),
        retention: Duration::from_secs(60),
        transport: API_GATEWAY,
    };
    for number in 0..members {
        let one: Connection = connection(&format!("connection-{number:03}"), "alice", NOW);
        block_on(membership::join(&planner.store, &planner.env, &one, &room("lobby"), 10)).unwrap();
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
fn round_takes_everything_unsent_to_every_shard() {
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
fn settled_round_records_its_time_and_ages() {
    let planner = planner(1);
    append(&planner, &["a", "b"]);
    let first = plan(&planner, start("room_lobby-X-1"));
    assert!(planner.env.measured().is_empty());
    planner.env.set(NOW + 1_500);
    plan(&planner, after(first, Vec::new()));
    let measured = planner.env.measured();
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
fn broadcast_ends_only_when_everything_is_sent() {
    let planner = planner(1);
    append(&planner, &["a"]);
    let first = plan(&planner, start("room_lobby-X-1"));
    append(&planner, &["b"]);
    let report =
        PageReport { index: 0, tally: Tally { members: 1, delivered: 1, posts: 1, ..Tally::default() }, error: None };
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
    planner.env.set(NOW + 30_000);
    plan(&planner, start("room_lobby-X-1"));
    assert_eq!(state(&planner).lease.unwrap().until, Timestamp(NOW + 90_000));
}

#[test]
fn execution_without_its_lease_stops() {
    let planner = planner(1);
    append(&planner, &["a"]);
    assert_eq!(plan(&planner, start("room_lobby-Y-1")).next, Next::LostLease);
    assert_eq!(state(&planner).lease.unwrap().id.as_str(), "room_lobby-X-1");
}

#[test]
fn long_broadcast_hands_over() {
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
fn repeated_plan_finishes_a_broken_handover() {
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
    planner.env.set(NOW + 60_000);
    assert_eq!(plan(&planner, start("room_lobby-X-1")).next, Next::Settled);
    assert_eq!(state(&planner).sent, Seq(2));
}

#[test]
fn pages_reach_every_member_once() {
    let planner = planner(40);
    append(&planner, &["a", "b"]);
    let Plan { next: Next::Round { round, pages, .. }, channel, lease, .. } = plan(&planner, start("room_lobby-X-1"))
    else {
        panic!("no round")
    };
    let poster = Recorder::default();
    let delivery = PageDelivery {
        fan_out: FanOut {
            store: planner.store.clone(),
            poster: poster.clone(),
            env: planner.env,
            share: Share { budget: planner.budget, sender: SenderId::new("sender") },
            transport: API_GATEWAY,
        },
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
fn page_renews_the_lease_and_stops_at_its_deadline() {
    let planner = planner(5);
    append(&planner, &["a"]);
    let Plan { next: Next::Round { round, mut pages, .. }, channel, lease, .. } =
        plan(&planner, start("room_lobby-X-1"))
    else {
        panic!("no round")
    };
    let delivery = PageDelivery {
        fan_out: FanOut {
            store: planner.store.clone(),
            poster: planner.poster.clone(),
            env: planner.env.clone(),
            share: Share { budget: planner.budget, sender: SenderId::new("sender") },
            transport: API_GATEWAY,
        },
        lease: Duration::from_secs(60),
    };
    planner.env.set(NOW + 50_000);
    let input = PageInput { channel, lease, round, page: pages.remove(0) };
    let report = block_on(delivery.deliver(input, Timestamp(NOW + 50_000))).unwrap();
    assert_eq!((report.tally.members, report.tally.failed, report.tally.posts), (5, 5, 0));
    assert!(planner.poster.seen().posted.is_empty());
    assert_eq!(state(&planner).lease.unwrap().until, Timestamp(NOW + 110_000));
}

#[test]
fn receipts_are_given_before_a_round_is_settled() {
    use hubbub_core::wire::message::ReceiptTo;
    let planner = planner(1);
    let state = state(&planner);
    let asked = [ReceiptTo::Service, ReceiptTo::Connection(ConnectionId::new("publisher"))];
    let messages: Vec<_> = (1..)
        .zip(asked)
        .map(|(seq, to)| hubbub_core::wire::message::Message { receipt: Some(to), ..message(seq, "x") })
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
    assert!(frame.starts_with(r#"{"type":"receipt","channel":"room:lobby","id":"m-2","seq":2,"members":3"#), "{frame}");
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
