//! `deliver` is killed, refused and run twice.

use futures::future::join_all;
use hubbub_aws::system::System;
use hubbub_core::functions::Function;
use hubbub_core::ports::Clock;
use hubbub_tests::faults;
use hubbub_tests::inspect;
use hubbub_tests::processes::{Held, hold};
use serde_json::{Value, json};

use crate::room::{ExclusiveStack, TRIES, TestRoom, watch_for};

/// Sends messages, each to a room of its own, until `deliver` could be stopped after the append of one and before its first post.
///
/// It is known from the table, where the head has moved and `sent` has not, and from the members, who have nothing.
pub(crate) async fn stop_between_append_and_posts(stack: &ExclusiveStack, name: &str) -> (TestRoom, Held) {
    for attempt in 0..TRIES {
        let mut room = TestRoom::with_members(stack, &format!("{name}-{attempt}"), 3).await;
        room.send(stack, 1).await;
        watch_for("the message is in the log", async || room.state(stack).await.head.0 == 1).await;
        let held = hold(stack.stack(), Function::Deliver).await.unwrap();
        let state = room.state(stack).await;
        let reached = room.received_up_to().await;
        if held.count() > 0 && state.sent.0 == 0 && reached.iter().all(|newest| *newest == 0) {
            return (room, held);
        }
        drop(held);
        room.wait_for(1).await;
    }
    panic!("`deliver` was never met between its append and its posts, in {TRIES} tries");
}

#[tokio::test]
async fn killed_delivery_is_logged_once_and_reaches_all() {
    let stack = ExclusiveStack::take().await;
    let (mut room, held) = stop_between_append_and_posts(&stack, "killed").await;
    held.kill().unwrap();
    // The members' pings may bring it first; the queue gives it out again after its visibility timeout.
    room.wait_for(1).await;
    room.wait_until_sent(&stack).await;
    room.send(&stack, 2).await;
    room.wait_for(2).await;
    room.check_complete(&stack, 2).await;
}

/// What SQS hands to `deliver`, when it gives this message out again.
fn redelivery(room: &TestRoom, number: u64, receives: u32) -> Value {
    let channel = room.channel.to_string();
    let envelope = json!({"v": 1, "channel": channel, "id": format!("m-{number}"), "from": "faults", "body": number});
    json!({"Records": [{
        "messageId": format!("{channel}-{number}"),
        "receiptHandle": "none",
        "body": envelope.to_string(),
        "attributes": {
            "ApproximateReceiveCount": receives.to_string(),
            "SentTimestamp": System.now().0.to_string(),
            "MessageGroupId": channel,
            "MessageDeduplicationId": format!("faults:m-{number}"),
            "SequenceNumber": "1",
            "SenderId": "000000000000",
            "ApproximateFirstReceiveTimestamp": System.now().0.to_string(),
        },
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:hubbub-local-publish.fifo",
        "awsRegion": "us-east-1",
    }]})
}

#[tokio::test]
async fn concurrent_runs_of_a_group_append_once() {
    let stack = ExclusiveStack::take().await;
    let mut room = TestRoom::with_members(&stack, "twice", 3).await;
    for number in 1..=20 {
        // All of the processes stand still until all calls have been made, so that the runs are under way together. The first round
        // may have fewer processes than calls; from the second on each call has one that waits for it.
        let held = hold(stack.stack(), Function::Deliver).await.unwrap();
        let events = [redelivery(&room, number, 2), redelivery(&room, number, 3)];
        let runs = join_all(events.iter().map(|event| faults::invoke(stack.stack(), Function::Deliver, event)));
        let release = async {
            // The local AWS takes requests in their order: when it has answered this, it has taken the calls.
            inspect::waiting(stack.stack()).await.unwrap();
            drop(held);
        };
        let (answers, ()) = futures::join!(runs, release);
        for answer in answers {
            assert_eq!(answer.unwrap(), json!({"batchItemFailures": []}));
        }
    }
    room.wait_for(20).await;
    room.check_complete(&stack, 20).await;
}

#[tokio::test]
async fn refused_broadcast_starts_at_the_redelivery() {
    let stack = ExclusiveStack::take().await;
    let size = usize::try_from(stack.stack().outputs.inline_limit).unwrap() + 2;
    let mut room = TestRoom::with_members(&stack, "refused", size).await;
    faults::refuse(stack.stack(), Function::Deliver, "states:StartExecution").await.unwrap();
    room.send(&stack, 1).await;
    let mut lease = None;
    watch_for("the lease is taken", async || {
        lease = room.state(&stack).await.lease;
        lease.is_some()
    })
    .await;
    // The lease outlasts the run that took it, so that by its end the start was refused.
    let lease = lease.unwrap();
    watch_for("the lease has run out", async || !lease.is_live(System.now())).await;
    assert!(!inspect::was_started(stack.stack(), &lease).await.unwrap());
    assert_eq!(room.state(&stack).await.sent.0, 0);
    faults::stop_refusing(stack.stack(), Function::Deliver).await.unwrap();
    room.wait_for(1).await;
    room.wait_until_sent(&stack).await;
    room.check_complete(&stack, 1).await;
}
