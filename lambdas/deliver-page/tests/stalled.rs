//! A page with members that make trouble, over real sockets to a gateway on the loopback: the others are served meanwhile, and the page
//! ends.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::pin::pin;
use std::time::Duration;

use deliver_page::Handler;
use hubbub_aws::clients::Clients;
use hubbub_aws::metrics::Metered;
use hubbub_aws::poster::FastPoster;
use hubbub_aws::system::System;
use hubbub_core::broadcast::{PageDelivery, PageInput, PageReport, Round};
use hubbub_core::channel::Channel;
use hubbub_core::fan_out::Share;
use hubbub_core::frame::Frame;
use hubbub_core::id::{ConnectionId, Epoch, LeaseId, SenderId};
use hubbub_core::member::Connection;
use hubbub_core::membership;
use hubbub_core::memory::MemoryStore;
use hubbub_core::message::Seq;
use hubbub_core::page::Page;
use hubbub_core::ports::{Append, Clock, Log, Poster};
use hubbub_core::rate::Budget;
use hubbub_core::testing::{FOREVER, message, room, user};
use hubbub_core::time::Timestamp;
use hubbub_gateway::{Buffer, Gateway, Settings};
use serde_json::Value;
use tokio::time::{sleep, timeout};

/// Longer than anything here takes on a machine that is busy with other things.
const LONG: Duration = Duration::from_secs(60);

/// Members that make no trouble: more than are read at a time.
const GOOD: u64 = 1_200;

const NEVER: Timestamp = Timestamp(u64::MAX);

type TestHandler = Handler<MemoryStore, FastPoster, Metered>;

/// A room with a message, whose members are those that make trouble, and behind them in the order of reading many good ones; and a sender
/// that gives a post up after so many milliseconds.
async fn page(gateway: &Gateway, trouble: &[&str], post_timeout_ms: u64) -> (TestHandler, Value) {
    let (store, channel, budget) = (MemoryStore::default(), room("lobby"), Budget::of(1_000_000));
    let good = (0..GOOD).map(|number| format!("z{number}"));
    for id in trouble.iter().map(|id| (*id).to_owned()).chain(good) {
        join(&store, &channel, id).await;
    }
    let state = store.open(&channel, &Epoch::new("E")).await.unwrap();
    let (now, messages) = (System.now(), [message(1, "hello")]);
    let append = Append { epoch: &state.epoch, head: Seq(0), messages: &messages, now, expires: now.plus(LONG) };
    store.append(&channel, &append).await.unwrap();
    let clients = Clients::local("http://127.0.0.1:1".to_owned(), "us-east-1".to_owned());
    let poster = clients.poster(gateway.url(), budget.large_rate(1), 8, post_timeout_ms).unwrap();
    let round = Round {
        number: 1,
        epoch: state.epoch,
        from: Seq(0),
        to: Seq(1),
        frames: 1,
        events: 0,
        senders: 1,
        begun_at: now,
        taken_at: vec![now],
        receipts: false,
    };
    let page = Page { index: 0, shards: (0..state.shards).collect() };
    let input = PageInput { channel, lease: LeaseId::new("lease"), round, page };
    let share = Share { budget, sender: SenderId::new("sender") };
    let world = Metered::new("deliver-page", "test");
    (Handler(PageDelivery { store, poster, world, share, lease: LONG }), serde_json::to_value(input).unwrap())
}

async fn join(store: &MemoryStore, channel: &Channel, id: String) {
    let member =
        Connection { id: ConnectionId::new(id), user: user("alice"), connected_at: System.now(), until: FOREVER };
    membership::join(store, &System, &member, channel, 10_000).await.unwrap();
}

fn check(report: &PageReport, delivered: u64, throttled: u64, failed: u64) {
    let tally = report.tally;
    assert_eq!((tally.delivered, tally.throttled, tally.failed), (delivered, throttled, failed));
}

#[tokio::test]
async fn a_post_that_hangs_holds_up_nobody_and_ends_in_its_time() {
    let gateway = Gateway::start(Settings::default()).unwrap();
    let (handler, input) = page(&gateway, &["hang-1", "hang-2", "hang-3"], 10_000).await;
    let mut page = pin!(handler.handle(input, NEVER));
    let others_are_served = async {
        while gateway.counters().answered(200) < GOOD {
            sleep(Duration::from_millis(1)).await;
        }
        gateway.counters().under_way
    };
    let hanging = tokio::select! {
        _ = &mut page => None,
        hanging = others_are_served => Some(hanging),
    };
    assert_eq!(hanging, Some(3), "everybody else is served while these posts hang");
    let report = timeout(LONG, page).await.unwrap().unwrap();
    check(&report, GOOD, 0, 3);
}

#[tokio::test]
async fn a_member_that_is_always_answered_429_holds_up_nobody() {
    let gateway = Gateway::start(Settings::default()).unwrap();
    let (handler, input) = page(&gateway, &["throttled-1", "throttled-2"], 60_000).await;
    let report = timeout(LONG, handler.handle(input, NEVER)).await.unwrap().unwrap();
    check(&report, GOOD, 2, 0);
    let refused = gateway.counters().answered(429);
    assert!((4..=10).contains(&refused), "each was tried again, but not for ever: {refused}");
}

#[tokio::test]
async fn a_socket_that_is_not_read_fills_its_own_buffer_alone() {
    let buffer = Some(Buffer { bytes: 1_000.0, drain: 0.0 });
    let gateway = Gateway::start(Settings { buffer, ..Settings::default() }).unwrap();
    let (handler, input) = page(&gateway, &["unread"], 60_000).await;
    let fill = Frame { text: "x".repeat(1_000), last: Seq(0) };
    handler.0.poster.post(&[fill], &[ConnectionId::new("unread")]).await;
    let report = timeout(LONG, handler.handle(input, NEVER)).await.unwrap().unwrap();
    check(&report, GOOD, 1, 0);
}
