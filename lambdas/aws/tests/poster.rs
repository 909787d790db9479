//! The poster against a gateway on the loopback, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::time::Duration;

use aws_credential_types::Credentials;
use hubbub_aws::poster::{ConnectionsPoster, PosterSettings, Trust};
use hubbub_aws::runtime::sdk_config_for;
use hubbub_core::delivery::outcome::Outcome;
use hubbub_core::delivery::outcome::Outcome::{Delivered, Failed, Gone, Throttled};
use hubbub_core::limits::pace::Rate;
use hubbub_core::ports::Poster;
use hubbub_core::wire::frame::Frame;
use hubbub_core::wire::id::ConnectionId;
use hubbub_core::wire::message::Seq;
use hubbub_gateway::{Counters, Gateway, Latency, Quota, Settings};
use tokio::time::{sleep, timeout};

/// Longer than anything here takes on a busy host.
const LONG: Duration = Duration::from_secs(60);

fn settings() -> PosterSettings {
    PosterSettings { concurrency: 8, timeout: LONG, rate: None, trust: Trust::Only(String::new()) }
}

fn poster(gateway: &Gateway, settings: PosterSettings) -> ConnectionsPoster {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token".to_owned()), None, "test");
    let config = sdk_config_for(Some("eu-west-1".to_owned()), None, Some(credentials));
    ConnectionsPoster::new(&config, gateway.url(), settings).unwrap()
}

fn frame(number: u64) -> Frame {
    Frame { text: format!(r#"{{"type":"message","seq":{number}}}"#), last: Seq(number) }
}

fn ids(names: &[&str]) -> Vec<ConnectionId> {
    names.iter().map(|name| ConnectionId::new(*name)).collect()
}

fn many(count: usize) -> Vec<ConnectionId> {
    (0..count).map(|number| ConnectionId::new(format!("c{number}="))).collect()
}

/// Posts a frame to each connection, and all are delivered.
async fn deliver(poster: &ConnectionsPoster, connections: &[ConnectionId]) {
    let outcomes = poster.post(&[frame(1)], connections).await;
    assert_eq!(outcomes, vec![Delivered; connections.len()]);
}

/// Waits until the gateway's counters are as wanted.
async fn until(gateway: &Gateway, wanted: impl Fn(&Counters) -> bool) {
    let seen = timeout(LONG, async {
        while !wanted(&gateway.counters()) {
            sleep(Duration::from_millis(1)).await;
        }
    });
    assert!(seen.await.is_ok(), "{:?}", gateway.counters());
}

#[tokio::test]
async fn each_connection_has_its_own_outcome() {
    let gateway = Gateway::start(Settings::default()).unwrap();
    let poster = poster(&gateway, PosterSettings { timeout: Duration::from_secs(5), ..settings() });
    let expected: [(&str, Outcome); 10] = [
        ("a=", Delivered),
        ("gone-1", Gone),
        ("throttled-1", Throttled),
        ("b/c+d e", Delivered),
        ("broken-1", Failed),
        ("forbidden-1", Failed),
        ("large-1", Failed),
        ("hang-1", Failed),
        ("cut-1", Failed),
        ("slow-1", Delivered),
    ];
    let outcomes = poster.post(&[frame(1)], &ids(&expected.map(|(id, _)| id))).await;
    assert_eq!(outcomes, expected.map(|(_, outcome)| outcome));
}

#[tokio::test]
async fn frames_arrive_in_order_even_when_one_is_tried_again() {
    let gateway = Gateway::start(Settings { keep_bodies: true, ..Settings::default() }).unwrap();
    let frames = [frame(1), frame(2), frame(3)];
    let names = ["a=", "broken-once-1", "throttled-once-1", "cut-once-1", "b/ +c"];
    let outcomes = poster(&gateway, settings()).post(&frames, &ids(&names)).await;
    assert_eq!(outcomes, [Delivered; 5]);
    for name in names {
        assert_eq!(gateway.bodies(name), frames.clone().map(|frame| frame.text), "{name}");
    }
}

#[tokio::test]
async fn frames_after_a_failed_one_are_not_posted() {
    let gateway = Gateway::start(Settings::default()).unwrap();
    let outcomes = poster(&gateway, settings()).post(&[frame(1), frame(2)], &ids(&["gone-1"])).await;
    assert_eq!(outcomes, [Gone]);
    assert_eq!(gateway.counters().requests, 1);
}

#[tokio::test]
async fn only_the_connection_that_failed_is_tried_again() {
    let gateway = Gateway::start(Settings::default()).unwrap();
    let mut connections = many(50);
    connections.extend(ids(&["broken-once-1", "throttled-once-1", "gone-1"]));
    let outcomes = poster(&gateway, settings()).post(&[frame(1)], &connections).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Delivered).count(), 52);
    let counters = gateway.counters();
    let answers: Vec<(u16, u64)> = counters.answers.into_iter().collect();
    assert_eq!(answers, [(200, 52), (410, 1), (429, 1), (500, 1)]);
}

#[tokio::test]
async fn connection_that_never_answers_holds_up_nobody() {
    let gateway = Gateway::start(Settings::default()).unwrap();
    let poster = poster(&gateway, PosterSettings { concurrency: 2, ..settings() });
    let mut connections = ids(&["hang-1"]);
    connections.extend(many(200));
    let frames = [frame(1)];
    let post = poster.post(&frames, &connections);
    tokio::select! {
        _ = post => panic!("a post that is never answered was not waited for"),
        () = until(&gateway, |counters| counters.answered(200) == 200 && counters.under_way == 1) => {}
    }
}

#[tokio::test]
async fn concurrency_limits_posts_and_connections() {
    let latency = Latency { median: Duration::from_millis(5), p99: Duration::from_millis(10) };
    let gateway = Gateway::start(Settings { latency: Some(latency), ..Settings::default() }).unwrap();
    let poster = poster(&gateway, PosterSettings { concurrency: 7, ..settings() });
    let connections = many(150);
    // Two calls at once share the limit.
    let frames = [frame(1)];
    let (one, other) = tokio::join!(poster.post(&frames, &connections), poster.post(&frames, &connections));
    assert_eq!([one, other], [vec![Delivered; 150], vec![Delivered; 150]]);
    let counters = gateway.counters();
    assert_eq!((counters.most_under_way, counters.connections), (7, 7));
}

#[tokio::test]
async fn connections_closed_while_idle_are_replaced() {
    let gateway = Gateway::start(Settings::default()).unwrap();
    let poster = poster(&gateway, settings());
    deliver(&poster, &many(100)).await;
    gateway.close_connections();
    until(&gateway, |counters| counters.open == 0).await;
    deliver(&poster, &many(100)).await;
    assert_eq!(gateway.counters().answered(200), 200);
}

#[tokio::test]
async fn connections_closed_after_an_answer_are_replaced() {
    let gateway = Gateway::start(Settings { posts_per_connection: Some(3), ..Settings::default() }).unwrap();
    deliver(&poster(&gateway, settings()), &many(100)).await;
    let counters = gateway.counters();
    assert_eq!(counters.requests, 100, "no post was lost on the way");
    assert!(counters.connections >= 34, "{counters:?}");
}

#[tokio::test]
async fn connections_are_kept_alive() {
    let gateway = Gateway::start(Settings::default()).unwrap();
    let poster = poster(&gateway, settings());
    for _ in 0..5 {
        deliver(&poster, &many(100)).await;
    }
    assert!(gateway.counters().connections <= 8, "{:?}", gateway.counters());
}

#[tokio::test]
async fn posts_over_the_quota_are_tried_again() {
    let quota = Some(Quota { rate: 500.0, burst: 50.0 });
    let gateway = Gateway::start(Settings { quota, ..Settings::default() }).unwrap();
    let rate = Some(Rate { per_second: 400, burst: 100 });
    deliver(&poster(&gateway, PosterSettings { rate, concurrency: 100, ..settings() }), &many(200)).await;
    assert!(gateway.counters().answered(429) > 0, "{:?}", gateway.counters());
}

#[tokio::test]
async fn try_post_tries_once_and_leaves_out_above_the_rate() {
    let gateway = Gateway::start(Settings::default()).unwrap();
    // A burst of ten, and no more within the test's time.
    let rate = Some(Rate { per_second: 1, burst: 10 });
    let poster = poster(&gateway, PosterSettings { rate, ..settings() });
    let expected = [
        ("a=", Delivered),
        ("gone-1", Gone),
        ("throttled-once-1", Throttled),
        ("broken-once-1", Failed),
        ("cut-once-1", Failed),
    ];
    let outcomes = poster.try_post(&frame(1), &ids(&expected.map(|(id, _)| id))).await;
    assert_eq!(outcomes, expected.map(|(_, outcome)| outcome));
    assert_eq!(gateway.counters().requests, 5, "none is tried again");
    let outcomes = poster.try_post(&frame(2), &many(100)).await;
    let left_out = outcomes.iter().filter(|outcome| **outcome == Throttled).count() as u64;
    // Five of the burst, and one more for each second that this takes.
    assert!((1..=95).contains(&left_out), "{outcomes:?}");
    assert_eq!(gateway.counters().requests, 5 + 100 - left_out, "what was left out was never sent");
}

#[tokio::test]
async fn frame_over_the_gateways_limit_is_tried_once() {
    let gateway = Gateway::start(Settings::default()).unwrap();
    let frame = Frame { text: "x".repeat(128 * 1024 + 1), last: Seq(1) };
    assert_eq!(poster(&gateway, settings()).post(&[frame], &ids(&["a="])).await, [Failed]);
    let counters = gateway.counters();
    assert_eq!((counters.requests, counters.answered(413)), (1, 1));
}

#[tokio::test]
async fn missing_gateway_fails_every_post() {
    let gateway = Gateway::start(Settings::default()).unwrap();
    let poster = poster(&gateway, settings());
    drop(gateway);
    assert_eq!(poster.post(&[frame(1)], &many(20)).await, [Failed; 20]);
}

#[tokio::test]
async fn tls_trusts_only_the_given_authority() {
    let start = || Gateway::start(Settings { tls: true, ..Settings::default() }).unwrap();
    let (gateway, other) = (start(), start());
    let trust = |gateway: &Gateway| Trust::Only(gateway.authority().unwrap().to_owned());
    deliver(&poster(&gateway, PosterSettings { trust: trust(&gateway), ..settings() }), &many(50)).await;
    assert!(gateway.counters().connections <= 8, "{:?}", gateway.counters());
    let poster = poster(&gateway, PosterSettings { trust: trust(&other), ..settings() });
    assert_eq!(poster.post(&[frame(1)], &ids(&["a="])).await, [Failed]);
}

#[tokio::test]
async fn no_frames_or_no_connections_send_nothing() {
    let gateway = Gateway::start(Settings::default()).unwrap();
    let poster = poster(&gateway, settings());
    assert_eq!(poster.post(&[frame(1)], &[]).await, []);
    assert_eq!(poster.post(&[], &many(2)).await, [Delivered, Delivered]);
    assert_eq!(gateway.counters().requests, 0);
}
