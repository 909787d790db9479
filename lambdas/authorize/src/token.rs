//! Tokens: JSON Web Tokens whose `sub` is the user, and which may say what the user may do.

use hubbub_core::capability::{Capabilities, InvalidCapabilities};
use hubbub_core::config::TokenAlgorithm;
use hubbub_core::id::{InvalidId, UserId};
use hubbub_core::names::claims::CAPABILITIES;
use hubbub_core::time::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// How far two clocks may differ, in seconds.
const LEEWAY_SECONDS: u64 = 30;

/// The longest token, in bytes. A header has 10 KB at most (API Gateway's quota for all of them together).
const MAX_TOKEN_BYTES: usize = 8_192;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: String,
    /// The end, in seconds since 1970.
    pub exp: u64,
    /// The beginning, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nbf: Option<u64>,
    /// What the user may do.
    #[serde(rename = "hubbub", skip_serializing_if = "Option::is_none", default)]
    pub capabilities: Option<Value>,
}

/// What a token must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The only algorithm that is accepted.
    pub algorithm: TokenAlgorithm,
    /// Who must have issued it; anyone, without.
    pub issuer: Option<String>,
    /// Whom it must be for; anyone, without.
    pub audience: Option<String>,
    /// What it grants if it says nothing of it.
    pub default_capabilities: Capabilities,
}

/// What is known of whoever shows a good token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// The user.
    pub user: UserId,
    /// What the user may do.
    pub capabilities: Capabilities,
    /// When the token ends, in seconds since 1970, with the leeway.
    pub until: u64,
}

/// Why a token is refused. It goes to the log, never to the client.
#[derive(Debug, Error)]
pub enum TokenError {
    /// It is longer than any header.
    #[error("the token has more than {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// It isn't a token, it lacks a claim, or the key, the algorithm, the issuer or the audience is another.
    #[error("the token is not valid: {0}")]
    Invalid(#[from] jsonwebtoken::errors::Error),
    /// There is no key of its `kid`.
    #[error("there is no key of the token's `kid`")]
    UnknownKey,
    /// Its time has passed.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Its subject can't be a user.
    #[error("the token's subject is not a user's id")]
    Subject(#[source] InvalidId),
    /// What it grants can't be read.
    #[error("the token's claim `{CAPABILITIES}` can't be used: {0}")]
    Capabilities(#[from] InvalidCapabilities),
}

/// The `kid` in a token's header, which says by which of several keys it is signed. Nothing of the token is believed yet.
///
/// # Errors
/// When it isn't a token.
pub fn key_id(token: &str) -> Result<Option<String>, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLong);
    }
    Ok(jsonwebtoken::decode_header(token)?.kid)
}

/// Verifies a token; who bears it.
///
/// # Errors
/// Says why it is refused.
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

/// What the library checks: the algorithm, which is pinned, and whom the token is from and for. The times are checked by us, because time
/// comes in from outside.
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

/// The library's name for an algorithm.
pub(crate) fn algorithm(algorithm: TokenAlgorithm) -> Algorithm {
    match algorithm {
        TokenAlgorithm::Hs256 => Algorithm::HS256,
        TokenAlgorithm::Rs256 => Algorithm::RS256,
        TokenAlgorithm::Es256 => Algorithm::ES256,
        TokenAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

/// Signs a token with a secret, for those who hold it.
///
/// # Errors
/// None that is known: the claims are strings and numbers. The type is jsonwebtoken's.
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
    fn a_token_is_good_for_its_user_between_its_times() {
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
    fn a_forged_token_is_refused() {
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
    fn a_token_without_an_end_is_refused() {
        let endless = json!({ "sub": "alice" });
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &endless, &secret()).unwrap();
        check(&token, Err("the token is not valid"));
    }

    #[test]
    fn a_token_is_from_the_issuer_and_for_the_audience_that_the_stack_names() {
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
    fn a_token_says_what_its_user_may_do_or_the_stack_does() {
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
