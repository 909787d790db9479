//! Moderation commands.

use std::time::Duration;

use hubbub_aws::system::System;
use hubbub_client::{Channel, Client, Closure, Content, Error, Event, Options, ServerFrame};
use hubbub_core::ports::Clock;
use hubbub_tests::fixture::{Fixture, TestClient, eventually};
use hubbub_tests::inspect;
use hubbub_tests::service::Service;
use serde_json::{Value, json};

/// A service sends a moderation command.
async fn command(fixture: &Fixture, channel: &str, command: &str, about: Value) {
    let mut envelope = json!({"v": 1, "channel": channel, "from": "mod", "command": command});
    envelope.as_object_mut().unwrap().extend(about.as_object().unwrap().clone());
    let service = Service::new(&fixture.stack, "mod");
    service.send_raw(channel, &fixture.unique(command), &envelope.to_string()).await.unwrap();
}

/// The frame by which a member is told to leave.
async fn told(member: &mut TestClient) -> ServerFrame {
    loop {
        match member.events.next().await {
            Some(Event::Unexpected(frame)) => return frame,
            Some(Event::Left(left)) => return ServerFrame::Left(left),
            Some(Event::Message(_)) => {}
            other => panic!("{other:?} instead of a word"),
        }
    }
}

async fn is_closed(member: &mut TestClient) -> bool {
    while let Some(event) = member.events.next().await {
        if matches!(event, Event::Closed(_)) {
            return true;
        }
    }
    false
}

fn code(frame: &ServerFrame) -> (&str, bool) {
    let ServerFrame::Closing(closing) = frame else { panic!("{frame:?} instead of a farewell") };
    (&closing.code, closing.reconnect)
}

#[tokio::test]
async fn kicked_user_is_told_and_receives_nothing_more() {
    let fixture = Fixture::new().await;
    let (room, bob) = (fixture.unique("kicked-from"), fixture.unique("bob"));
    let mut member = fixture.join(&bob, &room).await;
    command(&fixture, &format!("room:{room}"), "kick", json!({ "user": bob })).await;
    let ServerFrame::Left(left) = told(&mut member).await else { panic!("not told") };
    assert_eq!((left.channel.to_string(), left.reason.as_deref()), (format!("room:{room}"), Some("kicked")));
    let answer = member.error_to(&format!(r#"{{"action":"who","room":"{room}"}}"#)).await;
    assert_eq!(answer["code"], "not_a_member", "{answer}");
    member.client.join_room(&room).await.unwrap();
}

#[tokio::test]
async fn user_banned_everywhere_is_refused_until_unbanned() {
    let fixture = Fixture::new().await;
    let bob = fixture.unique("banned");
    let mut member = fixture.connect(&bob).await;
    let channel = format!("user:{bob}");
    let until = System.now().plus(Duration::from_secs(3_600)).0;
    command(&fixture, &channel, "ban", json!({ "user": bob, "until": until })).await;
    assert_eq!(code(&told(&mut member).await), ("banned", false));
    assert!(is_closed(&mut member).await);
    let again = async || Client::connect(fixture.options(&bob)).await;
    assert!(matches!(again().await, Err(Error::Refused { status: 403, .. })));
    command(&fixture, &channel, "unban", json!({ "user": bob })).await;
    eventually("the ban is over", async || again().await.is_ok()).await;
}

#[tokio::test]
async fn an_admin_bans_from_a_room_by_its_own_socket() {
    let fixture = Fixture::new().await;
    let (room, bob, admin) = (fixture.unique("banned-from"), fixture.unique("bob"), fixture.unique("admin"));
    let mut member = fixture.join(&bob, &room).await;
    let mut options: Options = fixture.options(&admin);
    options.connection.token = Some(fixture.tokens.sign_for(&admin, json!({"admin": [room]})).unwrap());
    let admin = fixture.connect_with(options).await;
    let until = System.now().plus(Duration::from_secs(3_600)).0;
    let ban = format!(r#"{{"action":"ban","room":"{room}","user":"{bob}","until":{until}}}"#);
    assert_eq!(member.error_to(&ban).await["code"], "not_allowed");
    admin.client.raw(ban).await.unwrap();
    let ServerFrame::Left(left) = told(&mut member).await else { panic!("not told") };
    assert_eq!(left.reason.as_deref(), Some("banned"));
    let answer = member.error_to(&format!(r#"{{"action":"join","room":"{room}"}}"#)).await;
    assert_eq!(answer["code"], "banned", "{answer}");
}

#[tokio::test]
async fn deleted_message_is_gone_for_present_and_later_members() {
    let fixture = Fixture::new().await;
    let room = fixture.unique("deleted-from");
    let channel = format!("room:{room}");
    let mut member = fixture.join(&fixture.unique("member"), &room).await;
    let sent = member.client.publish(&room, "a secret", None).await.unwrap();
    let seen = member.next().await.message;
    assert_eq!((seen.id.as_str(), seen.body()), (sent.id.as_str(), Some(r#""a secret""#)));
    command(&fixture, &channel, "delete", json!({ "seq": seen.seq })).await;
    let notice = member.next().await.message;
    assert_eq!((notice.seq, notice.from.as_str()), (seen.seq + 1, "mod"));
    assert!(matches!(notice.content, Content::Deleted(seq) if seq == seen.seq), "{notice:?}");
    let late = fixture.join(&fixture.unique("late"), &room).await;
    let history = late.client.history(Channel::room(&room), None, None).await.unwrap();
    let [first, second] = history.messages.as_slice() else { panic!("{history:?}") };
    assert_eq!((&first.id, second.seq), (&sent.id, notice.seq));
    for entry in [first, second] {
        assert!(matches!(entry.content, Content::Deleted(seq) if seq == seen.seq), "{entry:?}");
    }
}

#[tokio::test]
async fn closed_room_has_no_members_until_it_is_opened() {
    let fixture = Fixture::new().await;
    let (room, admin) = (fixture.unique("closed"), fixture.unique("admin"));
    let channel = format!("room:{room}");
    // More than are posted to without the state machine.
    let mut members = Vec::new();
    for number in 0..12 {
        members.push(fixture.join(&fixture.unique(&format!("member-{number}")), &room).await);
    }
    members[0].client.publish(&room, "a secret", None).await.unwrap();
    let mut options: Options = fixture.options(&admin);
    options.connection.token = Some(fixture.tokens.sign_for(&admin, json!({"admin": [room]})).unwrap());
    let admin = fixture.connect_with(options).await;
    for member in &mut members {
        member.next().await;
    }
    admin.client.raw(format!(r#"{{"action":"close","room":"{room}","erase":true}}"#)).await.unwrap();
    for member in &mut members {
        let notice = member.next().await.message;
        assert!(matches!(notice.content, Content::Closed(Closure::Erased)), "{notice:?}");
    }
    let core_channel = channel.parse().unwrap();
    eventually("nobody is a member", async || {
        inspect::members(&fixture.stack, &core_channel).await.unwrap().is_empty()
    })
    .await;
    let client = &members[1].client;
    let refused = client.join_room(&room).await.unwrap_err();
    assert!(matches!(&refused, Error::Server(error) if error.code == "room_closed"), "{refused:?}");
    admin.client.raw(format!(r#"{{"action":"open","room":"{room}"}}"#)).await.unwrap();
    eventually("the room is open", async || client.join_room(&room).await.is_ok()).await;
    let history = client.history(Channel::room(&room), None, None).await.unwrap();
    let [erased, closed] = history.messages.as_slice() else { panic!("{history:?}") };
    assert!(matches!((&erased.content, &closed.content), (Content::Deleted(1), Content::Closed(Closure::Erased))));
}

#[tokio::test]
async fn a_socket_is_closed_when_its_token_ends() {
    let fixture = Fixture::new().await;
    let user = fixture.unique("brief");
    let mut options = fixture.options(&user);
    // It has expired already, and the leeway of half a minute is over in some seconds.
    let now = System.now().0 / 1_000;
    options.connection.token = Some(fixture.tokens.sign_until(&user, now - 24).unwrap());
    let mut brief = fixture.connect_with(options).await;
    let service = Service::new(&fixture.stack, "mod");
    let mut number = 0;
    let frame = loop {
        number += 1;
        service.send(&format!("user:{user}"), &format!("m-{number}"), &json!(number)).await.unwrap();
        match tokio::time::timeout(Duration::from_secs(1), brief.events.next()).await {
            Ok(Some(Event::Unexpected(frame))) => break frame,
            Ok(Some(Event::Message(_))) | Err(_) => assert!(number < 100, "the socket stays open"),
            Ok(other) => panic!("{other:?} instead of a farewell"),
        }
    };
    assert_eq!(code(&frame), ("token_expired", true));
    assert!(is_closed(&mut brief).await);
}
