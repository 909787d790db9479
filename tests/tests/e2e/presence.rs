//! Who is told who comes to a room and goes from it.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use hubbub_client::{Error, Presence, RoomPresence};
use hubbub_tests::scene::{Member, Scene};
use hubbub_tests::service::Service;
use serde_json::json;

use crate::delivery::vanished;

/// Takes news until exactly these users are there.
async fn until_present(member: &mut Member, present: &mut RoomPresence, users: &[&String]) -> Vec<Presence> {
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
async fn a_storm_of_joins_is_told_in_a_few_frames_and_only_to_those_who_asked() {
    let scene = Scene::set().await;
    let (room, watcher) = (scene.own("storm"), scene.own("watcher"));
    let mut watching = scene.connect(&watcher).await;
    let mut present = watching.client.watch(&room).await.unwrap();
    assert_eq!((present.count, &present.users), (1, &[watcher.clone()].into()));
    let names: Vec<String> = (0..12).map(|number| scene.own(&format!("user-{number}"))).collect();
    let mut members = join_all(names.iter().map(|name| scene.connect(name))).await;
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
async fn a_user_is_there_from_the_first_socket_to_the_last_however_it_ends() {
    let scene = Scene::set().await;
    let (room, watcher, ana, ben) = (scene.own("ends"), scene.own("watcher"), scene.own("ana"), scene.own("ben"));
    let mut watching = scene.connect(&watcher).await;
    let mut present = watching.client.watch(&room).await.unwrap();
    let (first, second) = (scene.join(&ana, &room).await, scene.join(&ana, &room).await);
    until_present(&mut watching, &mut present, &[&watcher, &ana]).await;
    // Not told: she is there still.
    first.client.leave(&room).await.unwrap();
    let other = scene.join(&ben, &room).await;
    until_present(&mut watching, &mut present, &[&watcher, &ana, &ben]).await;
    second.client.close().await;
    until_present(&mut watching, &mut present, &[&watcher, &ben]).await;
    let channel = format!("room:{room}");
    let kick = json!({"v": 1, "channel": channel, "from": "mod", "order": "kick", "user": ben});
    Service::new(&scene.stack, "mod").send_raw(&channel, &scene.own("kick"), &kick.to_string()).await.unwrap();
    until_present(&mut watching, &mut present, &[&watcher]).await;
    drop(other);
    // Who doesn't want to know any more is told nothing, and who wants to know again is told who is there.
    watching.client.unwatch(&room).await.unwrap();
    let _back = scene.join(&ana, &room).await;
    let present = watching.client.watch(&room).await.unwrap();
    assert_eq!(present.users, [watcher, ana].into());
}

#[tokio::test]
async fn who_has_gone_without_a_word_has_left_when_a_post_finds_out() {
    let scene = Scene::set().await;
    // Posted to by `deliver`, and by `deliver-page`.
    for others in [1, 12] {
        let (room, watcher) = (scene.own(&format!("gone-{others}")), scene.own("watcher"));
        let mut watching = scene.connect(&watcher).await;
        let mut present = watching.client.watch(&room).await.unwrap();
        let names: Vec<String> = (0..others).map(|number| scene.own(&format!("user-{number}"))).collect();
        vanished(&scene, &room, "ghost", Duration::from_secs(60)).await;
        let ghost = scene.own("ghost");
        let mut members = Vec::new();
        for name in &names {
            members.push(scene.join(name, &room).await);
        }
        let mut users: Vec<&String> = names.iter().chain([&watcher, &ghost]).collect();
        until_present(&mut watching, &mut present, &users).await;
        watching.client.publish(&room, &1, Some("m")).await.unwrap();
        users.pop();
        until_present(&mut watching, &mut present, &users).await;
    }
}

#[tokio::test]
async fn a_room_above_a_hundred_says_that_it_tells_no_more_until_it_is_small_again() {
    let scene = Scene::set().await;
    let (room, watcher) = (scene.own("hundred"), scene.own("watcher"));
    let mut watching = scene.connect(&watcher).await;
    let mut present = watching.client.watch(&room).await.unwrap();
    scene.crowd_of(&room, 99).await;
    let late = scene.join(&scene.own("late"), &room).await;
    while !present.paused {
        present.apply(&watching.next_presence().await);
    }
    assert_eq!((present.count, present.users.len()), (101, 0));
    let later = scene.connect(&scene.own("later")).await;
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
    let scene = Scene::set().await;
    let (room, user) = (scene.own("unseen"), scene.own("user"));
    let mut options = scene.options(&user);
    options.connection.token = Some(scene.tokens.sign_for(&user, json!({"join": [room]})).unwrap());
    let member = scene.connect_with(options).await;
    let Err(Error::Server(error)) = member.client.watch(&room).await else { panic!("not refused") };
    assert_eq!(error.code, "not_allowed");
    assert!(error.message.contains("`who`"), "{}", error.message);
    member.client.join_room(&room).await.unwrap();
}
