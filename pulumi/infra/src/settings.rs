//! What an operator may set (`pulumi config set hubbub:inlineLimit 500`), read from `PULUMI_CONFIG`.
//!
//! Pulumi gives no configuration on some runs of the compiler, so every key has a default, and a program without any is a
//! whole program. Numbers are baked into the program after they have been checked: by Pulumi's own `${key}` they would come
//! out as floats (1048576 as 1.048576e+06). The token key is the only one that the program refers to, so that a secret is
//! never printed.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use hubbub_core::capability::Capabilities;
use hubbub_core::config::{Setting, TokenAlgorithm, settings};
use hubbub_core::names::env;
use hubbub_core::rate::Budget;
use serde_json::Value;
use thiserror::Error;

/// The namespace of the keys, which is the project's name.
pub const PROJECT: &str = "hubbub";

/// The key of the secret by which tokens are signed; at least 32 characters.
pub const TOKEN_KEY: &str = "tokenKey";

/// HS256 asks for a key as long as its hash (RFC 7518, section 3.2).
const TOKEN_KEY_CHARACTERS: usize = 32;

/// The keys that are whole numbers for the functions, and which setting each is.
const NUMBERS: [(&str, Setting); 14] = [
    ("callbackRps", settings::CALLBACK_RPS),
    ("historyEvents", settings::HISTORY_EVENTS),
    ("inlineLimit", settings::INLINE_LIMIT),
    ("leaseSeconds", settings::LEASE_SECONDS),
    ("maxBodyBytes", settings::MAX_BODY_BYTES),
    ("maxRooms", settings::MAX_ROOMS),
    ("pageMembers", settings::PAGE_MEMBERS),
    ("postConcurrency", settings::POST_CONCURRENCY),
    ("postTimeoutMs", settings::POST_TIMEOUT_MS),
    ("retentionSeconds", settings::RETENTION_SECONDS),
    ("roundFrames", settings::ROUND_FRAMES),
    ("shardMembers", settings::SHARD_MEMBERS),
    ("userBurst", settings::USER_BURST),
    ("userRate", settings::USER_RATE),
];

/// The token key's versions; Pulumi writes the key when the version moves.
const TOKEN_KEY_VERSIONS: RangeInclusive<u64> = 1..=2_147_483_647;

/// How long `deliver` may take with a batch. Six times as long, a batch whose function was killed waits for the next try.
const DELIVER_TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=120;

/// The processors of Lambda.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Architecture {
    /// Graviton, a fifth cheaper.
    #[default]
    Arm64,
    /// Intel and AMD.
    X86_64,
}

impl Architecture {
    /// Both of them, the default first.
    pub const ALL: [Self; 2] = [Self::Arm64, Self::X86_64];

    /// The name that AWS has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }
}

/// Everything that an operator may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The values of the whole numbers, by environment variable.
    numbers: BTreeMap<&'static str, u64>,
    /// What the functions log.
    pub log_level: String,
    /// What the functions run on.
    pub architecture: Architecture,
    /// How long `deliver` may take, in seconds.
    pub deliver_timeout_seconds: u64,
    /// The token key's version.
    pub token_key_version: u64,
    /// What tokens must be like.
    pub tokens: TokenSettings,
    /// Whether API Gateway logs each frame, without what is in it.
    pub access_log: bool,
    /// The local stack's address, without a slash at the end. Only the local stack has one.
    pub aws_endpoint: Option<String>,
    /// The Region, where the stack's configuration names it.
    pub region: Option<String>,
    /// The profile of the AWS CLI's configuration that deploys.
    pub profile: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            numbers: NUMBERS.map(|(_, setting)| (setting.variable, setting.default)).into(),
            log_level: "info".to_owned(),
            architecture: Architecture::default(),
            deliver_timeout_seconds: 60,
            token_key_version: *TOKEN_KEY_VERSIONS.start(),
            tokens: TokenSettings::default(),
            access_log: false,
            aws_endpoint: None,
            region: None,
            profile: None,
        }
    }
}

/// What tokens must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// The only algorithm that is accepted.
    pub algorithm: TokenAlgorithm,
    /// Where the public keys are, for the algorithms that have them.
    pub jwks_url: String,
    /// Who must have issued a token; empty for anyone.
    pub issuer: String,
    /// Whom a token must be for; empty for anyone.
    pub audience: String,
    /// What tokens grant that say nothing of it, as JSON.
    pub default_capabilities: String,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self {
            algorithm: TokenAlgorithm::default(),
            jwks_url: String::new(),
            issuer: String::new(),
            audience: String::new(),
            default_capabilities: serde_json::json!(Capabilities::of_a_member()).to_string(),
        }
    }
}

/// Why a configuration can't be used. Values are shown in the messages, except the token key's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// `PULUMI_CONFIG` is not what Pulumi writes.
    #[error("`PULUMI_CONFIG` is not a JSON object of strings")]
    NotJson,
    /// A key that nothing reads, for example one with a typo.
    #[error("config key `{0}` is unknown")]
    Unknown(String),
    /// A number that isn't one, or is out of its range.
    #[error("config key `hubbub:{key}` is `{value}`, which is not a whole number from {min} to {max} ({meaning})")]
    OutOfRange {
        /// The key without its namespace.
        key: &'static str,
        /// Its value.
        value: String,
        /// The smallest value allowed.
        min: u64,
        /// The largest value allowed.
        max: u64,
        /// What it is, with its unit.
        meaning: &'static str,
    },
    /// A value that isn't one of those allowed, or has not their form.
    #[error("config key `{key}` is `{value}`, which is not {expected}")]
    Malformed {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// An algorithm with public keys, and nowhere to get them; or keys that the algorithm has no use for.
    #[error(
        "config key `hubbub:tokenJwksUrl` must be set exactly when `hubbub:tokenAlgorithm` is `RS256`, `ES256` or `EdDSA`"
    )]
    JwksUrl,
    /// The token key is too easy to guess, or would be read as a number.
    #[error("config key `hubbub:tokenKey` must have {TOKEN_KEY_CHARACTERS} characters or more, and not be a number")]
    WeakTokenKey,
}

impl Settings {
    /// Reads what `PULUMI_CONFIG` holds: a JSON object of values by `namespace:key`, or nothing.
    ///
    /// # Errors
    /// Names the first key that is unknown or has a bad value. Keys of other namespaces than the project's and `aws` are
    /// left alone.
    pub fn read(config: Option<&str>) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        let Some(config) = config.filter(|config| !config.is_empty()) else {
            return Ok(settings);
        };
        let config: BTreeMap<String, Value> = serde_json::from_str(config).map_err(|_| SettingsError::NotJson)?;
        for (key, value) in config {
            // Pulumi writes strings; a person or a test may write a number as one.
            let value = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            match key.split_once(':') {
                Some((PROJECT, key)) => settings.set(key, value)?,
                Some(("aws", key)) => settings.set_provider(key, value)?,
                _ => {}
            }
        }
        if settings.tokens.algorithm.has_public_keys() == settings.tokens.jwks_url.is_empty() {
            return Err(SettingsError::JwksUrl);
        }
        Ok(settings)
    }

    /// The value of a setting that a function reads from an environment variable.
    #[must_use]
    pub fn number(&self, variable: &str) -> Option<u64> {
        self.numbers.get(variable).copied()
    }

    /// How the posts that the stack may make are divided.
    #[must_use]
    pub fn budget(&self) -> Budget {
        Budget::of(self.number(env::CALLBACK_RPS).unwrap_or(settings::CALLBACK_RPS.default))
    }

    /// The folder of the functions' zips. Each architecture has its own, and so have the local stack's quick builds: what is deployed can't be
    /// another by accident.
    #[must_use]
    pub fn zip_folder(&self) -> &'static str {
        if self.aws_endpoint.is_some() { "local" } else { self.architecture.name() }
    }

    fn set(&mut self, key: &str, value: String) -> Result<(), SettingsError> {
        if let Some((key, setting)) = NUMBERS.iter().find(|(name, _)| *name == key) {
            self.numbers.insert(setting.variable, whole_number(key, value, &setting.range, setting.meaning)?);
            return Ok(());
        }
        match key {
            "logLevel" => self.log_level = log_level(value)?,
            "accessLog" => self.access_log = flag("hubbub:accessLog", value)?,
            "architecture" => self.architecture = architecture(value)?,
            "awsEndpoint" => self.aws_endpoint = Some(aws_endpoint(value)?),
            "deliverTimeoutSeconds" => {
                let meaning = "seconds that `deliver` may take with a batch";
                let range = &DELIVER_TIMEOUT_SECONDS;
                self.deliver_timeout_seconds = whole_number("deliverTimeoutSeconds", value, range, meaning)?;
            }
            "tokenKeyVersion" => {
                let meaning = "the token key's version, to be raised with every new key";
                self.token_key_version = whole_number("tokenKeyVersion", value, &TOKEN_KEY_VERSIONS, meaning)?;
            }
            "tokenAlgorithm" => self.tokens.algorithm = token_algorithm(value)?,
            "tokenJwksUrl" => self.tokens.jwks_url = jwks_url(value)?,
            "tokenIssuer" => self.tokens.issuer = value,
            "tokenAudience" => self.tokens.audience = value,
            "defaultCapabilities" => self.tokens.default_capabilities = default_capabilities(value)?,
            TOKEN_KEY => check_token_key(&value)?,
            _ => return Err(SettingsError::Unknown(format!("{PROJECT}:{key}"))),
        }
        Ok(())
    }

    /// Keys of the provider have to be passed on, as the program declares its provider by itself; one that is silently left
    /// out might be a safeguard.
    fn set_provider(&mut self, key: &str, value: String) -> Result<(), SettingsError> {
        match key {
            "region" => self.region = Some(value),
            "profile" => self.profile = Some(value),
            _ => return Err(SettingsError::Unknown(format!("aws:{key}"))),
        }
        Ok(())
    }
}

/// A whole number in its range. Pulumi may have made a float of it, which is taken if it is whole.
fn whole_number(
    key: &'static str,
    value: String,
    range: &RangeInclusive<u64>,
    meaning: &'static str,
) -> Result<u64, SettingsError> {
    let whole = value.parse().ok().or_else(|| whole_float(&value));
    whole.filter(|number| range.contains(number)).ok_or_else(|| SettingsError::OutOfRange {
        key,
        value,
        min: *range.start(),
        max: *range.end(),
        meaning,
    })
}

fn whole_float(value: &str) -> Option<u64> {
    let number: f64 = value.parse().ok()?;
    // Printed without a fraction, a float below 2^53 is exact; everything that a setting allows is.
    format!("{number}").parse().ok()
}

fn log_level(value: String) -> Result<String, SettingsError> {
    let is_filter = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "_-:=,".contains(c));
    if is_filter {
        Ok(value)
    } else {
        let expected = "a filter such as `info` or `info,hubbub_core=debug`";
        Err(SettingsError::Malformed { key: "hubbub:logLevel", value, expected })
    }
}

fn flag(key: &'static str, value: String) -> Result<bool, SettingsError> {
    value.parse().map_err(|_| SettingsError::Malformed { key, value, expected: "`true` or `false`" })
}

fn architecture(value: String) -> Result<Architecture, SettingsError> {
    Architecture::ALL.into_iter().find(|architecture| architecture.name() == value).ok_or(SettingsError::Malformed {
        key: "hubbub:architecture",
        value,
        expected: "`arm64` or `x86_64`",
    })
}

fn token_algorithm(value: String) -> Result<TokenAlgorithm, SettingsError> {
    let found = TokenAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == value);
    let expected = TokenAlgorithm::EXPECTED;
    found.ok_or(SettingsError::Malformed { key: "hubbub:tokenAlgorithm", value, expected })
}

fn jwks_url(value: String) -> Result<String, SettingsError> {
    let is_url = value.strip_prefix("https://").is_some_and(|rest| {
        !rest.is_empty() && rest.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c))
    });
    if is_url {
        Ok(value)
    } else {
        let expected = "an address such as `https://example.com/.well-known/jwks.json`";
        Err(SettingsError::Malformed { key: "hubbub:tokenJwksUrl", value, expected })
    }
}

fn default_capabilities(value: String) -> Result<String, SettingsError> {
    match Capabilities::parse(&value) {
        // Written anew, so that the same capabilities are the same program.
        Ok(capabilities) => Ok(serde_json::json!(capabilities).to_string()),
        Err(_) => {
            let expected = r#"an object of lists of patterns such as `{"join": ["lobby", "team-*"]}`"#;
            Err(SettingsError::Malformed { key: "hubbub:defaultCapabilities", value, expected })
        }
    }
}

fn aws_endpoint(value: String) -> Result<String, SettingsError> {
    let address = value.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let is_plain = |address: &str| {
        !address.is_empty() && address.chars().all(|c| c.is_ascii_alphanumeric() || "-.:[]".contains(c))
    };
    match address.filter(|address| is_plain(address)) {
        Some(address) => Ok(format!("http://{address}")),
        None => {
            let expected = "an address such as `http://127.0.0.1:4566`";
            Err(SettingsError::Malformed { key: "hubbub:awsEndpoint", value, expected })
        }
    }
}

fn check_token_key(value: &str) -> Result<(), SettingsError> {
    let is_weak = value.chars().count() < TOKEN_KEY_CHARACTERS || value.parse::<f64>().is_ok();
    if is_weak { Err(SettingsError::WeakTokenKey) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use hubbub_core::names::env;

    use super::*;

    fn read(key: &str, value: &str) -> Result<Settings, SettingsError> {
        let config = serde_json::json!({ key: value }).to_string();
        Settings::read(Some(&config))
    }

    fn refusal(key: &str, value: &str) -> String {
        read(key, value).unwrap_err().to_string()
    }

    #[test]
    fn every_setting_of_the_core_has_a_key() {
        let defaults = Settings::default();
        for setting in settings::ALL {
            assert_eq!(defaults.number(setting.variable), Some(setting.default), "{}", setting.variable);
        }
    }

    #[test]
    fn without_configuration_the_defaults_hold() {
        for config in [None, Some(""), Some("{}"), Some(r#"{"other:key": "1"}"#)] {
            assert_eq!(Settings::read(config).unwrap(), Settings::default());
        }
    }

    #[test]
    fn a_number_is_read_however_pulumi_writes_it() {
        for value in ["16384", "16384.0", "1.6384e+04", "16384.000"] {
            assert_eq!(read("hubbub:maxBodyBytes", value).unwrap().number(env::MAX_BODY_BYTES), Some(16_384));
        }
        let as_number = Settings::read(Some(r#"{"hubbub:inlineLimit": 50}"#)).unwrap();
        assert_eq!(as_number.number(env::INLINE_LIMIT), Some(50));
    }

    #[test]
    fn a_bad_number_is_refused_with_its_key_and_range() {
        assert_eq!(
            refusal("hubbub:inlineLimit", "10001"),
            "config key `hubbub:inlineLimit` is `10001`, which is not a whole number from 0 to 10000 (members up to which a \
             channel is delivered without the state machine)"
        );
        for value in ["", "many", "1.5", "-1", "1e9", "NaN", "inf"] {
            assert!(refusal("hubbub:inlineLimit", value).contains("from 0 to 10000"), "{value}");
        }
        for (key, _) in NUMBERS {
            assert!(refusal(&format!("hubbub:{key}"), "999999999").contains(key), "{key}");
        }
        assert!(refusal("hubbub:tokenKeyVersion", "0").contains("from 1 to 2147483647"));
    }

    #[test]
    fn a_bad_choice_is_refused_with_its_key_and_what_is_allowed() {
        assert_eq!(
            refusal("hubbub:architecture", "arm"),
            "config key `hubbub:architecture` is `arm`, which is not `arm64` or `x86_64`"
        );
        assert!(refusal("hubbub:logLevel", "in fo").contains("`hubbub:logLevel` is `in fo`"));
        for value in ["", "127.0.0.1:4566", "https://example.org", "http://", "http://a/b", "http://${x}/"] {
            assert!(refusal("hubbub:awsEndpoint", value).contains("hubbub:awsEndpoint"), "{value}");
        }
    }

    #[test]
    fn keys_for_tokens_are_checked() {
        let read = |config: &str| Settings::read(Some(config)).map(|settings| settings.tokens);
        let public = r#"{"hubbub:tokenAlgorithm": "RS256", "hubbub:tokenJwksUrl": "https://example.com/jwks.json"}"#;
        assert_eq!(read(public).unwrap().algorithm, TokenAlgorithm::Rs256);
        for half in
            [r#"{"hubbub:tokenAlgorithm": "RS256"}"#, r#"{"hubbub:tokenJwksUrl": "https://example.com/jwks.json"}"#]
        {
            assert_eq!(read(half), Err(SettingsError::JwksUrl), "{half}");
        }
        assert!(refusal("hubbub:tokenAlgorithm", "none").contains("`HS256`, `RS256`, `ES256` or `EdDSA`"));
        assert!(refusal("hubbub:tokenJwksUrl", "http://example.com/").contains("https://"));
        assert!(refusal("hubbub:defaultCapabilities", r#"{"join": "*"}"#).contains("an object of lists of patterns"));
        let some = read(r#"{"hubbub:defaultCapabilities": "{\"join\": [\"lobby\"]}"}"#).unwrap();
        assert_eq!(some.default_capabilities, r#"{"join":["lobby"]}"#);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert_eq!(refusal("hubbub:inlinelimit", "5"), "config key `hubbub:inlinelimit` is unknown");
        assert_eq!(refusal("aws:allowedAccountIds", "[]"), "config key `aws:allowedAccountIds` is unknown");
    }

    #[test]
    fn text_that_is_not_an_object_is_refused() {
        assert_eq!(Settings::read(Some("[]")), Err(SettingsError::NotJson));
    }

    #[test]
    fn a_weak_token_key_is_refused_and_not_shown() {
        for key in ["secret", "12345678901234567890123456789012345"] {
            let message = refusal("hubbub:tokenKey", key);
            assert!(message.contains("hubbub:tokenKey") && !message.contains(key), "{message}");
        }
        assert_eq!(read("hubbub:tokenKey", "0123456789abcdef0123456789abcdef"), Ok(Settings::default()));
    }

    #[test]
    fn an_address_loses_the_slash_at_its_end() {
        let settings = read("hubbub:awsEndpoint", "http://127.0.0.1:4566/").unwrap();
        assert_eq!(settings.aws_endpoint.as_deref(), Some("http://127.0.0.1:4566"));
    }
}
