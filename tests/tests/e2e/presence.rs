//! Watchers are told about the users of a room.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use hubbub_client::{Error, Presence, RoomPresence};
use hubbub_tests::fixture::{Fixture, TestClient};
use hubbub_tests::service::Service;
use serde_json::json;

use crate::delivery::vanished;

/// Takes news until exactly these users are there.
async fn until_present(member: &mut TestClient, present: &mut RoomPresence, users: &[&String]) -> Vec<Presence> {
    let wanted: BTreeSet<String> = users.iter().map(|user| (*user).clone()).collect();
    let mut all = Vec::new();
    while present.users != wanted {
        let news = member.next_presence().await;
        present.apply(&news);
        all.push(news);
    }
    all
}

#[tokio::test]
async fn join_storm_reaches_watchers_in_few_frames() {
    let fixture = Fixture::new().await;
    let (room, watcher) = (fixture.unique("storm"), fixture.unique("watcher"));
    let mut watching = fixture.connect(&watcher).await;
    let mut present = watching.client.watch(&room).await.unwrap();
    assert_eq!((present.count, &present.users), (1, &[watcher.clone()].into()));
    let names: Vec<String> = (0..12).map(|number| fixture.unique(&format!("user-{number}"))).collect();
    let mut members = join_all(names.iter().map(|name| fixture.connect(name))).await;
    for joined in join_all(members.iter().map(|member| member.client.join_room(&room))).await {
        joined.unwrap();
    }
    let users: Vec<&String> = names.iter().chain([&watcher]).collect();
    let news = until_present(&mut watching, &mut present, &users).await;
    assert!(news.len() < names.len(), "{} frames for {} joins", news.len(), names.len());
    assert_eq!(present.count, 13);
    // Those who did not ask have got nothing but what they ask for now.
    let last = watching.client.publish(&room, &1, None).await.unwrap();
    for member in &mut members {
        match member.events.next().await {
            Some(hubbub_client::Event::Message(delivery)) => assert_eq!(delivery.message.id, last.id),
            other => panic!("{other:?} instead of the message"),
        }
    }
}

#[tokio::test]
async fn user_is_present_from_first_socket_to_last() {
    let fixture = Fixture::new().await;
    let (room, watcher, ana, ben) =
        (fixture.unique("ends"), fixture.unique("watcher"), fixture.unique("ana"), fixture.unique("ben"));
    let mut watching = fixture.connect(&watcher).await;
    let mut present = watching.client.watch(&room).await.unwrap();
    let (first, second) = (fixture.join(&ana, &room).await, fixture.join(&ana, &room).await);
    until_present(&mut watching, &mut present, &[&watcher, &ana]).await;
    // Not told: she is there still.
    first.client.leave(&room).await.unwrap();
    let other = fixture.join(&ben, &room).await;
    until_present(&mut watching, &mut present, &[&watcher, &ana, &ben]).await;
    second.client.close().await;
    until_present(&mut watching, &mut present, &[&watcher, &ben]).await;
    let channel = format!("room:{room}");
    let kick = json!({"v": 1, "channel": channel, "from": "mod", "command": "kick", "user": ben});
    Service::new(&fixture.stack, "mod").send_raw(&channel, &fixture.unique("kick"), &kick.to_string()).await.unwrap();
    until_present(&mut watching, &mut present, &[&watcher]).await;
    drop(other);
    // Who doesn't want to know any more is told nothing, and a user who watches again is told the present users.
    watching.client.unwatch(&room).await.unwrap();
    let _back = fixture.join(&ana, &room).await;
    let present = watching.client.watch(&room).await.unwrap();
    assert_eq!(present.users, [watcher, ana].into());
}

#[tokio::test]
async fn who_has_gone_without_a_word_has_left_when_a_post_finds_out() {
    let fixture = Fixture::new().await;
    // Posted to by `deliver`, and by `deliver-page`.
    for others in [1, 12] {
        let (room, watcher) = (fixture.unique(&format!("gone-{others}")), fixture.unique("watcher"));
        let mut watching = fixture.connect(&watcher).await;
        let mut present = watching.client.watch(&room).await.unwrap();
        let names: Vec<String> = (0..others).map(|number| fixture.unique(&format!("user-{number}"))).collect();
        vanished(&fixture, &room, "ghost", Duration::from_secs(60)).await;
        let ghost = fixture.unique("ghost");
        let mut members = Vec::new();
        for name in &names {
            members.push(fixture.join(name, &room).await);
        }
        let mut users: Vec<&String> = names.iter().chain([&watcher, &ghost]).collect();
        until_present(&mut watching, &mut present, &users).await;
        watching.client.publish(&room, &1, Some("m")).await.unwrap();
        users.pop();
        until_present(&mut watching, &mut present, &users).await;
    }
}

#[tokio::test]
async fn presence_pauses_above_a_hundred_members() {
    let fixture = Fixture::new().await;
    let (room, watcher) = (fixture.unique("hundred"), fixture.unique("watcher"));
    let mut watching = fixture.connect(&watcher).await;
    let mut present = watching.client.watch(&room).await.unwrap();
    fixture.fill_room_with(&room, 99).await;
    let late = fixture.join(&fixture.unique("late"), &room).await;
    while !present.paused {
        present.apply(&watching.next_presence().await);
    }
    assert_eq!((present.count, present.users.len()), (101, 0));
    let later = fixture.connect(&fixture.unique("later")).await;
    let answer = later.client.watch(&room).await.unwrap();
    assert_eq!((answer.count, answer.paused), (102, true));
    let Err(Error::Server(error)) = watching.client.signal(&room, &1).await else { panic!("not refused") };
    assert_eq!(error.code, "too_many_members");
    for member in [later, late] {
        member.client.leave(&room).await.unwrap();
    }
    while present.paused {
        present.apply(&watching.next_presence().await);
    }
    assert_eq!((present.count, present.users.len()), (100, 100));
}

#[tokio::test]
async fn who_may_not_see_who_is_there_is_not_told() {
    let fixture = Fixture::new().await;
    let (room, user) = (fixture.unique("unseen"), fixture.unique("user"));
    let mut options = fixture.options(&user);
    options.connection.token = Some(fixture.tokens.sign_for(&user, json!({"join": [room]})).unwrap());
    let member = fixture.connect_with(options).await;
    let Err(Error::Server(error)) = member.client.watch(&room).await else { panic!("not refused") };
    assert_eq!(error.code, "not_allowed");
    assert!(error.message.contains("`who`"), "{}", error.message);
    member.client.join_room(&room).await.unwrap();
}
