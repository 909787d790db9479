//! Sockets whose token has ended.

use std::time::Duration;

use hubbub_aws::system::System;
use hubbub_client::{Event, ServerFrame};
use hubbub_core::ports::Clock;
use hubbub_tests::fixture::{Fixture, TestClient};
use hubbub_tests::service::Service;
use serde_json::json;
use tokio::time::{sleep, timeout};

/// How long the tokens are good for: time enough to connect on a busy machine.
const LEFT: Duration = Duration::from_secs(6);

/// For how long a token is still taken when it has expired.
const LEEWAY: Duration = Duration::from_secs(30);

/// How long a socket may take to be closed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the last that a member hears before its socket is closed is a farewell.
async fn is_sent_away(member: &mut TestClient) -> bool {
    timeout(PATIENCE, last_word(member)).await.is_ok_and(|code| code.as_deref() == Some("token_expired"))
}

async fn last_word(member: &mut TestClient) -> Option<String> {
    let mut farewell = None;
    while let Some(event) = member.events.next().await {
        match event {
            Event::Unexpected(ServerFrame::Closing(closing)) => farewell = Some(closing.code),
            Event::Closed(_) => break,
            _ => {}
        }
    }
    farewell
}

#[tokio::test]
async fn expired_token_closes_the_socket_at_a_frame_or_broadcast() {
    let fixture = Fixture::new().await;
    let room = fixture.unique("large");
    let end = System.now().plus(LEFT);
    let brief = async |name: &str| {
        let user = fixture.unique(name);
        let mut options = fixture.options(&user);
        options.connection.token = Some(fixture.tokens.sign_until(&user, end.minus(LEEWAY).as_ttl()).unwrap());
        fixture.connect_with(options).await
    };
    let (mut speaker, mut listener) = (brief("speaker").await, brief("listener").await);
    listener.client.join_room(&room).await.unwrap();
    fixture.fill_room(&room).await;
    // The end is a whole second, rounded up.
    sleep(end.plus(Duration::from_secs(1)).since(System.now())).await;

    // The answer may be lost with the socket.
    let _ = speaker.client.raw(r#"{"action":"ping"}"#).await;
    assert!(is_sent_away(&mut speaker).await);
    Service::new(&fixture.stack, "orders").send(&format!("room:{room}"), "m", &json!(1)).await.unwrap();
    assert!(is_sent_away(&mut listener).await);
}
