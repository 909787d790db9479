//! What a publisher learns of a message, and a client of what it missed.

use hubbub_client::{Channel, Event};
use hubbub_core::ports::{Clock, Receipts};
use hubbub_core::wire::id::{MessageId, RoomId, UserId};
use hubbub_tests::fixture::{Fixture, TestClient, eventually};
use hubbub_tests::service::Service;
use serde_json::json;

/// The next receipt of a client.
async fn next_receipt(member: &mut TestClient) -> hubbub_client::Receipt {
    loop {
        match member.events.next().await {
            Some(Event::Receipt(receipt)) => return receipt,
            Some(_) => {}
            None => panic!("the connection has ended"),
        }
    }
}

async fn a_publisher_gets_a_receipt(members: u64) {
    let fixture = Fixture::new().await;
    let room = fixture.unique("room");
    let mut publisher = fixture.join(&fixture.unique("publisher"), &room).await;
    let mut others = Vec::new();
    for number in 1..members {
        others.push(fixture.join(&fixture.unique(&format!("user-{number}")), &room).await);
    }
    publisher.client.publish_for_receipt(&Channel::room(&room), &"hello", Some("m")).await.unwrap();
    let receipt = next_receipt(&mut publisher).await;
    assert_eq!((receipt.id.as_str(), receipt.seq), ("m", 1));
    assert_eq!((receipt.members, receipt.delivered, receipt.gone, receipt.failed), (members, members, 0, 0));
}

#[tokio::test]
async fn the_publisher_to_a_small_room_gets_a_receipt() {
    a_publisher_gets_a_receipt(2).await;
}

#[tokio::test]
async fn large_room_receipt_covers_all_pages() {
    let limit = Fixture::new().await.stack.outputs.inline_limit;
    a_publisher_gets_a_receipt(limit * 2).await;
}

#[tokio::test]
async fn a_service_finds_its_receipt_under_the_messages_id() {
    let fixture = Fixture::new().await;
    let room = fixture.unique("room");
    let _member = fixture.join(&fixture.unique("user"), &room).await;
    let group = format!("room:{room}");
    let envelope = json!({"v": 1, "channel": group, "id": "m", "from": "orders", "body": 1, "receipt": true});
    Service::new(&fixture.stack, "orders").send_raw(&group, "m", &envelope.to_string()).await.unwrap();
    let channel = hubbub_core::wire::channel::Channel::Room(RoomId::parse(&room).unwrap());
    let (from, id) = (UserId::parse("orders").unwrap(), MessageId::parse("m").unwrap());
    let (table, now) = (fixture.stack.table(), hubbub_aws::system::System.now());
    let mut found = None;
    eventually("the receipt is there", async || {
        found = table.receipt(&channel, &from, &id, now).await.unwrap();
        found.is_some()
    })
    .await;
    let receipt = found.unwrap();
    assert_eq!((receipt.seq.0, receipt.members, receipt.delivered), (1, 1, 1));
}
