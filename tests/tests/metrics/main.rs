//! What the functions measure is what has happened. Measurements tell of no channel, so that this needs a stack that does nothing else: it runs
//! after the other tests, not among them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use aws_sdk_sfn::types::ExecutionStatus;
use hubbub_client::{Channel, Event};
use hubbub_core::metrics::{
    ACCEPTED, AGE, APPENDED, CONNECTION_MINUTES, DEAD_LETTERS, DELIVERED, FAILED, GONE, Metric, POSTS, ROUND_TIME,
    THROTTLED,
};
use hubbub_tests::fixture::{Fixture, TestClient, eventually};
use hubbub_tests::inspect;
use hubbub_tests::measured::{Measured, measured};
use hubbub_tests::service::Service;
use hubbub_tests::stack::Stack;
use serde_json::json;

/// Waits until nothing is under way in a stack.
async fn rest(stack: &Stack) {
    eventually("the queue is empty", async || inspect::waiting(stack).await.unwrap() == 0).await;
    for arn in inspect::execution_arns(stack).await.unwrap() {
        eventually("the broadcasts have ended", async || {
            inspect::execution(stack, &arn).await.unwrap().status != ExecutionStatus::Running
        })
        .await;
    }
}

async fn join(fixture: &Fixture, room: &str, members: u64) -> Vec<TestClient> {
    let mut joined = Vec::new();
    for number in 0..members {
        joined.push(fixture.join(&fixture.unique(&format!("{room}-{number}")), room).await);
    }
    joined
}

async fn receipt(member: &mut TestClient) {
    loop {
        match member.events.next().await {
            Some(Event::Receipt(_)) => return,
            Some(_) => {}
            None => panic!("the connection has ended"),
        }
    }
}

fn difference(before: &Measured, after: &Measured, metric: Metric) -> u64 {
    after.sum(metric) - before.sum(metric)
}

#[tokio::test]
async fn the_functions_logs_hold_metrics_whose_sums_are_what_was_sent() {
    const SMALL: u64 = 3;
    let fixture = Fixture::new().await;
    let large = fixture.stack.outputs.inline_limit * 2;
    let (small_room, large_room) = (fixture.unique("small"), fixture.unique("large"));
    let mut small_members = join(&fixture, &small_room, SMALL).await;
    let mut large_members = join(&fixture, &large_room, large).await;
    rest(&fixture.stack).await;
    let before = measured(&fixture.stack).await.unwrap();

    // Five of a client and two of a service to the small room; one, with a receipt, to the large one; and one that nobody can read.
    let service = Service::new(&fixture.stack, "orders");
    let group = format!("room:{small_room}");
    for number in 0..5 {
        small_members[0].client.publish(&small_room, &number, Some(&format!("c-{number}"))).await.unwrap();
    }
    for number in 0..2 {
        service.send(&group, &format!("s-{number}"), &json!(number)).await.unwrap();
    }
    service.send_raw(&group, &fixture.unique("garbage"), "garbage").await.unwrap();
    let publisher = &large_members[0].client;
    publisher.publish_for_receipt(&Channel::room(&large_room), &"hello", Some("r-0")).await.unwrap();
    for member in &mut small_members {
        member.next_ids(7).await;
    }
    for member in &mut large_members[1..] {
        member.next_ids(1).await;
    }
    receipt(&mut large_members[0]).await;
    rest(&fixture.stack).await;

    let after = measured(&fixture.stack).await.unwrap();
    let counted = |metric| difference(&before, &after, metric);
    assert_eq!(counted(ACCEPTED), 6);
    assert_eq!(counted(APPENDED), 8);
    assert_eq!(counted(DELIVERED), 7 * SMALL + large);
    assert_eq!((counted(GONE), counted(THROTTLED), counted(FAILED)), (0, 0, 0));
    assert_eq!(counted(DEAD_LETTERS), 1);
    // Messages that wait together share a post; the receipt is one more.
    assert!((SMALL + large + 1..=7 * SMALL + large + 1).contains(&counted(POSTS)), "{}", counted(POSTS));
    let new = |metric| after.values(metric).len() - before.values(metric).len();
    assert_eq!(new(AGE), 8, "an age for each message");
    assert_eq!(new(ROUND_TIME), 1, "a round for the one message");

    let sockets = SMALL + large;
    drop((small_members, large_members));
    eventually("the sockets' minutes are counted", async || {
        let after = measured(&fixture.stack).await.unwrap();
        difference(&before, &after, CONNECTION_MINUTES) >= sockets
    })
    .await;
    for line in &measured(&fixture.stack).await.unwrap().lines {
        for secret in [&small_room, &large_room, "orders", "hello", "garbage"] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}
