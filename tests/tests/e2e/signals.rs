//! Signals, which reach only connected users.

use std::time::Duration;

use hubbub_client::{Channel, Error};
use hubbub_tests::fixture::{Fixture, eventually};
use serde_json::{Value, json};

use crate::delivery::vanished;

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    match answer {
        Err(Error::Server(error)) => error.code,
        other => panic!("{other:?} instead of an error"),
    }
}

#[tokio::test]
async fn a_signal_reaches_the_others_at_once_and_is_not_kept() {
    let fixture = Fixture::new().await;
    let (room, ana, ben) = (fixture.unique("typing"), fixture.unique("ana"), fixture.unique("ben"));
    let a = fixture.join(&ana, &room).await;
    let mut b = fixture.join(&ben, &room).await;
    assert_eq!(a.client.signal(&room, &json!({"typing": true})).await.unwrap(), 1);
    let signal = b.next_signal().await;
    assert_eq!((&signal.channel, &signal.from), (&Channel::room(&room), &ana));
    assert_eq!(signal.read::<Value>().unwrap(), json!({"typing": true}));
    assert_eq!(b.client.signal_user(&ana, &1).await.unwrap(), 1);
    a.client.publish(&room, &1, Some("m")).await.unwrap();
    let message = b.next().await.message;
    assert_eq!((message.id.as_str(), message.seq), ("m", 1), "a signal has no sequence");
    let history = a.client.history(Channel::room(&room), None, None).await.unwrap();
    assert_eq!(history.messages.len(), 1);
}

#[tokio::test]
async fn a_signal_takes_a_member_who_may_publish_and_a_small_body() {
    let fixture = Fixture::new().await;
    let (room, user) = (fixture.unique("quiet"), fixture.unique("user"));
    let member = fixture.join(&fixture.unique("member"), &room).await;
    let stranger = fixture.connect(&user).await;
    assert_eq!(code(stranger.client.signal(&room, &1).await), "not_a_member");
    assert_eq!(code(member.client.signal(&room, &"x".repeat(1_024)).await), "body_too_large");
    let mut options = fixture.options(&user);
    options.connection.token = Some(fixture.tokens.sign_for(&user, json!({"join": [room]})).unwrap());
    let mute = fixture.connect_with(options).await;
    mute.client.join_room(&room).await.unwrap();
    assert_eq!(code(mute.client.signal(&room, &1).await), "not_allowed");
    assert_eq!(code(mute.client.signal_user(&user, &1).await), "not_allowed");
}

#[tokio::test]
async fn a_signal_prunes_who_has_gone() {
    let fixture = Fixture::new().await;
    let room = fixture.unique("nobody");
    let member = fixture.join(&fixture.unique("member"), &room).await;
    let ghost = vanished(&fixture, &room, "ghost", Duration::from_secs(60)).await;
    assert_eq!(member.client.signal(&room, &1).await.unwrap(), 0);
    let table = fixture.stack.table();
    eventually("the ghost is forgotten", async || {
        use hubbub_core::ports::Members;
        table.memberships(&ghost.id).await.unwrap().is_empty()
    })
    .await;
}
