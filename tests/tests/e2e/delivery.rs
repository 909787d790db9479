//! How messages reach members.

use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use hubbub_aws::system::System;
use hubbub_core::broadcast::round::Next;
use hubbub_core::members::connection::Connection;
use hubbub_core::members::membership;
use hubbub_core::ports::{Clock, Members};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{ConnectionId, RoomId, UserId};
use hubbub_core::wire::time::Timestamp;
use hubbub_tests::fixture::{Fixture, TestClient, eventually};
use hubbub_tests::inspect::{self, Execution};
use hubbub_tests::service::Service;
use hubbub_tests::stack::Stack;
use serde_json::json;

fn channel(room: &str) -> Channel {
    Channel::Room(RoomId::parse(room).unwrap())
}

async fn executions(stack: &Stack, channel: &Channel) -> Vec<Execution> {
    let mut found = Vec::new();
    for arn in inspect::execution_arns(stack).await.unwrap() {
        let execution = inspect::execution(stack, &arn).await.unwrap();
        if execution.input.channel == *channel {
            found.push(execution);
        }
    }
    found
}

#[tokio::test]
async fn direct_message_reaches_all_devices_and_waits_for_offline() {
    let fixture = Fixture::new().await;
    let (ana, ben) = (fixture.unique("ana"), fixture.unique("ben"));
    let sender = fixture.connect(&fixture.unique("sender")).await;
    let mut devices = [fixture.open_inbox(&ana).await, fixture.open_inbox(&ana).await];
    sender.client.direct(&ana, &json!({"text": "hi"}), Some("d-1")).await.unwrap();
    sender.client.direct(&ben, &json!({"text": "later"}), Some("d-2")).await.unwrap();
    sender.client.direct(&ben, &json!({"text": "later still"}), Some("d-3")).await.unwrap();
    for device in &mut devices {
        let delivery = device.next().await;
        assert_eq!((delivery.message.id.as_str(), delivery.channel.to_string()), ("d-1", format!("user:{ana}")));
        assert_eq!(delivery.message.body(), Some(r#"{"text":"hi"}"#));
    }
    let user = Channel::User(UserId::parse(&ben).unwrap());
    eventually("both are in the log", async || inspect::head(&fixture.stack, &user).await.unwrap() == 2).await;
    let mut away = fixture.open_inbox(&ben).await;
    assert_eq!(away.next_ids(2).await, ["d-2", "d-3"]);
}

#[tokio::test]
async fn a_small_room_needs_no_state_machine() {
    let fixture = Fixture::new().await;
    let room = fixture.unique("small");
    let mut a = fixture.join(&fixture.unique("ana"), &room).await;
    let b = fixture.join(&fixture.unique("ben"), &room).await;
    b.client.publish(&room, &1, Some("m")).await.unwrap();
    assert_eq!(a.next_ids(1).await, ["m"]);
    assert!(executions(&fixture.stack, &channel(&room)).await.is_empty());
}

#[tokio::test]
async fn a_large_room_is_delivered_by_the_map_over_several_pages() {
    let fixture = Fixture::new().await;
    let room = fixture.unique("large");
    let size = usize::try_from(fixture.stack.outputs.inline_limit).unwrap() * 2;
    let mut members: Vec<TestClient> = Vec::new();
    for number in 0..size {
        members.push(fixture.join(&fixture.unique(&format!("user-{number}")), &room).await);
    }
    let service = Service::new(&fixture.stack, "orders");
    let ids: Vec<String> = (0..12).map(|number| format!("m-{number}")).collect();
    for id in &ids {
        service.send(&format!("room:{room}"), id, &json!({"of": id})).await.unwrap();
    }
    for member in &mut members {
        assert_eq!(member.next_ids(ids.len()).await, ids);
    }
    let channel = channel(&room);
    eventually("the executions have ended", async || {
        let all = executions(&fixture.stack, &channel).await;
        all.iter().all(|execution| execution.status != ExecutionStatus::Running)
    })
    .await;
    let all = executions(&fixture.stack, &channel).await;
    assert!(!all.is_empty());
    let mut posts = 0;
    for execution in all {
        assert_eq!(execution.status, ExecutionStatus::Succeeded, "{}", execution.arn);
        let plan = execution.plan.unwrap();
        assert_eq!(plan.next, Next::Settled, "{}", execution.arn);
        assert!(plan.totals.pages >= 2 * plan.totals.rounds, "{plan:?}");
        assert_eq!(plan.totals.failed_pages, 0, "{plan:?}");
        posts += plan.totals.tally.posts;
    }
    assert!(posts < (size * ids.len()) as u64, "messages that wait together share a post: {posts}");
}

#[tokio::test]
async fn a_message_to_everyone_reaches_every_connection() {
    let fixture = Fixture::new().await;
    let mut members = [fixture.connect(&fixture.unique("ana")).await, fixture.connect(&fixture.unique("ben")).await];
    let id = fixture.unique("all");
    Service::new(&fixture.stack, "news").send("everyone", &id, &json!("hear, hear")).await.unwrap();
    for member in &mut members {
        member.next_where(|delivery| delivery.message.id == id).await;
    }
}

/// A connection whose `$disconnect` never came: its rows are there, its socket is not.
pub(crate) async fn vanished(fixture: &Fixture, room: &str, name: &str, age: Duration) -> Connection {
    let connected_at = Timestamp(System.now().0 - u64::try_from(age.as_millis()).unwrap());
    let user = UserId::parse(&fixture.unique(name)).unwrap();
    let connection =
        Connection { id: ConnectionId::new(fixture.unique(name)), user, connected_at, until: Timestamp(u64::MAX) };
    let table = fixture.stack.table();
    membership::connect(&table, &System, &connection, 2_000).await.unwrap();
    membership::join(&table, &System, &connection, &channel(room), 2_000).await.unwrap();
    connection
}

#[tokio::test]
async fn gone_connection_is_pruned_unless_it_is_young() {
    let fixture = Fixture::new().await;
    let room = fixture.unique("pruned");
    let mut present = fixture.join(&fixture.unique("present"), &room).await;
    let old = vanished(&fixture, &room, "old", Duration::from_secs(60)).await;
    let young = vanished(&fixture, &room, "young", Duration::ZERO).await;
    present.client.publish(&room, &1, Some("m")).await.unwrap();
    assert_eq!(present.next_ids(1).await, ["m"], "the others hold up nobody");
    let table = fixture.stack.table();
    eventually("the old one is forgotten", async || table.memberships(&old.id).await.unwrap().is_empty()).await;
    let left = inspect::members(&fixture.stack, &channel(&room)).await.unwrap();
    assert!(left.iter().any(|member| member.id == young.id), "{left:?}");
    assert!(!left.iter().any(|member| member.id == old.id), "{left:?}");
    assert_eq!(table.connection(&old.id, System.now()).await.unwrap(), None);
    eventually("the count is right", async || present.client.who(&room).await.unwrap().count == 2).await;
}
