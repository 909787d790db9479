//! The configurations that the program is checked with: those of the stacks' files, each optional part, and the numbers at both ends.

use std::ops::RangeInclusive;

use anyhow::{Context, Result};
use hubbub_infra::settings::rows;
use serde_json::{Value, json};

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    pub name: &'static str,
    /// `PULUMI_CONFIG`, where it is set.
    pub config: Option<String>,
}

/// The stacks whose files come with the program.
const STACKS: [(&str, &str); 3] = [
    ("dev", include_str!("../../../pulumi/Pulumi.dev.yaml")),
    ("prod", include_str!("../../../pulumi/Pulumi.prod.yaml")),
    ("local", include_str!("../../../pulumi/Pulumi.local.yaml")),
];

/// All configurations.
#[must_use]
pub fn all() -> Vec<Variant> {
    let stacks = STACKS.map(|(name, file)| Variant { name, config: Some(config(file).to_string()) });
    let variant = |name, config: Value| Variant { name, config: Some(config.to_string()) };
    let others = [
        Variant { name: "cloud", config: None },
        variant(
            "everything",
            json!({
                "hubbub:accessLog": "true", "hubbub:alarmEmail": "ops@example.com", "hubbub:deletionProtection": "true",
                "hubbub:domainName": "chat.example.com", "hubbub:hostedZoneId": "Z0123456789ABCDEFGHIJ",
                "hubbub:certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/0c1d",
                "hubbub:tracing": "true",
            }),
        ),
        variant(
            "public-keys",
            json!({
                "aws:profile": "hubbub", "aws:region": "eu-west-1", "hubbub:tokenAlgorithm": "ES256",
                "hubbub:tokenJwksUrl": "https://example.com/jwks.json", "hubbub:tokenIssuer": "https://example.com/",
                "hubbub:tokenAudience": "hub$bub", "hubbub:defaultCapabilities": r#"{"join": ["lobby"]}"#,
            }),
        ),
        variant("small", numbers(RangeInclusive::start)),
        variant("large", numbers(RangeInclusive::end)),
    ];
    others.into_iter().chain(stacks).collect()
}

/// Every setting that is a whole number, at one end of its range.
fn numbers(end: fn(&RangeInclusive<u64>) -> &u64) -> Value {
    let ends = rows().into_iter().filter_map(|row| Some((format!("hubbub:{}", row.key), end(&row.range?).to_string())));
    ends.collect()
}

/// The settings in a stack's file: lines of `  key: value` after `config:`, the only YAML in these files.
fn config(file: &str) -> Value {
    let lines = file.lines().skip_while(|line| *line != "config:").skip(1);
    lines.filter_map(|line| line.trim().split_once(": ")).map(|(key, value)| (key, value.trim_matches('"'))).collect()
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
