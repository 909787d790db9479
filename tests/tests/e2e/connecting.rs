//! Who gets in.

use hubbub_aws::system::System;
use hubbub_client::Error;
use hubbub_core::ports::Clock;
use hubbub_tests::scene::Scene;
use hubbub_tests::token::Tokens;

fn is_refused(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 401 | 403, .. })
}

#[tokio::test]
async fn nobody_connects_without_a_token_that_is_good() {
    let scene = Scene::set().await;
    let now = System.now().0 / 1_000;
    let forged = Tokens::new("a key that this stack doesn't have").sign("mallory").unwrap();
    let expired = scene.tokens.sign_until("late", now - 31).unwrap();
    let bad_user = scene.tokens.sign("two words").unwrap();
    for (why, token) in [
        ("no token", None),
        ("not a token", Some("nonsense".to_owned())),
        ("another key", Some(forged)),
        ("expired", Some(expired)),
        ("not a user", Some(bad_user)),
    ] {
        let error = scene.try_token(token).await;
        assert!(is_refused(&error), "{why}: {error}");
    }
}

#[tokio::test]
async fn a_token_in_the_address_is_good_too() {
    let scene = Scene::set().await;
    let mut options = scene.options("query");
    let token = options.connection.token.take().unwrap();
    options.connection.url = format!("{}?token={token}", options.connection.url);
    scene.connect_with(options).await.client.ping().await.unwrap();
}
