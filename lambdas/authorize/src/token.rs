//! Tokens: JSON Web Tokens, signed with HS256, whose `sub` is the user.

use hubbub_core::id::{InvalidId, UserId};
use hubbub_core::time::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How far two clocks may differ, in seconds.
const LEEWAY_SECONDS: u64 = 30;

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
}

/// Why a token is refused. It goes to the log, never to the client.
#[derive(Debug, Error)]
pub enum TokenError {
    /// It isn't a token, it lacks a claim, or the key or the algorithm is another.
    #[error("the token is not valid: {0}")]
    Invalid(#[from] jsonwebtoken::errors::Error),
    /// Its time has passed.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Its subject can't be a user.
    #[error("the token's subject is not a user's id")]
    Subject(#[source] InvalidId),
}

/// Verifies a token; the user that it names.
///
/// # Errors
/// Says why it is refused.
pub fn verify(token: &str, key: &str, now: Timestamp) -> Result<UserId, TokenError> {
    // The algorithm is pinned. The times are checked below, because time comes in from outside.
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let claims = jsonwebtoken::decode::<Claims>(token, &DecodingKey::from_secret(key.as_bytes()), &validation)?.claims;
    let now = now.0 / 1_000;
    if claims.exp.saturating_add(LEEWAY_SECONDS) <= now {
        return Err(TokenError::Expired);
    }
    if claims.nbf.is_some_and(|nbf| now.saturating_add(LEEWAY_SECONDS) < nbf) {
        return Err(TokenError::NotYetValid);
    }
    UserId::parse(&claims.sub).map_err(TokenError::Subject)
}

/// Signs a token, for those who hold the key.
///
/// # Errors
/// None that is known: the claims are strings and numbers. The type is jsonwebtoken's.
pub fn sign(claims: &Claims, key: &str) -> Result<String, jsonwebtoken::errors::Error> {
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "a key of thirty-two characters!!";
    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn claims(sub: &str, exp: u64, nbf: Option<u64>) -> Claims {
        Claims { sub: sub.to_owned(), exp, nbf }
    }

    fn check(token: &str, expected: Result<&str, &str>) {
        let verified = verify(token, KEY, NOW).map(String::from).map_err(|error| error.to_string());
        match (verified, expected) {
            (Ok(user), Ok(expected)) => assert_eq!(user, expected),
            (Err(error), Err(expected)) => assert!(error.starts_with(expected), "{error}"),
            (verified, _) => panic!("{verified:?} instead of {expected:?}"),
        }
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
        let secret = EncodingKey::from_secret(KEY.as_bytes());
        let other_algorithm = jsonwebtoken::encode(&Header::new(Algorithm::HS512), &good, &secret).unwrap();
        check(&other_algorithm, Err("the token is not valid"));
        // {"alg":"none"}.{"sub":"alice","exp":2000000}
        check("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImV4cCI6MjAwMDAwMH0.", Err("the token is not valid"));
        check("", Err("the token is not valid"));
        check("a.b.c", Err("the token is not valid"));
    }

    #[test]
    fn a_token_without_an_end_is_refused() {
        let secret = EncodingKey::from_secret(KEY.as_bytes());
        let endless = serde_json::json!({ "sub": "alice" });
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &endless, &secret).unwrap();
        check(&token, Err("the token is not valid"));
    }
}
