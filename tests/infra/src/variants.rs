//! The configurations that the program is checked with: each way that its structure can go, and its numbers at both ends.

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// What it is called.
    pub name: &'static str,
    /// `PULUMI_CONFIG`, where it is set.
    pub config: Option<String>,
}

/// All configurations.
#[must_use]
pub fn all() -> Vec<Variant> {
    let variant = |name, config: Value| Variant { name, config: Some(config.to_string()) };
    vec![
        Variant { name: "cloud", config: None },
        variant("local", json!({"hubbub:awsEndpoint": "http://127.0.0.1:4566", "hubbub:architecture": "x86_64"})),
        variant(
            "public-keys",
            json!({
                "aws:profile": "hubbub", "aws:region": "eu-west-1", "hubbub:tokenAlgorithm": "ES256",
                "hubbub:tokenJwksUrl": "https://example.com/jwks.json", "hubbub:tokenIssuer": "https://example.com/",
                "hubbub:tokenAudience": "hub$bub", "hubbub:defaultCapabilities": r#"{"join": ["lobby"]}"#,
            }),
        ),
        variant(
            "small",
            json!({
                "hubbub:callbackRps": "500", "hubbub:deliverTimeoutSeconds": "1", "hubbub:inlineLimit": "0",
                "hubbub:pageMembers": "1",
            }),
        ),
        variant(
            "large",
            json!({
                "hubbub:callbackRps": "1000000", "hubbub:deliverTimeoutSeconds": "120", "hubbub:inlineLimit": "10000",
                "hubbub:pageMembers": "100000",
            }),
        ),
    ]
}

impl Variant {
    /// The program that is printed for it.
    ///
    /// # Errors
    /// When there is none.
    pub fn program(&self) -> Result<Value> {
        let text =
            hubbub_infra::render(self.config.as_deref()).with_context(|| format!("rendering `{}`", self.name))?;
        Ok(serde_json::from_str(&text)?)
    }
}
