//! What an operator may set (`pulumi config set hubbub:inlineLimit 500`), read from `PULUMI_CONFIG`.
//!
//! [`keys`] has every key with what it means and may be, and `values` reads them.
//!
//! Pulumi gives no configuration on some runs of the compiler, so every key has a default, and a program without any is a
//! whole program. Numbers are baked into the program after they have been checked: by Pulumi's own `${key}` they would come
//! out as floats (1048576 as 1.048576e+06). The token key is the only one that the program refers to, so that a secret is
//! never printed.

pub mod keys;
mod values;

use std::collections::BTreeMap;

use hubbub_core::capability::Capabilities;
use hubbub_core::config::{TokenAlgorithm, settings};
use hubbub_core::names::env;
use hubbub_core::rate::Budget;
use serde_json::Value;
use thiserror::Error;

use crate::settings::keys::{OF_FUNCTIONS, TOKEN_KEY};

/// The namespace of the keys, which is the project's name.
pub const PROJECT: &str = "hubbub";

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
    /// The memory of functions that don't post, in MB.
    pub memory_mb: u64,
    /// The memory of functions that post, in MB.
    pub sender_memory_mb: u64,
    /// How long logs are kept.
    pub log_days: u64,
    /// Whether API Gateway logs each frame, without what is in it.
    pub access_log: bool,
    /// Whether X-Ray traces the functions and the broadcasts.
    pub tracing: bool,
    /// Whether what can't be made again is guarded against deletion.
    pub deletion_protection: bool,
    /// Whether the table can be restored as it was at any moment of the last 35 days.
    pub point_in_time_recovery: bool,
    /// Where clients connect to, if not at API Gateway's own address.
    pub domain: Option<Domain>,
    /// Who is told of alarms, if anyone is.
    pub alarm_email: Option<String>,
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
            numbers: OF_FUNCTIONS.map(|(_, setting)| (setting.variable, setting.default)).into(),
            log_level: keys::LOG_LEVEL.default.to_owned(),
            architecture: Architecture::default(),
            deliver_timeout_seconds: keys::DELIVER_TIMEOUT_SECONDS.default,
            token_key_version: keys::TOKEN_KEY_VERSION.default,
            tokens: TokenSettings::default(),
            memory_mb: keys::MEMORY_MB.default,
            sender_memory_mb: keys::SENDER_MEMORY_MB.default,
            log_days: keys::DEFAULT_LOG_DAYS,
            access_log: false,
            tracing: false,
            deletion_protection: false,
            point_in_time_recovery: true,
            domain: None,
            alarm_email: None,
            aws_endpoint: None,
            region: None,
            profile: None,
        }
    }
}

/// A domain of the operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// For example `chat.example.com`.
    pub name: String,
    /// Its certificate in ACM, in the stack's Region.
    pub certificate_arn: String,
    /// The zone in Route 53 that gets its record; without one, the operator points the name at the domain's target by hand.
    pub hosted_zone_id: Option<String>,
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
    #[error("config key `hubbub:{key}` is `{value}`, which is not {expected}")]
    Malformed {
        /// The key without its namespace.
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
    #[error(
        "config key `hubbub:tokenKey` must have {} characters or more, and not be a number",
        keys::TOKEN_KEY_CHARACTERS
    )]
    WeakTokenKey,
    /// A half of a domain.
    #[error("config keys `hubbub:domainName` and `hubbub:certificateArn` must be set together")]
    HalfADomain,
    /// A zone and no name to put into it.
    #[error("config key `hubbub:hostedZoneId` is set, but not `hubbub:domainName`")]
    ZoneWithoutDomain,
    /// A domain on the local stack.
    #[error(
        "config key `hubbub:domainName` is set, but a local stack has no domain: leave it out beside `hubbub:awsEndpoint`"
    )]
    LocalDomain,
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
        let mut domain = values::DomainKeys::default();
        for (key, value) in config {
            // Pulumi writes strings; a person or a test may write a number as one.
            let value = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            match key.split_once(':') {
                Some((PROJECT, key)) => settings.set(key, value, &mut domain)?,
                Some(("aws", key)) => settings.set_provider(key, value)?,
                _ => {}
            }
        }
        if settings.tokens.algorithm.has_public_keys() == settings.tokens.jwks_url.is_empty() {
            return Err(SettingsError::JwksUrl);
        }
        settings.domain = domain.whole()?;
        if settings.domain.is_some() && settings.aws_endpoint.is_some() {
            return Err(SettingsError::LocalDomain);
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
        Budget::of(self.callback_rps())
    }

    /// The posts a second that the stack may make.
    #[must_use]
    pub fn callback_rps(&self) -> u64 {
        self.number(env::CALLBACK_RPS).unwrap_or(settings::CALLBACK_RPS.default)
    }

    /// The folder of the functions' zips. Each architecture has its own, and so have the local stack's quick builds: what is deployed can't be
    /// another by accident.
    #[must_use]
    pub fn zip_folder(&self) -> &'static str {
        if self.aws_endpoint.is_some() { "local" } else { self.architecture.name() }
    }

    fn set(&mut self, key: &str, value: String, domain: &mut values::DomainKeys) -> Result<(), SettingsError> {
        if let Some((name, setting)) = OF_FUNCTIONS.iter().find(|(name, _)| *name == key) {
            let value = values::whole_number(name, value, &setting.range, setting.meaning)?;
            self.numbers.insert(setting.variable, value);
            return Ok(());
        }
        match key {
            "accessLog" => self.access_log = values::flag(&keys::ACCESS_LOG, value)?,
            "alarmEmail" => self.alarm_email = Some(values::alarm_email(value)?),
            "architecture" => self.architecture = values::architecture(value)?,
            "awsEndpoint" => self.aws_endpoint = Some(values::aws_endpoint(value)?),
            "certificateArn" => domain.certificate_arn = Some(values::certificate_arn(value)?),
            "defaultCapabilities" => self.tokens.default_capabilities = values::default_capabilities(value)?,
            "deletionProtection" => self.deletion_protection = values::flag(&keys::DELETION_PROTECTION, value)?,
            "deliverTimeoutSeconds" => self.deliver_timeout_seconds = keys::DELIVER_TIMEOUT_SECONDS.read(value)?,
            "domainName" => domain.name = Some(values::domain_name(value)?),
            "hostedZoneId" => domain.hosted_zone_id = Some(values::hosted_zone_id(value)?),
            "logDays" => self.log_days = values::log_days(value)?,
            "logLevel" => self.log_level = values::log_level(value)?,
            "memoryMb" => self.memory_mb = keys::MEMORY_MB.read(value)?,
            "pointInTimeRecovery" => {
                self.point_in_time_recovery = values::flag(&keys::POINT_IN_TIME_RECOVERY, value)?;
            }
            "senderMemoryMb" => self.sender_memory_mb = keys::SENDER_MEMORY_MB.read(value)?,
            "tokenAlgorithm" => self.tokens.algorithm = values::token_algorithm(value)?,
            "tokenAudience" => self.tokens.audience = value,
            "tokenIssuer" => self.tokens.issuer = value,
            "tokenJwksUrl" => self.tokens.jwks_url = values::jwks_url(value)?,
            "tokenKeyVersion" => self.token_key_version = keys::TOKEN_KEY_VERSION.read(value)?,
            "tracing" => self.tracing = values::flag(&keys::TRACING, value)?,
            TOKEN_KEY => values::check_token_key(&value)?,
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

#[cfg(test)]
mod tests {
    use hubbub_core::names::env;
    use serde_json::json;

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
        for (key, _) in OF_FUNCTIONS {
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
    fn an_address_for_alarms_is_one() {
        assert_eq!(Settings::default().alarm_email, None);
        let settings = read("hubbub:alarmEmail", "on-call+hubbub@ops.example.com").unwrap();
        assert_eq!(settings.alarm_email.as_deref(), Some("on-call+hubbub@ops.example.com"));
        for value in [
            "",
            "ops",
            "@example.com",
            "ops@",
            "ops@localhost",
            "a b@example.com",
            "a@b@example.com",
            "ops@exa$mple.com",
        ] {
            assert!(refusal("hubbub:alarmEmail", value).contains("`ops@example.com`"), "{value}");
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
    fn a_domain_is_whole_or_not_there() {
        const ARN: &str = "arn:aws:acm:eu-west-1:123456789012:certificate/0c1d";
        let read = |config: Value| Settings::read(Some(&config.to_string()));
        let refused = |config: Value| read(config).unwrap_err().to_string();
        let name = "chat.example.com";
        let domain = read(json!({"hubbub:domainName": name, "hubbub:certificateArn": ARN})).unwrap().domain.unwrap();
        assert_eq!((domain.name.as_str(), domain.certificate_arn.as_str(), domain.hosted_zone_id), (name, ARN, None));
        for half in [json!({"hubbub:domainName": name}), json!({"hubbub:certificateArn": ARN})] {
            assert_eq!(read(half), Err(SettingsError::HalfADomain));
        }
        assert!(refused(json!({"hubbub:hostedZoneId": "Z0123456789"})).contains("`hubbub:domainName`"));
        let local = json!({
            "hubbub:domainName": name, "hubbub:certificateArn": ARN, "hubbub:awsEndpoint": "http://127.0.0.1:4566",
        });
        assert_eq!(read(local), Err(SettingsError::LocalDomain));
        for bad in ["", "localhost", "https://chat.example.com", "chat..example.com", "-chat.example.com", "${x}.org"] {
            assert!(refusal("hubbub:domainName", bad).contains("hubbub:domainName"), "{bad}");
        }
        assert!(
            refusal("hubbub:certificateArn", "arn:aws:iam::123456789012:role/x").contains("AWS Certificate Manager")
        );
        assert!(refusal("hubbub:hostedZoneId", "/hostedzone/Z1").contains("`Z0123456789ABCDEFGHIJ`"));
    }

    #[test]
    fn what_protects_production_is_off_or_cheap_by_default_and_can_be_set() {
        let defaults = Settings::default();
        assert!(!defaults.tracing && !defaults.deletion_protection && defaults.point_in_time_recovery);
        assert!(read("hubbub:tracing", "true").unwrap().tracing);
        assert!(read("hubbub:deletionProtection", "true").unwrap().deletion_protection);
        assert!(!read("hubbub:pointInTimeRecovery", "false").unwrap().point_in_time_recovery);
        assert_eq!(read("hubbub:logDays", "365").unwrap().log_days, 365);
        assert_eq!(
            refusal("hubbub:logDays", "100"),
            "config key `hubbub:logDays` is `100`, which is not 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, \
             1096, 1827, 2192, 2557, 2922, 3288 or 3653"
        );
        assert!(refusal("hubbub:memoryMb", "127").contains("from 128 to 10240"));
        assert!(refusal("hubbub:deletionProtection", "yes").contains("`true` or `false`"));
    }

    #[test]
    fn every_key_that_is_documented_is_read_and_no_other() {
        for row in keys::all() {
            let known = !matches!(read(&format!("hubbub:{}", row.name), "?"), Err(SettingsError::Unknown(_)));
            assert!(known, "{}", row.name);
        }
        let names: Vec<_> = keys::all().into_iter().map(|row| row.name).collect();
        assert!(names.is_sorted(), "{names:?}");
        let code = include_str!("settings.rs");
        for line in code.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" =>")) {
            assert!(names.contains(&line.0) || ["region", "profile"].contains(&line.0), "{} is not documented", line.0);
        }
    }

    #[test]
    fn the_documented_defaults_are_the_defaults() {
        for row in keys::all().into_iter().filter(|row| !row.default.is_empty() && row.name != "defaultCapabilities") {
            let settings = read(&format!("hubbub:{}", row.name), &row.default).unwrap();
            assert_eq!(settings, Settings::default(), "{}", row.name);
        }
    }

    #[test]
    fn the_page_with_all_keys_is_the_one_that_is_published() {
        let published = include_str!("../../../docs/settings.md");
        let command = "cargo run -q -p hubbub-infra -- --settings > docs/settings.md";
        assert!(published == keys::page(), "docs/settings.md is not of these keys: write it anew with `{command}`");
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
