//! Looking after dead letters.

use aws_sdk_sqs::Client;
use hubbub_aws::dead_letters::{DeadLetterOffice, HeldLetter};
use hubbub_client::Channel;
use hubbub_tests::fixture::{Fixture, eventually};
use serde_json::json;

fn office(fixture: &Fixture) -> DeadLetterOffice {
    let outputs = &fixture.stack.outputs;
    DeadLetterOffice::new(fixture.stack.sqs(), outputs.dead_letter_queue_url.clone(), outputs.publish_queue_url.clone())
}

/// Puts a message on the dead-letter queue, as SQS itself does after the last receive.
async fn give_up(fixture: &Fixture, sqs: &Client, group: &str, deduplication_id: &str, body: &str) {
    sqs.send_message()
        .queue_url(&fixture.stack.outputs.dead_letter_queue_url)
        .message_group_id(group)
        .message_deduplication_id(deduplication_id)
        .message_body(body)
        .send()
        .await
        .unwrap();
}

/// Takes hold of the dead letters of a group, and gives all others back.
async fn hold(fixture: &Fixture, group: &str) -> HeldLetter {
    let office = office(fixture);
    let mut found = None;
    eventually("the dead letter is there", async || {
        let letters = office.hold_all().await.unwrap();
        let (own, others): (Vec<_>, Vec<_>) = letters.into_iter().partition(|letter| letter.group == group);
        office.release(&others).await.unwrap();
        found = own.into_iter().next();
        found.is_some()
    })
    .await;
    found.unwrap()
}

#[tokio::test]
async fn redriven_letter_is_logged_once() {
    let fixture = Fixture::new().await;
    let room = fixture.unique("room");
    let group = format!("room:{room}");
    let mut member = fixture.join(&fixture.unique("user"), &room).await;
    let envelope = json!({"v": 1, "channel": group, "id": "m", "from": "orders", "body": 1}).to_string();
    let (sqs, office) = (fixture.stack.sqs(), office(&fixture));
    for attempt in ["first", "second"] {
        give_up(&fixture, &sqs, &group, &fixture.unique(attempt), &envelope).await;
        let letter = hold(&fixture, &group).await;
        assert_eq!(letter.reason, "receive_limit");
        office.redrive(&letter).await.unwrap();
    }
    member.client.publish(&room, &"end", Some("end")).await.unwrap();
    assert_eq!(member.next_ids(2).await, ["m", "end"]);
    let log = member.client.history(Channel::room(&room), None, None).await.unwrap();
    assert_eq!(log.messages.len(), 2);
}

#[tokio::test]
async fn a_dropped_letter_is_gone() {
    let fixture = Fixture::new().await;
    let group = format!("room:{}", fixture.unique("room"));
    let (sqs, office) = (fixture.stack.sqs(), office(&fixture));
    give_up(&fixture, &sqs, &group, &fixture.unique("letter"), "garbage").await;
    let letter = hold(&fixture, &group).await;
    assert_eq!(letter.body, "garbage");
    office.drop_letter(&letter).await.unwrap();
    let left = office.hold_all().await.unwrap();
    office.release(&left).await.unwrap();
    assert!(left.iter().all(|letter| letter.group != group));
}
