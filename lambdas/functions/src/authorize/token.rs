//! Tokens: JSON Web Tokens whose `sub` is the user. A claim may say what the user may do.

use hubbub_core::names::claims::CAPABILITIES;
use hubbub_core::settings::TokenAlgorithm;
use hubbub_core::wire::capabilities::{Capabilities, InvalidCapabilities};
use hubbub_core::wire::id::{InvalidId, UserId};
use hubbub_core::wire::time::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// How far the issuer's clock and ours may differ, in seconds.
const LEEWAY_SECONDS: u64 = 30;

/// The longest token, in bytes. API Gateway allows 10 KB for all headers together.
const MAX_TOKEN_BYTES: usize = 8_192;

/// A token's claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user's id.
    pub sub: String,
    /// When the token ends, in seconds since 1970.
    pub exp: u64,
    /// When the token begins, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nbf: Option<u64>,
    /// What the token grants.
    #[serde(rename = "hubbub", skip_serializing_if = "Option::is_none", default)]
    pub capabilities: Option<Value>,
}

/// What a token must have to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The only algorithm that is accepted.
    pub algorithm: TokenAlgorithm,
    /// The issuer it must name; none for any issuer.
    pub issuer: Option<String>,
    /// The audience it must name; none for any audience.
    pub audience: Option<String>,
    /// What a token without the claim grants.
    pub default_capabilities: Capabilities,
}

/// The user of a good token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    pub user: UserId,
    pub capabilities: Capabilities,
    /// When the token ends, in seconds since 1970, the leeway included.
    pub until: u64,
}

/// Why a token is refused. The log says it, the client is not told.
#[derive(Debug, Error)]
pub enum TokenError {
    #[error("the token has more than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// It isn't a token, lacks a claim, or has another key, algorithm, issuer or audience.
    #[error("the token is not valid: {0}")]
    Invalid(#[from] jsonwebtoken::errors::Error),
    #[error("there is no key of the token's `kid`")]
    UnknownKey,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token's subject is not a user's id")]
    Subject(#[source] InvalidId),
    #[error("the token's claim `{CAPABILITIES}` can't be used: {0}")]
    Capabilities(#[from] InvalidCapabilities),
}

/// The `kid` in a token's header, which names the key that signed it. The token is not verified yet.
///
/// # Errors
/// When it isn't a token.
pub fn key_id(token: &str) -> Result<Option<String>, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLong);
    }
    Ok(jsonwebtoken::decode_header(token)?.kid)
}

/// Verifies a token, and gives its user.
///
/// # Errors
/// Says why the token is refused.
pub fn verify(token: &str, key: &DecodingKey, rules: &Rules, now: Timestamp) -> Result<Bearer, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLong);
    }
    let claims = jsonwebtoken::decode::<Claims>(token, key, &validation(rules))?.claims;
    let now = now.0 / 1_000;
    let until = claims.exp.saturating_add(LEEWAY_SECONDS);
    if until <= now {
        return Err(TokenError::Expired);
    }
    if claims.nbf.is_some_and(|nbf| now.saturating_add(LEEWAY_SECONDS) < nbf) {
        return Err(TokenError::NotYetValid);
    }
    let user = UserId::parse(&claims.sub).map_err(TokenError::Subject)?;
    let capabilities = match claims.capabilities {
        Some(capabilities) => Capabilities::parse(&capabilities.to_string())?,
        None => rules.default_capabilities.clone(),
    };
    Ok(Bearer { user, capabilities, until })
}

/// The library checks the algorithm, which is pinned, the issuer and the audience. [`verify`] checks the times, because the library would read
/// the machine's clock.
fn validation(rules: &Rules) -> Validation {
    let mut validation = Validation::new(algorithm(rules.algorithm));
    validation.validate_exp = false;
    validation.validate_nbf = false;
    match &rules.audience {
        Some(audience) => {
            validation.set_audience(&[audience]);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        None => validation.validate_aud = false,
    }
    if let Some(issuer) = &rules.issuer {
        validation.set_issuer(&[issuer]);
        validation.required_spec_claims.insert("iss".to_owned());
    }
    validation
}

pub(crate) fn algorithm(algorithm: TokenAlgorithm) -> Algorithm {
    match algorithm {
        TokenAlgorithm::Hs256 => Algorithm::HS256,
        TokenAlgorithm::Rs256 => Algorithm::RS256,
        TokenAlgorithm::Es256 => Algorithm::ES256,
        TokenAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

/// Signs a token with a secret.
///
/// # Errors
/// None that is known: the claims are strings and numbers.
pub fn sign(claims: &Claims, key: &str) -> Result<String, jsonwebtoken::errors::Error> {
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "a key of thirty-two characters!!";
    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn claims(sub: &str, exp: u64, nbf: Option<u64>) -> Claims {
        Claims { sub: sub.to_owned(), exp, nbf, capabilities: None }
    }

    fn rules() -> Rules {
        Rules {
            algorithm: TokenAlgorithm::Hs256,
            issuer: None,
            audience: None,
            default_capabilities: Capabilities::of_a_member(),
        }
    }

    fn secret() -> EncodingKey {
        EncodingKey::from_secret(KEY.as_bytes())
    }

    fn check_by(rules: &Rules, token: &str, expected: Result<&str, &str>) {
        let key = DecodingKey::from_secret(KEY.as_bytes());
        let verified = verify(token, &key, rules, NOW).map(|bearer| bearer.user.to_string());
        match (verified.map_err(|error| error.to_string()), expected) {
            (Ok(user), Ok(expected)) => assert_eq!(user, expected),
            (Err(error), Err(expected)) => assert!(error.starts_with(expected), "{error}"),
            (verified, _) => panic!("{verified:?} instead of {expected:?}"),
        }
    }

    fn check(token: &str, expected: Result<&str, &str>) {
        check_by(&rules(), token, expected);
    }

    #[test]
    fn token_is_good_between_its_times_and_no_longer() {
        let sign = |claims: Claims| super::sign(&claims, KEY).unwrap();
        check(&sign(claims("alice", 1_000_001, None)), Ok("alice"));
        check(&sign(claims("alice", 999_971, None)), Ok("alice"));
        check(&sign(claims("alice", 999_970, None)), Err("the token has expired"));
        check(&sign(claims("alice", 2_000_000, Some(1_000_030))), Ok("alice"));
        check(&sign(claims("alice", 2_000_000, Some(1_000_031))), Err("the token is not valid yet"));
        check(&sign(claims("al ice", 2_000_000, None)), Err("the token's subject is not a user's id"));
        check(&sign(claims("", 2_000_000, None)), Err("the token's subject is not a user's id"));
    }

    #[test]
    fn forged_token_is_refused() {
        let good = claims("alice", 2_000_000, None);
        let other_key = super::sign(&good, "another key of 32 characters....").unwrap();
        check(&other_key, Err("the token is not valid"));
        let other_algorithm = jsonwebtoken::encode(&Header::new(Algorithm::HS512), &good, &secret()).unwrap();
        check(&other_algorithm, Err("the token is not valid"));
        // {"alg":"none"}.{"sub":"alice","exp":2000000}
        check("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMH0.", Err("the token is not valid"));
        check("", Err("the token is not valid"));
        check("a.b.c", Err("the token is not valid"));
        check(&"a".repeat(MAX_TOKEN_BYTES + 1), Err("the token has more than 8192 bytes"));
    }

    #[test]
    fn token_without_an_end_is_refused() {
        let endless = json!({ "sub": "alice" });
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &endless, &secret()).unwrap();
        check(&token, Err("the token is not valid"));
    }

    #[test]
    fn token_must_name_the_stacks_issuer_and_audience() {
        let rules = Rules { issuer: Some("me".to_owned()), audience: Some("chat".to_owned()), ..rules() };
        let check = |claims: Value, expected| {
            let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret()).unwrap();
            check_by(&rules, &token, expected);
        };
        let refused = Err("the token is not valid");
        check(json!({"sub": "alice", "exp": 2_000_000, "iss": "me", "aud": "chat"}), Ok("alice"));
        check(json!({"sub": "alice", "exp": 2_000_000, "iss": "me", "aud": ["mail", "chat"]}), Ok("alice"));
        check(json!({"sub": "alice", "exp": 2_000_000, "iss": "you", "aud": "chat"}), refused);
        check(json!({"sub": "alice", "exp": 2_000_000, "iss": "me", "aud": "mail"}), refused);
        check(json!({"sub": "alice", "exp": 2_000_000, "aud": "chat"}), refused);
        check(json!({"sub": "alice", "exp": 2_000_000, "iss": "me"}), refused);
    }

    #[test]
    fn token_without_grants_gets_the_stacks_defaults() {
        let bearer = |capabilities: Option<Value>| {
            let claims = Claims { capabilities, ..claims("alice", 2_000_000, None) };
            let key = DecodingKey::from_secret(KEY.as_bytes());
            verify(&sign(&claims, KEY).unwrap(), &key, &rules(), NOW)
        };
        assert_eq!(bearer(None).unwrap().capabilities, Capabilities::of_a_member());
        assert_eq!(bearer(Some(json!({}))).unwrap().capabilities, Capabilities::default());
        let some = json!({"join": ["team-*"]});
        assert_eq!(bearer(Some(some.clone())).unwrap().capabilities, Capabilities::parse(&some.to_string()).unwrap());
        let error = bearer(Some(json!({"join": ["a b"]}))).unwrap_err();
        assert!(error.to_string().contains("`a b` is not a pattern"), "{error}");
    }
}
