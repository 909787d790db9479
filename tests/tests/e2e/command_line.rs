//! The operator's command line.

use std::process::{Child, Command};
use std::time::Duration;

use hubbub_client::{Channel, Event, Start};
use hubbub_core::wire::message::Seq;
use hubbub_tests::command_line::{Ran, hubbub, run};
use hubbub_tests::fixture::{Fixture, eventually};
use hubbub_tests::{faults, inspect};
use serde_json::json;

/// Starts a command that goes on.
fn start(fixture: &Fixture, arguments: &[&str]) -> Child {
    hubbub(&fixture.stack, arguments).unwrap().spawn().unwrap()
}

/// Waits until a channel has a member.
async fn until_joined(fixture: &Fixture, channel: &str) {
    let channel = channel.parse().unwrap();
    eventually("the room has a member", async || !inspect::members(&fixture.stack, &channel).await.unwrap().is_empty())
        .await;
}

#[tokio::test]
async fn published_message_is_logged_and_reaches_followers() {
    let fixture = Fixture::new().await;
    let room = fixture.unique("room");
    let channel = format!("room:{room}");
    let tail = start(&fixture, &["tail", &channel, "--count", "2", "--json"]);
    until_joined(&fixture, &channel).await;
    let published =
        run(&fixture.stack, &["publish", &room, r#"{"n": 1}"#, "--id", "one", "--receipt", "--json"]).unwrap();
    assert_eq!(published.status, Some(0), "{published:?}");
    let receipt = published.json().unwrap()[0]["receipt"].clone();
    assert_eq!((&receipt["seq"], &receipt["members"], &receipt["delivered"]), (&json!(1), &json!(1), &json!(1)));
    let published = run(&fixture.stack, &["publish", &room, "not JSON", "--from", "orders"]).unwrap();
    assert_eq!(published.status, Some(0), "{published:?}");

    let followed = Ran::of(&tail.wait_with_output().unwrap()).json().unwrap();
    let log = run(&fixture.stack, &["history", &channel, "--json"]).unwrap().json().unwrap();
    for (index, body, from) in [(0, json!({"n": 1}), "operator"), (1, json!("not JSON"), "orders")] {
        for lines in [&followed, &log] {
            let line = &lines[index];
            assert_eq!(
                (&line["seq"], &line["body"], &line["from"]),
                (&json!(index + 1), &body, &json!(from)),
                "{line}"
            );
        }
    }
    let recovered = run(&fixture.stack, &["tail", &channel, "--since", "1", "--count", "1", "--json"]).unwrap();
    let line = recovered.json().unwrap()[0].clone();
    assert_eq!((&line["seq"], &line["recovered"]), (&json!(2), &json!(true)));
}

#[tokio::test]
async fn a_direct_message_and_one_to_everyone_come_to_a_user() {
    let fixture = Fixture::new().await;
    let user = fixture.unique("user");
    let mut member = fixture.connect_with(fixture.options(&user).inbox(Start::Now)).await;
    run(&fixture.stack, &["direct", &user, "to you"]).unwrap();
    assert_eq!(member.next().await.message.body(), Some(r#""to you""#));
    let id = fixture.unique("all");
    run(&fixture.stack, &["broadcast", "to all", "--id", &id]).unwrap();
    let delivery = member.next_where(|delivery| delivery.message.id == id).await;
    assert_eq!(delivery.channel, Channel::Everyone);
}

#[tokio::test]
async fn a_wrong_call_ends_with_status_2_and_sends_nothing() {
    let fixture = Fixture::new().await;
    let room = fixture.unique("room");
    let large = "x".repeat(25_000);
    for (arguments, says) in [
        (vec!["publish", &room, &large], "nothing was sent"),
        (vec!["publish", "two words", "1"], "is not an id"),
        (vec!["publish", &room, "1", "--id", "a/b"], "is not an id"),
        (vec!["ban", "bob", "--for", "soon"], "such as 90s"),
        (vec!["history", "lobby"], "a channel is"),
        (vec!["tail", "lobby"], "a channel is"),
    ] {
        let ran = run(&fixture.stack, &arguments).unwrap();
        assert_eq!(ran.status, Some(2), "{ran:?}");
        assert!(ran.err.contains(says), "{ran:?}");
    }
    let ran = run(&fixture.stack, &["history", &format!("room:{room}")]).unwrap();
    assert!(ran.status == Some(1) && ran.err.contains("was never used"), "{ran:?}");
}

#[tokio::test]
async fn members_and_rooms_are_shown_and_an_order_is_carried_out() {
    let fixture = Fixture::new().await;
    let (room, user) = (fixture.unique("room"), fixture.unique("user"));
    let mut member = fixture.join(&user, &room).await;
    let who = run(&fixture.stack, &["who", &room, "--json"]).unwrap().json().unwrap();
    assert_eq!((who.len(), &who[0]["user"], &who[0]["sockets"]), (1, &json!(user), &json!(1)));
    let entry = || {
        let rooms = run(&fixture.stack, &["rooms", "--limit", "100000", "--json"]).unwrap().json().unwrap();
        rooms.into_iter().find(|line| line["channel"] == format!("room:{room}")).unwrap()
    };
    assert_eq!((&entry()["members"], &entry()["closed"]), (&json!(1), &json!(false)));

    let kicked = run(&fixture.stack, &["kick", &user, "--room", &room]).unwrap();
    assert_eq!(kicked.status, Some(0), "{kicked:?}");
    let left = loop {
        match tokio::time::timeout(Duration::from_secs(120), member.events.next()).await.unwrap() {
            Some(Event::Left(left)) => break left,
            Some(_) => {}
            None => panic!("the socket has ended"),
        }
    };
    assert_eq!(left.reason.as_deref(), Some("kicked"));
    run(&fixture.stack, &["close", &room]).unwrap();
    eventually("the room is closed", async || entry()["closed"] == true).await;
    run(&fixture.stack, &["open", &room]).unwrap();
    eventually("the room is open", async || entry()["closed"] == false).await;
}

#[tokio::test]
async fn a_load_is_measured_and_nothing_of_it_is_lost() {
    let fixture = Fixture::new().await;
    let plot = std::env::temp_dir().join(format!("{}.svg", fixture.unique("load")));
    let file = plot.display().to_string();
    let load =
        ["load", "--clients", "3", "--rate", "5", "--seconds", "2", "--patience", "120", "--json", "--plot", &file];
    let ran = run(&fixture.stack, &load).unwrap();
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let report = ran.json().unwrap()[0].clone();
    let figures = ["accepted", "received", "lost", "out_of_order"].map(|name| report[name].clone());
    assert_eq!(figures, [json!(10), json!(30), json!(0), json!(0)], "{report}");
    assert!(std::fs::read_to_string(&plot).unwrap().starts_with("<svg"));
    std::fs::remove_file(plot).unwrap();
}

#[tokio::test]
async fn where_no_stack_is_found_it_says_where_it_looked() {
    let fixture = Fixture::new().await;
    let mut command: Command = hubbub(&fixture.stack, &["rooms"]).unwrap();
    command.env_remove("HUBBUB_OUTPUTS").env("PATH", "").current_dir(std::env::temp_dir());
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(ran.status, Some(1));
    for place in ["--outputs", "target/local/outputs.json", "`pulumi` isn't installed", "scripts/up"] {
        assert!(ran.err.contains(place), "{place}: {ran:?}");
    }
}

#[tokio::test]
async fn a_restored_log_goes_on_where_nobody_has_seen_anything_yet() {
    let fixture = Fixture::new().await;
    let (room, user) = (fixture.unique("room"), fixture.unique("user"));
    let channel = Channel::room(&room);
    let mut member = fixture.join(&user, &room).await;
    for id in ["kept", "lost"] {
        member.client.publish(&room, &1, Some(id)).await.unwrap();
    }
    assert_eq!(member.next_ids(2).await, ["kept", "lost"]);
    // The backup was made between the two.
    faults::set_back(&fixture.stack, &channel.to_string().parse().unwrap(), Seq(1), Seq(2)).await.unwrap();
    let ran = run(&fixture.stack, &["restored", "--channel", &channel.to_string(), "--json"]).unwrap();
    assert_eq!((ran.status, ran.json().unwrap()[0]["next"].clone()), (Some(0), json!(1_000_002)), "{ran:?}");
    member.client.publish(&room, &1, Some("new")).await.unwrap();
    let reset = loop {
        match member.events.next().await.unwrap() {
            Event::Reset { head, .. } => break head,
            other => assert!(matches!(other, Event::Message(_)), "{other:?}"),
        }
    };
    assert!(reset >= 1_000_001, "{reset}");
    member.client.publish(&room, &1, Some("newer")).await.unwrap();
    while member.next().await.message.id != "newer" {}
    let log = member.client.history(channel, None, None).await.unwrap();
    let ids: Vec<&str> = log.messages.iter().map(|message| message.id.as_str()).collect();
    assert_eq!(ids, ["kept", "new", "newer"]);
}
