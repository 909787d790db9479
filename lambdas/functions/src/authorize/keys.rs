//! The keys that verify tokens: a secret, or public keys that the issuer publishes at a URL (JWKS).

use std::sync::Arc;
use std::time::Duration;

use hubbub_aws::clients::Clients;
use hubbub_aws::parameter::Parameter;
use hubbub_aws::system::System;
use hubbub_aws::web::Document;
use hubbub_core::names::env;
use hubbub_core::ports::{Clock, PortError, PortResult};
use hubbub_core::settings::AuthorizeConfig;
use hubbub_core::wire::time::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::Mutex;

use super::token;

/// The keys that the configuration asks for.
#[derive(Debug)]
pub enum StackKeys {
    Secret(Box<Secret>),
    Public(Box<PublicKeys<Document, System>>),
}

/// Why the configuration gives no keys.
#[derive(Debug, Error)]
pub enum KeysError {
    #[error("environment variable `{variable}` is empty, and `{algorithm}` needs it")]
    Missing { variable: &'static str, algorithm: &'static str },
    /// The keys' URL can't be used, or the host has no certificates to trust.
    #[error(transparent)]
    Client(#[from] PortError),
}

impl StackKeys {
    /// # Errors
    /// When the configuration doesn't say where the algorithm's keys are.
    pub fn new(clients: &Clients, config: &AuthorizeConfig) -> Result<Self, KeysError> {
        let algorithm = config.token_algorithm;
        let missing = |variable| KeysError::Missing { variable, algorithm: algorithm.name() };
        if !algorithm.has_public_keys() {
            let name = config.token_key_parameter.clone().ok_or_else(|| missing(env::TOKEN_KEY_PARAMETER))?;
            return Ok(Self::Secret(Box::new(Secret(clients.parameter(name)?))));
        }
        let url = config.token_jwks_url.as_deref().ok_or_else(|| missing(env::TOKEN_JWKS_URL))?;
        Ok(Self::Public(Box::new(PublicKeys::new(Document::new(url)?, System, token::algorithm(algorithm)))))
    }
}

impl Keys for StackKeys {
    async fn key(&self, id: Option<&str>) -> PortResult<Option<Arc<DecodingKey>>> {
        match self {
            Self::Secret(secret) => secret.key(id).await,
            Self::Public(keys) => keys.key(id).await,
        }
    }
}

/// The keys that verify tokens.
#[expect(async_fn_in_trait, reason = "callers are generic over it, so that the compiler sees which futures are Send")]
pub trait Keys {
    /// The key of this id, or of a token that names none; nothing if there is no such key.
    async fn key(&self, id: Option<&str>) -> PortResult<Option<Arc<DecodingKey>>>;
}

/// Where a set of public keys is published, as JSON (RFC 7517).
#[expect(async_fn_in_trait, reason = "callers are generic over it, so that the compiler sees which futures are Send")]
pub trait KeySource {
    async fn fetch(&self) -> PortResult<String>;
}

impl KeySource for Document {
    async fn fetch(&self) -> PortResult<String> {
        Document::fetch(self).await
    }
}

/// A secret. It verifies every token, whatever key the token names.
#[derive(Debug)]
pub struct Secret(pub Parameter);

impl Keys for Secret {
    async fn key(&self, _: Option<&str>) -> PortResult<Option<Arc<DecodingKey>>> {
        Ok(Some(Arc::new(DecodingKey::from_secret(self.0.value().await?.as_bytes()))))
    }
}

/// How long a set is used before it is fetched again.
const FRESH: Duration = Duration::from_secs(10 * 60);

/// The shortest time between two fetches, so that tokens with invented key ids can't cause a storm of them.
const PAUSE: Duration = Duration::from_secs(30);

/// Public keys, kept between invocations.
pub struct PublicKeys<S, E> {
    source: S,
    env: E,
    algorithm: Algorithm,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    keys: Keyring,
    fetched: Option<Timestamp>,
    tried: Option<Timestamp>,
}

impl<S, E> std::fmt::Debug for PublicKeys<S, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicKeys").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl<S: KeySource, E: Clock> PublicKeys<S, E> {
    /// Keys of this algorithm. The first token fetches them.
    pub fn new(source: S, env: E, algorithm: Algorithm) -> Self {
        Self { source, env, algorithm, held: Mutex::default() }
    }

    /// Fetches the set if it is old or lacks the key, as after a rotation. If a fetch fails, an older set stays in use.
    async fn refresh(&self, held: &mut Held, id: Option<&str>) -> PortResult<()> {
        let now = self.env.now();
        let is_fresh = held.fetched.is_some_and(|fetched| now.since(fetched) < FRESH);
        let may_try = held.tried.is_none_or(|tried| now.since(tried) >= PAUSE);
        if (is_fresh && held.find(id).is_some()) || !may_try {
            return Ok(());
        }
        held.tried = Some(now);
        let fetched = self.source.fetch().await.and_then(|text| read(&text, self.algorithm));
        match fetched {
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "keys fetched");
                (held.keys, held.fetched) = (keys, Some(now));
                Ok(())
            }
            Err(error) if held.fetched.is_some() => {
                tracing::error!(%error, "keys not fetched, the last ones stay in use");
                Ok(())
            }
            Err(error) => {
                // There are no keys yet, so the next token tries again at once.
                held.tried = None;
                Err(error)
            }
        }
    }
}

impl Held {
    fn find(&self, id: Option<&str>) -> Option<&Arc<DecodingKey>> {
        match (id, self.keys.as_slice()) {
            (Some(id), keys) => keys.iter().find(|(own, _)| own.as_deref() == Some(id)).map(|(_, key)| key),
            // A token need not name its key if there is only one.
            (None, [(_, key)]) => Some(key),
            (None, _) => None,
        }
    }
}

impl<S: KeySource, E: Clock> Keys for PublicKeys<S, E> {
    async fn key(&self, id: Option<&str>) -> PortResult<Option<Arc<DecodingKey>>> {
        let mut held = self.held.lock().await;
        self.refresh(&mut held, id).await?;
        Ok(held.find(id).cloned())
    }
}

/// A set whose keys are read one by one, because a key of an unknown kind must not make the others unusable.
#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// Keys with their ids. A key need not have one.
type Keyring = Vec<(Option<String>, Arc<DecodingKey>)>;

/// The set's keys for this algorithm. A set may hold keys for other uses, which are left out.
fn read(text: &str, algorithm: Algorithm) -> PortResult<Keyring> {
    let malformed = |detail: String| PortError { operation: "read JWKS", detail, retryable: true };
    let set: Set = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let mut keys = Keyring::new();
    for jwk in set.keys {
        let Ok(jwk) = serde_json::from_value::<Jwk>(jwk) else { continue };
        let is_for_others = jwk.common.key_algorithm.is_some_and(|named| named.to_string() != format!("{algorithm:?}"));
        let key = DecodingKey::from_jwk(&jwk).ok().filter(|key| !is_for_others && key.family() == algorithm.family());
        if let Some(key) = key {
            keys.push((jwk.common.key_id.clone(), Arc::new(key)));
        }
    }
    if keys.is_empty() {
        return Err(malformed(format!("it has no key for {algorithm:?}")));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use futures::executor::block_on;
    use hubbub_testkit::fixtures::TestEnv;
    use serde_json::json;

    use super::*;

    /// Publishes the sets that a test puts there, and counts the fetches.
    #[derive(Clone, Default)]
    struct Issuer {
        shown: Rc<RefCell<Option<String>>>,
        asked: Rc<Cell<u32>>,
    }

    impl Issuer {
        fn show(&self, keys: &[&str]) {
            // The public part of the key in RFC 8037, appendix A.2.
            let key = |id: &&str| json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
            let others = [json!({"kty": "unknown"}), json!({"kty": "oct", "kid": "secret", "k": "c2VjcmV0"})];
            let keys: Vec<Value> = keys.iter().map(key).chain(others).collect();
            *self.shown.borrow_mut() = Some(json!({ "keys": keys }).to_string());
        }

        fn fail(&self) {
            *self.shown.borrow_mut() = None;
        }
    }

    impl KeySource for Issuer {
        async fn fetch(&self) -> PortResult<String> {
            self.asked.set(self.asked.get() + 1);
            let error = || PortError { operation: "fetch", detail: "refused by the test".to_owned(), retryable: true };
            self.shown.borrow().clone().ok_or_else(error)
        }
    }

    fn keys() -> (Issuer, TestEnv, PublicKeys<Issuer, TestEnv>) {
        let (issuer, env) = (Issuer::default(), TestEnv::at(1_000_000));
        issuer.show(&["one"]);
        (issuer.clone(), env.clone(), PublicKeys::new(issuer, env, Algorithm::EdDSA))
    }

    fn has(keys: &PublicKeys<Issuer, TestEnv>, id: Option<&str>) -> bool {
        block_on(keys.key(id)).unwrap().is_some()
    }

    #[test]
    fn fresh_keys_are_not_fetched_again() {
        let (issuer, env, keys) = keys();
        assert!(has(&keys, Some("one")) && has(&keys, Some("one")) && has(&keys, None));
        assert_eq!(issuer.asked.get(), 1);
        env.set(1_000_000 + 600_000);
        assert!(has(&keys, Some("one")));
        assert_eq!(issuer.asked.get(), 2);
    }

    #[test]
    fn new_key_is_fetched_and_invented_ids_cause_no_storm() {
        let (issuer, env, keys) = keys();
        assert!(has(&keys, Some("one")));
        issuer.show(&["one", "two"]);
        assert!(!has(&keys, Some("two")), "the last fetch was less than 30 s ago");
        env.set(1_000_000 + 30_000);
        assert!(has(&keys, Some("two")));
        for _ in 0..10 {
            assert!(!has(&keys, Some("made up")));
        }
        assert_eq!(issuer.asked.get(), 2);
        assert!(!has(&keys, None), "a token must name its key if there are two");
    }

    #[test]
    fn last_keys_stay_in_use_when_a_fetch_fails() {
        let (issuer, env, keys) = keys();
        assert!(has(&keys, Some("one")));
        for broken in [None, Some("garbage"), Some(r#"{"keys":[]}"#)] {
            issuer.fail();
            *issuer.shown.borrow_mut() = broken.map(ToOwned::to_owned);
            env.set(env.now().0 + 600_000);
            assert!(has(&keys, Some("one")), "{broken:?}");
        }
        assert_eq!(issuer.asked.get(), 4);
    }

    #[test]
    fn first_fetch_that_fails_is_tried_again_at_once() {
        let (issuer, _, keys) = keys();
        issuer.fail();
        assert!(block_on(keys.key(Some("one"))).is_err());
        issuer.show(&["one"]);
        assert!(has(&keys, Some("one")));
    }

    #[test]
    fn keys_for_other_algorithms_are_left_out() {
        let (issuer, env, _) = keys();
        let keys = PublicKeys::new(issuer, env, Algorithm::RS256);
        let error = block_on(keys.key(Some("one"))).err().unwrap();
        assert_eq!(error.detail, "it has no key for RS256");
    }
}
