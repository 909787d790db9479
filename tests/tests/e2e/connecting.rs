//! Who gets in.

use hubbub_aws::system::System;
use hubbub_client::{Channel, Error};
use hubbub_core::ports::Clock;
use hubbub_tests::fixture::Fixture;
use hubbub_tests::token::Tokens;
use serde_json::json;

fn is_refused(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 401 | 403, .. })
}

#[tokio::test]
async fn nobody_connects_without_a_token_that_is_good() {
    let fixture = Fixture::new().await;
    let now = System.now().0 / 1_000;
    let forged = Tokens::new("a key that this stack doesn't have").sign("mallory").unwrap();
    let expired = fixture.tokens.sign_until("late", now - 31).unwrap();
    let bad_user = fixture.tokens.sign("two words").unwrap();
    let bad_claim = fixture.tokens.sign_for("alice", json!({"join": ["two words"]})).unwrap();
    for (why, token) in [
        ("no token", None),
        ("not a token", Some("nonsense".to_owned())),
        ("another key", Some(forged)),
        ("expired", Some(expired)),
        ("not a user", Some(bad_user)),
        ("grants nonsense", Some(bad_claim)),
    ] {
        let error = fixture.try_token(token).await;
        assert!(is_refused(&error), "{why}: {error}");
    }
}

#[tokio::test]
async fn a_token_in_the_address_is_good_too() {
    let fixture = Fixture::new().await;
    let mut options = fixture.options("query");
    let token = options.connection.token.take().unwrap();
    options.connection.url = format!("{}?token={token}", options.connection.url);
    fixture.connect_with(options).await.client.ping().await.unwrap();
}

#[tokio::test]
async fn a_token_opens_what_it_grants_and_nothing_else() {
    let fixture = Fixture::new().await;
    let (open, closed, user) = (fixture.unique("open"), fixture.unique("closed"), fixture.unique("guest"));
    let mut options = fixture.options(&user);
    let capabilities = json!({"join": [open], "history": ["*"], "direct": ["nobody"]});
    options.connection.token = Some(fixture.tokens.sign_for(&user, capabilities).unwrap());
    let guest = fixture.connect_with(options).await;
    guest.client.join_room(&open).await.unwrap();
    guest.client.history(Channel::room(&open), None, None).await.unwrap();
    for (text, says) in [
        (format!(r#"{{"action":"join","room":"{closed}"}}"#), "`join`"),
        (format!(r#"{{"action":"publish","room":"{open}","body":1}}"#), "`publish`"),
        (format!(r#"{{"action":"who","room":"{open}"}}"#), "`who`"),
        (format!(r#"{{"action":"direct","to":"{user}","body":1}}"#), "`direct`"),
    ] {
        let answer = guest.error_to(&text).await;
        assert_eq!(answer["code"], "not_allowed", "{text}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(says), "{text}: {answer}");
    }
    guest.client.leave(&open).await.unwrap();
}
