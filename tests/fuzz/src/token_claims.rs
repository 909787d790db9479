//! Tokens with any content, and what the authorizer hands on to the other functions.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use hubbub_core::settings::TokenAlgorithm;
use hubbub_core::wire::capabilities::{Capabilities, Verb};
use hubbub_core::wire::time::Timestamp;
use hubbub_functions::authorize::token::{Bearer, Rules, key_id, verify};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::envelope::is_id;
use crate::stage::NOW;

/// The stack's key.
const KEY: &[u8] = b"a key of thirty-two characters!!";

/// What a token's header is, where the input has none.
const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

/// How far two clocks may differ, in seconds.
const LEEWAY_SECONDS: u64 = 30;

/// Ids that capabilities are tried on, besides those that they name.
const SOME_IDS: [&str; 4] = ["lobby", "team-red", "alice", "a"];

/// Shows a token with any claims, and with any header: an accepted bearer is a user until the token's end, and may do what the token
/// says and nothing else. The same token isn't good without its signature, and no text is a token by itself.
pub fn token_claims(data: &[u8]) {
    assert!(show(&String::from_utf8_lossy(data)).is_none(), "a text is accepted that is no signed token");
    let (header, claims) = read_lines(data);
    let message = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims));
    assert!(show(&format!("{message}.")).is_none(), "a token without a signature is accepted");
    let key = EncodingKey::from_secret(KEY);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    if let Some(bearer) = show(&format!("{message}.{signature}")) {
        assert_eq!(Fields::read(header).get("alg"), "HS256", "another algorithm is accepted");
        check_bearer(&bearer, &Fields::read(claims));
        check_handed_on(&bearer);
    }
}

/// The header, and the claims.
fn read_lines(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(end) if data.starts_with(b"{") => (&data[..end], &data[end + 1..]),
        _ => (HEADER.as_bytes(), data),
    }
}

/// Shows a token, as the authorizer is shown one; its bearer, if it is accepted.
fn show(token: &str) -> Option<Bearer> {
    let rules = Rules {
        algorithm: TokenAlgorithm::Hs256,
        issuer: None,
        audience: None,
        default_capabilities: Capabilities::of_a_member(),
    };
    key_id(token).ok()?;
    verify(token, &DecodingKey::from_secret(KEY), &rules, Timestamp(NOW)).ok()
}

/// The fields of an object, of which unused ones may hold anything: a number of any size, or half a character.
struct Fields(BTreeMap<String, Box<RawValue>>);

impl Fields {
    fn read(json: &[u8]) -> Self {
        Self(serde_json::from_str(&String::from_utf8_lossy(json)).unwrap())
    }

    /// A field; `null` where it isn't there.
    fn get(&self, name: &str) -> Value {
        self.0.get(name).map_or(Value::Null, |raw| serde_json::from_str(raw.get()).unwrap())
    }
}

fn check_bearer(bearer: &Bearer, claims: &Fields) {
    assert_eq!(claims.get("sub"), bearer.user.as_str());
    assert!(is_id(bearer.user.as_str()), "{bearer:?}");
    let now = NOW / 1_000;
    assert_eq!(Some(bearer.until), claims.get("exp").as_u64().map(|end| end.saturating_add(LEEWAY_SECONDS)));
    assert!(now < bearer.until, "{bearer:?} is accepted after its end");
    let start = claims.get("nbf").as_u64().unwrap_or_default();
    assert!(start <= now + LEEWAY_SECONDS, "{bearer:?} is accepted before its start");
    match claims.get("hubbub") {
        Value::Null => assert_eq!(bearer.capabilities, Capabilities::of_a_member()),
        claim => check_granted(&bearer.capabilities, &claim),
    }
}

/// A verb is granted exactly where one of its patterns says so.
fn check_granted(capabilities: &Capabilities, claim: &Value) {
    for verb in Verb::ALL {
        let patterns: Vec<&str> = match claim.get(verb.to_string()) {
            Some(list) => list.as_array().unwrap().iter().map(|pattern| pattern.as_str().unwrap()).collect(),
            None => Vec::new(),
        };
        assert_eq!(capabilities.is_granted_anywhere(verb), patterns.contains(&"*"), "{verb} {patterns:?}");
        let named = patterns.iter().map(|pattern| pattern.trim_end_matches('*'));
        let longer: Vec<String> = patterns.iter().map(|pattern| pattern.replace('*', "x")).collect();
        for id in SOME_IDS.into_iter().chain(named).chain(longer.iter().map(String::as_str)) {
            let is_meant = |pattern: &&str| match pattern.strip_suffix('*') {
                Some(start) => id.starts_with(start),
                None => id == *pattern,
            };
            assert_eq!(capabilities.grant(verb, id), patterns.iter().any(is_meant), "{verb} `{id}` {patterns:?}");
        }
    }
}

/// The other functions read what the authorizer writes: texts in an event.
fn check_handed_on(bearer: &Bearer) {
    let written = serde_json::to_string(&bearer.capabilities).unwrap();
    assert_eq!(Capabilities::parse(&written).unwrap(), bearer.capabilities, "{written}");
}
