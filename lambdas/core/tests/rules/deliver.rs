//! Delivering batches of the publish queue.

use futures::executor::block_on;
use hubbub_core::delivery::deliver::*;
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::dead_letter::DeadLetterReason;

use hubbub_core::delivery::fan_out::{Audience, FanOut, Share};
use hubbub_core::delivery::outcome::Outcome;
use hubbub_core::limits::budget::Budget;
use hubbub_core::log::lease;
use hubbub_core::log::lease::Lease;
use hubbub_core::log::state::ChannelState;
use hubbub_core::members::connection::Connection;
use hubbub_core::members::membership;
use hubbub_core::metrics::DEAD_LETTERS;
use hubbub_core::metrics::{AGE, APPENDED, DELIVERED, FAILED, GONE, POSTS, THROTTLED};
use hubbub_core::names::MAX_RECEIVES;
use hubbub_core::ports::{Clock, Log, Members, Receipts, Senders};
use hubbub_core::ports::{MemberPage, ReadLimit};
use hubbub_core::wire::id::{ConnectionId, LeaseId, SenderId};
use hubbub_core::wire::message::Seq;
use hubbub_core::wire::queue_message::QueueMessage;
use hubbub_core::wire::time::Timestamp;
use hubbub_testkit::fixtures::{Recorder, TestEnv, connection, room};
use hubbub_testkit::memory::MemoryStore;
use std::sync::Arc;
use std::time::Duration;

type TestDelivery = Delivery<MemoryStore, Recorder, Recorder, Recorder, TestEnv>;

const NOW: u64 = 1_000_000;
const NEVER: Timestamp = Timestamp(u64::MAX);

fn delivery(inline_limit: u64) -> TestDelivery {
    let recorder = Recorder::default();
    Delivery {
        broadcasts: recorder.clone(),
        dead_letters: recorder.clone(),
        fan_out: FanOut {
            store: MemoryStore::default(),
            poster: recorder,
            env: TestEnv::at(NOW),
            share: Share { budget: Budget::of(400), sender: SenderId::new("sender") },
            transport: API_GATEWAY,
        },
        max_body_bytes: 100,
        retention: Duration::from_secs(60),
        inline_limit,
        lease: Duration::from_secs(60),
        large: Arc::default(),
    }
}

fn join(delivery: &TestDelivery, id: &str, connected_at: u64) {
    let one = connection(id, "alice", connected_at);
    block_on(membership::join(&delivery.fan_out.store, &delivery.fan_out.env, &one, &room("lobby"), 2_000)).unwrap();
}

fn record(id: &str, receives: u32) -> Record {
    let envelope = hubbub_testkit::fixtures::envelope("alice", id);
    Record {
        queue_id: format!("queue-{id}"),
        group: envelope.channel.to_string(),
        body: envelope.to_json().unwrap(),
        sent_at: Timestamp(NOW),
        receives,
        redriven: false,
        source: "arn:aws:sqs:us-east-1:000000000000:publish.fifo".to_owned(),
    }
}

fn garbage(id: &str) -> Record {
    Record { body: "garbage".to_owned(), ..record(id, 1) }
}

fn log(delivery: &TestDelivery) -> Vec<String> {
    let limit = ReadLimit { messages: usize::MAX, bytes: usize::MAX };
    let channel = room("lobby");
    let Some(state) = block_on(delivery.fan_out.store.state(&channel)).unwrap() else {
        return Vec::new();
    };
    let messages =
        block_on(delivery.fan_out.store.read(&channel, &state.epoch, Seq(0), limit, delivery.fan_out.env.now()))
            .unwrap();
    messages.into_iter().map(|message| message.id.to_string()).collect()
}

fn state(delivery: &TestDelivery) -> ChannelState {
    block_on(delivery.fan_out.store.state(&room("lobby"))).unwrap().unwrap()
}

fn posts(delivery: &TestDelivery, id: &str) -> usize {
    delivery.fan_out.poster.seen().posted.get(&ConnectionId::new(id)).map_or(0, Vec::len)
}

#[test]
fn a_small_channel_is_fanned_out_at_once_and_settled() {
    let delivery = delivery(2);
    join(&delivery, "one", NOW);
    join(&delivery, "two", NOW);
    assert_eq!(block_on(delivery.deliver(vec![record("a", 1), record("b", 1)], NEVER)), Vec::<String>::new());
    assert_eq!(log(&delivery), ["a", "b"]);
    assert_eq!((posts(&delivery, "one"), posts(&delivery, "two")), (1, 1), "both messages share a frame");
    assert_eq!(state(&delivery).sent, Seq(2));
    assert_eq!(delivery.broadcasts.seen().started, []);
}

#[test]
fn each_message_is_counted_however_many_share_a_post() {
    let delivery = delivery(3);
    for id in ["one", "two", "three"] {
        join(&delivery, id, NOW);
    }
    delivery.fan_out.poster.outcome("two", Outcome::Gone);
    delivery.fan_out.poster.outcome("three", Outcome::Throttled);
    delivery.fan_out.env.set(NOW + 250);
    block_on(delivery.deliver(vec![record("a", 1), record("b", 1), garbage("c")], NEVER));
    // Delivered again, they are in the log and sent already.
    block_on(delivery.deliver(vec![record("a", 2), record("b", 2)], NEVER));
    let measured = delivery.fan_out.env.measured();
    let counts = [APPENDED, DELIVERED, GONE, THROTTLED, FAILED, POSTS, DEAD_LETTERS];
    assert_eq!(counts.map(|metric| measured.total(metric)), [2, 2, 2, 2, 0, 3, 1]);
    let ages = measured.iter().find(|(metric, _)| **metric == AGE).unwrap().1;
    assert_eq!(ages, [250, 250]);
}

#[test]
fn large_channel_starts_one_broadcast() {
    let delivery = delivery(1);
    join(&delivery, "one", NOW);
    join(&delivery, "two", NOW);
    block_on(delivery.deliver(vec![record("a", 1)], NEVER));
    block_on(delivery.deliver(vec![record("b", 1)], NEVER));
    assert_eq!(log(&delivery), ["a", "b"]);
    assert_eq!(posts(&delivery, "one"), 0);
    let started = delivery.broadcasts.seen().started.clone();
    assert_eq!(started.len(), 1, "the lease is held when the second message comes");
    assert_eq!(state(&delivery).lease.map(|lease| lease.id), Some(started[0].1.clone()));
}

#[test]
fn channel_under_broadcast_is_not_fanned_out_again() {
    let delivery = delivery(1_000);
    join(&delivery, "one", NOW);
    let held = Lease { id: LeaseId::new("held"), until: Timestamp(NOW + 1) };
    assert!(block_on(delivery.fan_out.store.take_lease(&room("lobby"), &held, Timestamp(NOW))).unwrap());
    block_on(delivery.deliver(vec![record("a", 1)], NEVER));
    assert_eq!(posts(&delivery, "one"), 0);
    delivery.fan_out.env.set(NOW + 1);
    block_on(delivery.deliver(vec![record("b", 1)], NEVER));
    assert_eq!(posts(&delivery, "one"), 1, "a lease that has ended holds up nobody");
    assert_eq!(state(&delivery).sent, Seq(2));
}

#[test]
fn redelivery_appends_once() {
    let delivery = delivery(1_000);
    join(&delivery, "one", NOW);
    block_on(delivery.deliver(vec![record("a", 1)], NEVER));
    block_on(delivery.deliver(vec![record("a", 2), record("b", 1)], NEVER));
    assert_eq!(log(&delivery), ["a", "b"]);
}

#[test]
fn redelivery_starts_the_broadcast_that_failed_to_start() {
    let delivery = delivery(0);
    join(&delivery, "one", NOW);
    delivery.broadcasts.refuse(Some("start"));
    assert_eq!(block_on(delivery.deliver(vec![record("a", 1), record("b", 1)], NEVER)), ["queue-b"]);
    assert_eq!(log(&delivery), ["a", "b"]);
    delivery.broadcasts.refuse(None);
    assert_eq!(block_on(delivery.deliver(vec![record("b", 2)], NEVER)), Vec::<String>::new());
    assert_eq!(log(&delivery), ["a", "b"]);
    assert_eq!(delivery.broadcasts.seen().started.len(), 1);
}

#[test]
fn garbage_is_buried_and_the_next_message_passes() {
    let delivery = delivery(1_000);
    join(&delivery, "one", NOW);
    let failed = block_on(delivery.deliver(vec![garbage("a"), record("b", 1)], NEVER));
    assert_eq!(failed, Vec::<String>::new());
    assert_eq!(log(&delivery), ["b"]);
    let buried = delivery.dead_letters.seen().buried.clone();
    assert_eq!(buried.len(), 1);
    assert_eq!((buried[0].body.as_str(), buried[0].reason), ("garbage", DeadLetterReason::NotJson));
    assert_eq!((buried[0].queue_id.as_str(), buried[0].first_seen), ("queue-a", Timestamp(NOW)));
}

#[test]
fn garbage_behind_a_message_does_not_hide_that_it_was_not_sent() {
    let delivery = delivery(0);
    join(&delivery, "one", NOW);
    delivery.broadcasts.refuse(Some("start"));
    assert_eq!(block_on(delivery.deliver(vec![record("a", 1), garbage("b")], NEVER)), ["queue-a", "queue-b"]);
}

#[test]
fn overtaken_run_appends_nothing_twice() {
    let delivery = delivery(1_000);
    block_on(delivery.deliver(vec![record("a", 2), record("b", 1)], NEVER));
    block_on(delivery.deliver(vec![record("a", 1)], NEVER));
    assert_eq!(log(&delivery), ["a", "b"]);
}

#[test]
fn unburied_message_is_delivered_again_with_all_after_it() {
    let delivery = delivery(1_000);
    delivery.dead_letters.refuse(Some("bury"));
    let batch = vec![record("a", 1), garbage("b"), record("c", 1)];
    assert_eq!(block_on(delivery.deliver(batch, NEVER)), ["queue-b", "queue-c"]);
    assert_eq!(log(&delivery), ["a"], "what came before is delivered");
}

#[test]
fn a_channel_in_trouble_does_not_hold_up_another() {
    let delivery = delivery(1_000);
    delivery.dead_letters.refuse(Some("bury"));
    let other = Record { group: "room:other".to_owned(), ..garbage("x") };
    assert_eq!(block_on(delivery.deliver(vec![other, record("a", 1)], NEVER)), ["queue-x"]);
    assert_eq!(log(&delivery), ["a"]);
}

#[test]
fn gone_member_is_pruned_unless_young() {
    let delivery = delivery(1_000);
    join(&delivery, "old", NOW - 10_000);
    join(&delivery, "young", NOW - 9_999);
    join(&delivery, "here", NOW - 60_000);
    delivery.fan_out.poster.outcome("old", Outcome::Gone);
    delivery.fan_out.poster.outcome("young", Outcome::Gone);
    block_on(delivery.deliver(vec![record("a", 1)], NEVER));
    let page: MemberPage =
        block_on(delivery.fan_out.store.member_page(&room("lobby"), 0, None, 10, Timestamp(NOW))).unwrap();
    let left: Vec<&str> = page.members.iter().map(|member| member.id.as_str()).collect();
    assert_eq!(left, ["here", "young"]);
    assert_eq!(page.count, Some(2));
    assert_eq!(block_on(delivery.fan_out.store.memberships(&ConnectionId::new("old"))).unwrap(), []);
}

#[test]
fn one_member_does_not_affect_the_others() {
    let delivery = delivery(1_000);
    for id in ["a", "b", "c", "d"] {
        join(&delivery, id, NOW);
    }
    delivery.fan_out.poster.outcome("a", Outcome::Failed);
    delivery.fan_out.poster.outcome("c", Outcome::Throttled);
    assert_eq!(block_on(delivery.deliver(vec![record("a", 1)], NEVER)), Vec::<String>::new());
    assert_eq!((posts(&delivery, "b"), posts(&delivery, "d")), (1, 1));
    assert_eq!(state(&delivery).sent, Seq(1));
}

#[test]
fn a_count_that_has_drifted_is_corrected_by_the_fan_out() {
    let delivery = delivery(1_000);
    join(&delivery, "one", NOW);
    block_on(delivery.fan_out.store.add_to_count(&room("lobby"), 0, 7)).unwrap();
    block_on(delivery.deliver(vec![record("a", 1)], NEVER));
    assert_eq!(block_on(delivery.fan_out.store.counts(&room("lobby"), 1)).unwrap(), [1]);
}

#[test]
fn an_order_is_carried_out_in_its_place_in_the_channel() {
    let delivery = delivery(1_000);
    let one = connection("one", "bob", NOW);
    block_on(membership::connect(&delivery.fan_out.store, &delivery.fan_out.env, &one, 2_000)).unwrap();
    block_on(membership::join(&delivery.fan_out.store, &delivery.fan_out.env, &one, &room("lobby"), 2_000)).unwrap();
    let text = r#"{"v":1,"channel":"room:lobby","from":"mod","command":"kick","user":"bob"}"#;
    let kick = Record { body: text.to_owned(), ..record("kick", 1) };
    assert_eq!(block_on(delivery.deliver(vec![record("a", 1), kick], NEVER)), Vec::<String>::new());
    assert_eq!(log(&delivery), ["a"]);
    assert_eq!(block_on(delivery.fan_out.store.membership(&one.id, &room("lobby"))).unwrap(), None);
    block_on(delivery.deliver(vec![record("b", 1)], NEVER));
    assert!(delivery.fan_out.poster.seen().posted[&one.id].iter().all(|frame| !frame.contains(r#""seq":2"#)));
}

#[test]
fn socket_ends_with_its_token() {
    let delivery = delivery(1_000);
    let one = Connection { until: Timestamp(NOW), ..connection("one", "bob", NOW) };
    block_on(membership::connect(&delivery.fan_out.store, &delivery.fan_out.env, &one, 2_000)).unwrap();
    block_on(membership::join(&delivery.fan_out.store, &delivery.fan_out.env, &one, &room("lobby"), 2_000)).unwrap();
    join(&delivery, "two", NOW);
    block_on(delivery.deliver(vec![record("a", 1)], NEVER));
    assert_eq!((posts(&delivery, "one"), posts(&delivery, "two")), (0, 1));
    let seen = delivery.fan_out.poster.seen();
    assert_eq!(seen.closed.len(), 1);
    assert!(seen.closed[0].1.starts_with(r#"{"type":"closing","code":"token_expired""#), "{:?}", seen.closed);
    assert_eq!(block_on(delivery.fan_out.store.memberships(&one.id)).unwrap(), []);
}

#[test]
fn only_large_fan_outs_share_the_budget() {
    let delivery = delivery(1_000);
    let budget = delivery.fan_out.share.budget;
    let burst = budget.small_rate().burst;
    for number in 0..burst {
        join(&delivery, &number.to_string(), NOW);
    }
    block_on(delivery.deliver(vec![record("a", 1)], NEVER));
    assert_eq!(delivery.fan_out.poster.seen().limits, []);
    join(&delivery, "one more", NOW);
    let other = SenderId::new("other");
    block_on(delivery.fan_out.store.at_work(&other, Timestamp(NOW + 1), Timestamp(NOW))).unwrap();
    block_on(delivery.deliver(vec![record("b", 1)], NEVER));
    assert_eq!(delivery.fan_out.poster.seen().limits, [budget.large_rate(2), budget.small_rate()]);
    let left = block_on(delivery.fan_out.store.at_work(&other, Timestamp(NOW + 1), Timestamp(NOW)));
    assert_eq!(left, Ok(1), "it is over");
}

#[test]
fn wake_sends_the_log_and_appends_nothing() {
    let delivery = delivery(1_000);
    block_on(delivery.deliver(vec![record("a", 1)], NEVER));
    join(&delivery, "late", NOW);
    let state = state(&delivery);
    let messages = [hubbub_testkit::fixtures::message(2, "unsent")];
    let append = hubbub_core::ports::Append {
        epoch: &state.epoch,
        head: Seq(1),
        messages: &messages,
        now: Timestamp(NOW),
        expires: Timestamp(NOW + 60_000),
    };
    block_on(delivery.fan_out.store.append(&room("lobby"), &append)).unwrap();
    let body = QueueMessage::wake(room("lobby")).to_json().unwrap();
    let wake = Record { body, ..record("wake", 1) };
    assert_eq!(block_on(delivery.deliver(vec![wake], NEVER)), Vec::<String>::new());
    assert_eq!(log(&delivery), ["a", "m-2"]);
    assert_eq!(posts(&delivery, "late"), 1);
    assert_eq!(self::state(&delivery).sent, Seq(2));
}

#[test]
fn logged_message_does_not_become_a_dead_letter() {
    let delivery = delivery(0);
    join(&delivery, "one", NOW);
    delivery.broadcasts.refuse(Some("start"));
    assert_eq!(block_on(delivery.deliver(vec![record("a", MAX_RECEIVES - 1)], NEVER)), ["queue-a"]);
    assert_eq!(block_on(delivery.deliver(vec![record("a", MAX_RECEIVES)], NEVER)), Vec::<String>::new());
    assert_eq!(log(&delivery), ["a"]);
}

#[test]
fn redriven_message_is_looked_for_in_the_whole_log() {
    let delivery = delivery(1_000);
    let count = hubbub_core::log::append::REDELIVERY_WINDOW + 1;
    for number in 0..count {
        block_on(delivery.deliver(vec![record(&number.to_string(), 1)], NEVER));
    }
    let redriven = Record { redriven: true, ..record("0", 1) };
    block_on(delivery.deliver(vec![redriven], NEVER));
    assert_eq!(log(&delivery).len(), count);
}

#[test]
fn a_receipt_is_given_when_a_small_channel_is_fanned_out() {
    let delivery = delivery(1_000);
    join(&delivery, "one", NOW);
    let mut envelope = hubbub_testkit::fixtures::envelope("alice", "a");
    envelope.receipt = Some(hubbub_core::wire::message::ReceiptTo::Service);
    let asked = Record { body: envelope.to_json().unwrap(), ..record("a", 1) };
    block_on(delivery.deliver(vec![asked], NEVER));
    let found = block_on(delivery.fan_out.store.receipt(&room("lobby"), &envelope.from, &envelope.id, Timestamp(NOW)));
    assert_eq!(found.unwrap().map(|receipt| (receipt.seq, receipt.delivered)), Some((Seq(1), 1)));
}

fn order(id: &str, order: &str) -> Record {
    let body = format!(r#"{{"v":1,"channel":"room:lobby","from":"mod",{order}}}"#);
    Record { body, ..record(id, 1) }
}

#[test]
fn deleted_message_is_posted_without_its_body() {
    let delivery = delivery(1_000);
    join(&delivery, "one", NOW);
    let batch = vec![record("a", 1), order("b", r#""command":"delete","seq":1"#)];
    assert_eq!(block_on(delivery.deliver(batch, NEVER)), Vec::<String>::new());
    let told = delivery.fan_out.poster.seen().posted[&ConnectionId::new("one")].concat();
    assert!(told.contains(r#""id":"a","from":"alice","deleted":1"#), "{told}");
    assert!(told.contains(r#""seq":2"#) && told.contains(r#""from":"mod","deleted":1"#), "{told}");
}

#[test]
fn repeated_erasure_spares_later_messages() {
    let delivery = delivery(1_000);
    join(&delivery, "one", NOW);
    let erase = order("b", r#""command":"close","erase":true"#);
    let batch = [record("a", 1), erase, record("c", 1)];
    for receives in 1..=2 {
        let again = batch.clone().map(|record| Record { receives, ..record }).to_vec();
        assert_eq!(block_on(delivery.deliver(again, NEVER)), Vec::<String>::new());
    }
    let limit = ReadLimit { messages: usize::MAX, bytes: usize::MAX };
    let epoch = state(&delivery).epoch;
    let log = block_on(delivery.fan_out.store.read(&room("lobby"), &epoch, Seq(0), limit, Timestamp(NOW))).unwrap();
    let has_body: Vec<bool> = log.iter().map(|message| message.content.body().is_some()).collect();
    assert_eq!(has_body, [false, false, true]);
}

#[test]
fn closed_room_has_no_members() {
    let delivery = delivery(1_000);
    join(&delivery, "one", NOW);
    join(&delivery, "two", NOW);
    delivery.fan_out.poster.outcome("two", Outcome::Failed);
    block_on(delivery.deliver(vec![order("a", r#""command":"close""#)], NEVER));
    let told = delivery.fan_out.poster.seen().posted[&ConnectionId::new("one")].concat();
    assert!(told.contains(r#""from":"mod","closed":"kept""#), "{told}");
    let counts = block_on(delivery.fan_out.store.counts(&room("lobby"), 1)).unwrap();
    assert_eq!(counts, [0], "also who could not be told");
    block_on(delivery.deliver(vec![record("b", 1)], NEVER));
    assert_eq!((posts(&delivery, "one"), log(&delivery).len()), (1, 2), "what comes then is in the log, for nobody");
}

#[test]
fn old_close_notice_spares_members_of_a_reopened_room() {
    let delivery = delivery(0);
    join(&delivery, "one", NOW);
    // The notice waits for the broadcast.
    block_on(delivery.deliver(vec![order("a", r#""command":"close""#), order("b", r#""command":"open""#)], NEVER));
    let state = state(&delivery);
    let range = block_on(delivery.fan_out.pack(&room("lobby"), &state.epoch, (Seq(0), state.head))).unwrap();
    let shards: Vec<u32> = (0..state.shards).collect();
    let audience = Audience { channel: &room("lobby"), shards: &shards, large: None, deadline: NEVER };
    block_on(delivery.fan_out.post(&range, audience)).unwrap();
    assert_eq!(block_on(delivery.fan_out.store.counts(&room("lobby"), 1)), Ok(vec![1]), "it is a member still");
}

#[test]
fn a_lease_is_named_after_its_channel() {
    assert_eq!(lease::first(&room("lobby"), "X").as_str(), "room_lobby-X-1");
}
