//! Tokens by hand: good ones, which the stack's issuer could have made, and every bad one that is known.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastrand::Rng;
use hubbub_aws::system::System;
use hubbub_core::ports::Clock;
use hubbub_core::wire::time::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

/// The leeway of a token's times, in seconds (PROTOCOL.md).
pub(crate) const LEEWAY: u64 = 30;

/// Makes tokens with the stack's own key, and without it.
#[derive(Clone)]
pub(crate) struct Forge {
    key: String,
    issuer: String,
    audience: String,
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let Timestamp(milliseconds) = System.now();
    milliseconds / 1_000
}

fn encode(part: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

fn signed(algorithm: hmac::Algorithm, key: &[u8], header: &str, claims: &str) -> String {
    let text = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let signature = hmac::sign(&hmac::Key::new(algorithm, key), text.as_bytes());
    format!("{text}.{}", encode(signature.as_ref()))
}

const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

impl Forge {
    pub(crate) fn new(key: &str, issuer: &str, audience: &str) -> Self {
        Self { key: key.to_owned(), issuer: issuer.to_owned(), audience: audience.to_owned() }
    }

    fn claims(&self, user: &str) -> Value {
        json!({"sub": user, "exp": now() + 3_600, "iss": self.issuer, "aud": self.audience})
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_as(HEADER, claims)
    }

    /// With the stack's key and HMAC with SHA-256, whatever the header says.
    fn sign_as(&self, header: &str, claims: &Value) -> String {
        signed(hmac::HMAC_SHA256, self.key.as_bytes(), header, &claims.to_string())
    }

    /// A good token, with what the stack grants by default.
    pub(crate) fn good(&self, user: &str) -> String {
        self.sign(&self.claims(user))
    }

    /// A good token that grants this.
    pub(crate) fn granting(&self, user: &str, capabilities: Value) -> String {
        self.sign(&with(self.claims(user), "hubbub", capabilities))
    }

    /// A good token that ends at a time, in seconds since 1970.
    pub(crate) fn ending(&self, user: &str, exp: u64) -> String {
        self.sign(&with(self.claims(user), "exp", exp.into()))
    }

    /// Tokens of this user that must be refused, each with its fault.
    pub(crate) fn forgeries(&self, user: &str, rng: &mut Rng) -> Vec<(&'static str, String)> {
        let claims = self.claims(user);
        let mut forgeries = self.badly_signed(&claims, rng);
        forgeries.extend(self.badly_claimed(&claims));
        forgeries.extend(Self::no_tokens(&self.sign(&claims), rng));
        forgeries
    }

    /// The claims are good, and the signature is not.
    fn badly_signed(&self, claims: &Value, rng: &mut Rng) -> Vec<(&'static str, String)> {
        let text = claims.to_string();
        let (good, key) = (self.sign(claims), self.key.as_bytes());
        let own_key: Vec<u8> = (0..32).map(|_| rng.u8(..)).collect();
        let unsigned = |header: &str| format!("{}.{}.", encode(header.as_bytes()), encode(text.as_bytes()));
        let other = with(claims.clone(), "sub", "somebody-else".into()).to_string();
        let mut parts = good.split('.');
        let (header, _, signature) =
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let mut forgeries = vec![
            ("another key", signed(hmac::HMAC_SHA256, &own_key, HEADER, &text)),
            ("no key", signed(hmac::HMAC_SHA256, b"", HEADER, &text)),
            ("a well-known key", signed(hmac::HMAC_SHA256, b"secret", HEADER, &text)),
            ("the payload is tampered with", format!("{header}.{}.{signature}", encode(other.as_bytes()))),
            ("the signature is missing", format!("{header}.{}.", encode(text.as_bytes()))),
            ("the signature is cut", good.get(..good.len() - 8).unwrap_or_default().to_owned()),
            ("HS512 by the right key", signed(hmac::HMAC_SHA512, key, r#"{"alg":"HS512"}"#, &text)),
            ("HS384 by the right key", signed(hmac::HMAC_SHA384, key, r#"{"alg":"HS384"}"#, &text)),
            ("HS512 that says HS256", signed(hmac::HMAC_SHA512, key, HEADER, &text)),
            (
                "a key in the header",
                signed(
                    hmac::HMAC_SHA256,
                    &own_key,
                    &json!({"alg": "HS256", "jwk": {"kty": "oct", "k": encode(&own_key)}}).to_string(),
                    &text,
                ),
            ),
            (
                "keys at an address",
                signed(
                    hmac::HMAC_SHA256,
                    &own_key,
                    r#"{"alg":"HS256","jku":"http://127.0.0.1:9/keys","kid":"../../dev/null"}"#,
                    &text,
                ),
            ),
        ];
        for algorithm in ["none", "None", "nOnE", ""] {
            forgeries.push(("no algorithm", unsigned(&json!({"alg": algorithm}).to_string())));
            forgeries
                .push(("no algorithm but a signature", self.sign_as(&json!({"alg": algorithm}).to_string(), claims)));
        }
        // The right key's signature under another name: a server that believes the header may accept it.
        for algorithm in ["RS256", "ES256", "EdDSA", "PS256", "hs256"] {
            forgeries.push(("another algorithm", self.sign_as(&json!({"alg": algorithm}).to_string(), claims)));
        }
        forgeries.push(("no algorithm named", self.sign_as("{}", claims)));
        forgeries
    }

    /// The signature is good, and a claim is not.
    fn badly_claimed(&self, claims: &Value) -> Vec<(&'static str, String)> {
        let now = now();
        let change = |name: &str, value: Value| self.sign(&with(claims.clone(), name, value));
        let without = |name: &str| {
            let mut claims = claims.clone();
            if let Some(claims) = claims.as_object_mut() {
                claims.remove(name);
            }
            self.sign(&claims)
        };
        vec![
            ("expired", change("exp", (now - LEEWAY - 1).into())),
            ("expired long ago", change("exp", 0.into())),
            ("without an end", without("exp")),
            ("an end of null", change("exp", Value::Null)),
            ("an end in words", change("exp", "never".into())),
            ("an end below zero", change("exp", (-1).into())),
            ("not valid yet", change("nbf", (now + LEEWAY + 60).into())),
            ("valid from words", change("nbf", "always".into())),
            ("without a user", without("sub")),
            ("a user of null", change("sub", Value::Null)),
            ("a user who is a number", change("sub", 7.into())),
            ("an empty user", change("sub", "".into())),
            ("a user of two words", change("sub", "two words".into())),
            ("a user in two lines", change("sub", "a\nb".into())),
            ("a user with a zero", change("sub", "a\u{0}b".into())),
            ("a user with a slash", change("sub", "../client-0".into())),
            ("a user of 65 characters", change("sub", "a".repeat(65).into())),
            ("another issuer", change("iss", "somebody".into())),
            ("without an issuer", without("iss")),
            ("another audience", change("aud", "somewhere".into())),
            ("without an audience", without("aud")),
            ("grants a number", change("hubbub", 1.into())),
            ("grants nonsense", change("hubbub", json!({"join": ["two words"]}))),
            ("grants too much at once", change("hubbub", json!({"join": vec!["a"; 101]}))),
            ("claims of a list", self.sign(&json!([claims]))),
        ]
    }

    /// Things that only look like tokens.
    fn no_tokens(good: &str, rng: &mut Rng) -> Vec<(&'static str, String)> {
        let noise: String = (0..rng.usize(1..200)).map(|_| rng.alphanumeric()).collect();
        vec![
            ("nothing", String::new()),
            ("noise", noise),
            ("dots", "...".to_owned()),
            ("two parts", good.rsplit_once('.').map(|(two, _)| two.to_owned()).unwrap_or_default()),
            ("four parts", format!("{good}.{good}")),
            ("padded", good.replace('.', "=.")),
            ("too long", "a".repeat(8_193)),
            ("not JSON", format!("{}.{}.{}", encode(b"x"), encode(b"y"), encode(b"z"))),
            ("not text", format!("{}.{}.x", encode(&[0xff, 0xfe]), encode(&[0x80]))),
            ("deeply nested", format!("{}.{}.x", encode("[".repeat(4_000).as_bytes()), encode(b"{}"))),
        ]
    }
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    if let Some(claims) = claims.as_object_mut() {
        claims.insert(name.to_owned(), value);
    }
    claims
}

#[cfg(test)]
mod tests {
    use hubbub_core::settings::TokenAlgorithm;
    use hubbub_core::wire::capabilities::Capabilities;
    use hubbub_functions::authorize::token::{Rules, verify};
    use jsonwebtoken::DecodingKey;

    use super::*;

    const KEY: &str = "a key of thirty-two characters!!";

    /// What the authorizer does, in its place.
    fn is_good(token: &str) -> bool {
        let rules = Rules {
            algorithm: TokenAlgorithm::Hs256,
            issuer: Some("door".to_owned()),
            audience: Some("room".to_owned()),
            default_capabilities: Capabilities::of_a_member(),
        };
        verify(token, &DecodingKey::from_secret(KEY.as_bytes()), &rules, System.now()).is_ok()
    }

    #[test]
    fn what_is_called_good_is_good_and_no_forgery_is() {
        let forge = Forge::new(KEY, "door", "room");
        assert!(is_good(&forge.good("ana")));
        assert!(is_good(&forge.granting("ana", json!({"join": ["a*"]}))));
        assert!(is_good(&forge.ending("ana", now() - LEEWAY + 5)));
        for (what, token) in forge.forgeries("ana", &mut Rng::with_seed(1)) {
            assert!(!is_good(&token), "{what}");
        }
    }
}
