//! What a client says, and what it is answered.

use std::time::Duration;

use hubbub_client::{Channel, Error, Event, Session, SessionOptions, Start, Tokens};
use hubbub_core::actions;
use hubbub_tests::fixture::{Fixture, eventually};
use serde_json::json;

#[tokio::test]
async fn a_member_joins_sees_who_is_there_reads_back_and_leaves() {
    let fixture = Fixture::new().await;
    let (room, ana, ben) = (fixture.unique("room"), fixture.unique("ana"), fixture.unique("ben"));
    let mut a = fixture.join(&ana, &room).await;
    let caught = a.client.join_room(&room).await.unwrap();
    assert_eq!((caught.head, caught.messages), (0, 0));
    let b = fixture.join(&ben, &room).await;

    let members = a.client.who(&room).await.unwrap();
    let mut users = members.users;
    users.sort();
    assert_eq!((members.count, users), (2, vec![ana.clone(), ben.clone()]));

    for number in 1..=3 {
        let id = format!("m-{number}");
        let accepted = b.client.publish(&room, &json!({"n": number}), Some(&id)).await.unwrap();
        assert_eq!((accepted.id, accepted.channel), (id, Channel::room(&room)));
    }
    assert_eq!(a.next_ids(3).await, ["m-1", "m-2", "m-3"]);

    let page = a.client.history(Channel::room(&room), None, Some(2)).await.unwrap();
    let ids: Vec<&str> = page.messages.iter().map(|message| message.id.as_str()).collect();
    assert_eq!((ids, page.more), (vec!["m-2", "m-3"], true));
    let page = a.client.history(Channel::room(&room), Some(2), None).await.unwrap();
    assert_eq!((page.messages.len(), page.more), (1, false));
    assert_eq!(page.messages[0].from, ben);

    b.client.leave(&room).await.unwrap();
    eventually("the count went down", async || a.client.who(&room).await.unwrap().count == 1).await;
    let Err(Error::Server(error)) = b.client.publish(&room, &1, None).await else { panic!("not refused") };
    assert_eq!(error.code, "not_a_member");
    a.client.ping().await.unwrap();
}

#[tokio::test]
async fn bad_input_is_answered_with_a_code_and_what_to_change() {
    let fixture = Fixture::new().await;
    let member = fixture.connect(&fixture.unique("user")).await;
    let large = "x".repeat(24_577);
    for (text, code, says) in [
        ("hello", "not_json", "not a JSON object"),
        ("[1]", "not_json", "not a JSON object"),
        ("{}", "unknown_action", "join, leave, publish"),
        (r#"{"action":"shout"}"#, "unknown_action", "join, leave, publish"),
        (r#"{"action":["join"]}"#, "unknown_action", "join, leave, publish"),
        (r#"{"action":"join"}"#, "missing_field", "`room` is missing"),
        (r#"{"action":"join","room":7}"#, "wrong_field", "`room` must be a string"),
        (r#"{"action":"join","room":"two words"}"#, "invalid_id", "`two words` is not an id"),
        (r#"{"action":"join","channel":"user:somebody-else"}"#, "not_allowed", "belongs to another user"),
        (r#"{"action":"publish","room":"a"}"#, "missing_field", "`body` is missing"),
        (r#"{"action":"publish","room":"nowhere","body":1}"#, "not_a_member", "join first"),
        (r#"{"action":"history","room":"a","limit":0}"#, "wrong_field", "from 1 to 200"),
        (&format!(r#"{{"action":"direct","to":"a","body":"{large}"}}"#), "body_too_large", "24579 bytes"),
    ] {
        let answer = member.error_to(text).await;
        assert_eq!(answer["code"], code, "{text:.60}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(says), "{text:.60}: {answer}");
    }
}

#[tokio::test]
async fn every_action_has_a_route() {
    let fixture = Fixture::new().await;
    let member = fixture.connect(&fixture.unique("user")).await;
    for action in actions::NAMES.iter().filter(|action| **action != "ping") {
        let answer = member.error_to(&format!(r#"{{"action":"{action}","room":5,"to":5}}"#)).await;
        assert_eq!(answer["code"], "wrong_field", "{action}: {answer}");
    }
}

#[tokio::test]
async fn client_messages_keep_order_and_repeated_ids_are_dropped() {
    let fixture = Fixture::new().await;
    let room = fixture.unique("room");
    let mut reader = fixture.join(&fixture.unique("reader"), &room).await;
    let writer = fixture.join(&fixture.unique("writer"), &room).await;
    let ids: Vec<String> = (0..15).map(|number| format!("m-{number}")).collect();
    for id in &ids {
        for _ in 0..2 {
            writer.client.publish(&room, &json!({"of": id}), Some(id)).await.unwrap();
        }
    }
    assert_eq!(reader.next_ids(ids.len()).await, ids);
    let last = writer.client.publish(&room, &"end", None).await.unwrap();
    assert_eq!(reader.next().await.message.id, last.id, "there is no second copy of any");
    let log = reader.client.history(Channel::room(&room), None, Some(200)).await.unwrap();
    let seqs: Vec<u64> = log.messages.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..=16).collect::<Vec<_>>(), "sequences have no holes");
}

#[tokio::test]
async fn who_comes_back_gets_what_was_missed_and_then_what_is_new() {
    let fixture = Fixture::new().await;
    let (room, user) = (fixture.unique("room"), fixture.unique("away"));
    let writer = fixture.join(&fixture.unique("writer"), &room).await;
    let mut before = fixture.join(&user, &room).await;
    writer.client.publish(&room, &1, Some("seen")).await.unwrap();
    assert_eq!(before.next_ids(1).await, ["seen"]);
    let state = before.client.state();
    before.client.cut().await;
    for id in ["missed-1", "missed-2"] {
        writer.client.publish(&room, &1, Some(id)).await.unwrap();
    }
    let (client, events) = hubbub_client::Client::resume(fixture.options(&user), state).await.unwrap();
    let mut after = hubbub_tests::fixture::TestClient { client, events };
    writer.client.publish(&room, &1, Some("new")).await.unwrap();
    assert_eq!(after.next_ids(3).await, ["missed-1", "missed-2", "new"]);
    let caught = after.client.join(Channel::room(&room), Start::Known).await.unwrap();
    assert_eq!(caught.recovered, Some(true));
}

/// A session that moves to a fresh socket every few seconds, and pauses briefly.
fn restless(fixture: &Fixture, user: &str) -> SessionOptions {
    let url = &fixture.stack.outputs.web_socket_url;
    let mut options = SessionOptions::new(url, user, Tokens::fixed(fixture.tokens.sign(user).unwrap()));
    options.first_pause = Duration::from_millis(100);
    options.longest_pause = Duration::from_secs(1);
    options.move_after = Duration::from_secs(1)..=Duration::from_secs(3);
    options
}

#[tokio::test]
async fn cut_or_moved_session_loses_and_repeats_nothing() {
    const MESSAGES: u32 = 40;
    let fixture = Fixture::new().await;
    let room = fixture.unique("room");
    let (reader, mut events) = Session::open(restless(&fixture, &fixture.unique("reader")));
    let (writer, _) = Session::open(restless(&fixture, &fixture.unique("writer")));
    for session in [&reader, &writer] {
        session.join(Channel::room(&room), Start::Now).await.unwrap();
    }
    let write = async {
        for number in 0..MESSAGES {
            match number % 10 {
                3 => reader.cut().await,
                6 => writer.cut().await,
                _ => {}
            }
            writer.publish(&room, &number, None).await.unwrap();
        }
    };
    let read = async {
        let mut bodies = Vec::new();
        while bodies.len() < MESSAGES as usize {
            match events.next().await.unwrap() {
                Event::Message(delivery) => bodies.push(delivery.message.body().unwrap().parse::<u32>().unwrap()),
                other => panic!("{other:?}"),
            }
        }
        bodies
    };
    let ((), bodies) = tokio::join!(write, read);
    assert_eq!(bodies, (0..MESSAGES).collect::<Vec<_>>());
    let log = reader.history(Channel::room(&room), None, Some(200)).await.unwrap();
    assert_eq!(log.messages.len(), MESSAGES as usize, "each message is in the log once");
}
