//! A page with members whose posts hang or fail, over real sockets to a gateway on the loopback. The others are served meanwhile, and the page
//! ends.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::pin::pin;
use std::time::Duration;

use hubbub_aws::clients::Clients;
use hubbub_aws::metrics::Metered;
use hubbub_aws::poster::ConnectionsPoster;
use hubbub_aws::system::System;
use hubbub_core::broadcast::page::Page;
use hubbub_core::broadcast::round::{PageInput, PageReport, Round};
use hubbub_core::limits::budget::Budget;
use hubbub_core::members::connection::Connection;
use hubbub_core::members::membership;
use hubbub_core::ports::{Append, Clock, Log, Poster};
use hubbub_core::settings::DeliverPageConfig;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::frame::Frame;
use hubbub_core::wire::id::{ConnectionId, Epoch, LeaseId};
use hubbub_core::wire::message::Seq;
use hubbub_core::wire::time::Timestamp;
use hubbub_functions::deliver_page::{Handler, Ports};
use hubbub_gateway::{Buffer, Gateway, Settings};
use hubbub_testkit::fixtures::{FOREVER, message, room, user};
use hubbub_testkit::memory::MemoryStore;
use serde_json::Value;
use tokio::time::{sleep, timeout};

/// Longer than anything here takes on a machine that is busy with other things.
const LONG: Duration = Duration::from_secs(60);

/// The other members: more than are read at a time.
const GOOD: u64 = 1_200;

/// So many that no post waits for its turn.
const CALLBACK_RPS: u64 = 1_000_000;

const NEVER: Timestamp = Timestamp(u64::MAX);

type TestHandler = Handler<MemoryStore, ConnectionsPoster, Metered>;

/// A room with a message, whose members are first those that stall and then many good ones, and a function that gives a post up after
/// `post_timeout_ms`.
async fn page(gateway: &Gateway, stalled: &[&str], post_timeout_ms: u64) -> (TestHandler, Value) {
    let (store, channel) = (MemoryStore::default(), room("lobby"));
    let good = (0..GOOD).map(|number| format!("z{number}"));
    for id in stalled.iter().map(|id| (*id).to_owned()).chain(good) {
        join(&store, &channel, id).await;
    }
    let state = store.open(&channel, &Epoch::new("E")).await.unwrap();
    let (now, messages) = (System.now(), [message(1, "hello")]);
    let append = Append { epoch: &state.epoch, head: Seq(0), messages: &messages, now, expires: now.plus(LONG) };
    store.append(&channel, &append).await.unwrap();
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
    let ports = Ports { store, poster: poster(gateway, post_timeout_ms), env: Metered::new("deliver-page", "test") };
    (Handler::new(&config(gateway, post_timeout_ms), ports), serde_json::to_value(input).unwrap())
}

fn config(gateway: &Gateway, post_timeout_ms: u64) -> DeliverPageConfig {
    DeliverPageConfig {
        stack: "test".to_owned(),
        table: "test".to_owned(),
        presence_queue_url: "http://127.0.0.1:1".to_owned(),
        lease_seconds: LONG.as_secs(),
        callback_url: gateway.url().to_owned(),
        callback_rps: CALLBACK_RPS,
        post_concurrency: 8,
        post_timeout_ms,
    }
}

fn poster(gateway: &Gateway, post_timeout_ms: u64) -> ConnectionsPoster {
    let clients = Clients::local("http://127.0.0.1:1".to_owned(), "us-east-1".to_owned());
    clients.poster(gateway.url(), Budget::of(CALLBACK_RPS).large_rate(1), 8, post_timeout_ms).unwrap()
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
async fn post_that_hangs_holds_up_nobody_and_times_out() {
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
async fn member_that_is_always_answered_429_holds_up_nobody() {
    let gateway = Gateway::start(Settings::default()).unwrap();
    let (handler, input) = page(&gateway, &["throttled-1", "throttled-2"], 60_000).await;
    let report = timeout(LONG, handler.handle(input, NEVER)).await.unwrap().unwrap();
    check(&report, GOOD, 2, 0);
    let refused = gateway.counters().answered(429);
    assert!((4..=10).contains(&refused), "each was tried again, but not for ever: {refused}");
}

#[tokio::test]
async fn socket_that_is_not_read_holds_up_nobody() {
    let buffer = Some(Buffer { bytes: 1_000.0, drain: 0.0 });
    let gateway = Gateway::start(Settings { buffer, ..Settings::default() }).unwrap();
    let (handler, input) = page(&gateway, &["unread"], 60_000).await;
    let fill = Frame { text: "x".repeat(1_000), last: Seq(0) };
    poster(&gateway, 60_000).post(&[fill], &[ConnectionId::new("unread")]).await;
    let report = timeout(LONG, handler.handle(input, NEVER)).await.unwrap().unwrap();
    check(&report, GOOD, 1, 0);
}
