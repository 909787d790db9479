//! What services put on the queue.

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use hubbub_core::names::dead_letter;
use hubbub_tests::fixture::{Fixture, eventually};
use hubbub_tests::service::Service;
use serde_json::json;

/// Takes the dead letter with this body off its queue.
async fn take_dead_letter(fixture: &Fixture, body: &str) -> Message {
    let (sqs, url) = (fixture.stack.sqs(), &fixture.stack.outputs.dead_letter_queue_url);
    let mut found = None;
    eventually("the dead letter is there", async || {
        let received = sqs
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(10)
            .visibility_timeout(1)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .send()
            .await
            .unwrap();
        found = received.messages.unwrap_or_default().into_iter().find(|letter| letter.body.as_deref() == Some(body));
        found.is_some()
    })
    .await;
    let letter = found.unwrap();
    sqs.delete_message().queue_url(url).receipt_handle(letter.receipt_handle.as_deref().unwrap()).send().await.unwrap();
    letter
}

#[tokio::test]
async fn garbage_becomes_a_dead_letter_and_blocks_nothing() {
    let fixture = Fixture::new().await;
    let room = fixture.unique("room");
    let group = format!("room:{room}");
    let mut member = fixture.join(&fixture.unique("user"), &room).await;
    let service = Service::new(&fixture.stack, "orders");
    let elsewhere =
        format!(r#"{{"v":1,"channel":"room:elsewhere","id":"{}","from":"orders","body":1}}"#, fixture.unique("m"));
    let cases = [
        (format!("garbage {room}"), "not_json", "not a JSON object"),
        (format!(r#"{{"v":2,"for":"{room}"}}"#), "unknown_version", "reads version 1"),
        (elsewhere, "wrong_group", "they must be the same"),
    ];
    for (number, (text, ..)) in cases.iter().enumerate() {
        service.send_raw(&group, &format!("bad-{number}"), text).await.unwrap();
        service.send(&group, &format!("good-{number}"), &json!(number)).await.unwrap();
    }
    assert_eq!(member.next_ids(3).await, ["good-0", "good-1", "good-2"]);
    for (text, reason, says) in &cases {
        let letter = take_dead_letter(&fixture, text).await;
        let attributes = letter.message_attributes.unwrap();
        let attribute = |name: &str| attributes[name].string_value.clone().unwrap();
        assert_eq!(attribute(dead_letter::REASON), *reason);
        assert!(attribute(dead_letter::DETAIL).contains(says), "{}", attribute(dead_letter::DETAIL));
        assert!(attribute(dead_letter::SOURCE).starts_with("arn:aws:sqs:"));
        assert!(attribute(dead_letter::FIRST_SEEN).parse::<u64>().unwrap() > 1_600_000_000_000);
        assert_eq!(letter.attributes.unwrap()[&MessageSystemAttributeName::MessageGroupId], group);
    }
}

#[tokio::test]
async fn a_service_sends_the_same_message_twice_and_it_is_one() {
    let fixture = Fixture::new().await;
    let room = fixture.unique("room");
    let group = format!("room:{room}");
    let mut member = fixture.join(&fixture.unique("user"), &room).await;
    let service = Service::new(&fixture.stack, "orders");
    let envelope = r#"{"v":1,"channel":"CHANNEL","id":"m","from":"orders","body":[1.50]}"#.replace("CHANNEL", &group);
    service.send_raw(&group, "one", &envelope).await.unwrap();
    service.send_raw(&group, "one", &envelope).await.unwrap();
    service.send(&group, "end", &json!(null)).await.unwrap();
    let first = member.next().await.message;
    assert_eq!((first.id.as_str(), first.from.as_str(), first.body()), ("m", "orders", Some("[1.50]")));
    assert_eq!(member.next().await.message.id, "end");
}
