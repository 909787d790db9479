//! What an operator may set (`pulumi config set hubbub:inlineLimit 500`), read from `PULUMI_CONFIG`.
//!
//! The settings of the functions are rows of `hubbub_core::settings`; those that only the program reads are rows of [`table`].
//!
//! Pulumi gives no configuration on some runs of the compiler, so every key has a default, and a program without any is a whole program.
//! Values are baked into the program after they have been checked: through Pulumi's own `${key}`, numbers would come out as floats
//! (1048576 as 1.048576e+06). The token key is the only one that the program refers to, so that a secret is never printed.

pub mod table;

use std::collections::BTreeMap;

use hubbub_core::limits::budget::Budget;
use hubbub_core::settings as config;
use hubbub_core::settings::{CALLBACK_RPS, Row, Setting, TOKEN_ALGORITHM, TOKEN_JWKS_URL, Typed};
use serde_json::Value;
use thiserror::Error;

pub use self::table::Settings;

/// The namespace of the keys, which is the project's name.
pub const PROJECT: &str = "hubbub";

/// The key of the secret by which tokens are signed.
pub const TOKEN_KEY: &str = "tokenKey";

/// HS256 asks for a key as long as its hash (RFC 7518, section 3.2).
const TOKEN_KEY_CHARACTERS: usize = 32;

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

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|architecture| architecture.name() == name)
    }
}

/// A domain of the operator's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain<'a> {
    /// For example `chat.example.com`.
    pub name: &'a str,
    /// Its certificate in ACM, in the stack's Region.
    pub certificate_arn: &'a str,
    /// The zone in Route 53 that gets its record; without one, the operator points the name at the domain's target by hand.
    pub hosted_zone_id: Option<&'a str>,
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
    /// A value that isn't allowed.
    #[error("config key `hubbub:{key}` is `{value}`, which is not {allowed} ({meaning})")]
    NotAllowed {
        /// The key without its namespace.
        key: &'static str,
        /// Its value.
        value: String,
        /// See [`Row::allowed`].
        allowed: String,
        /// See [`Row::meaning`].
        meaning: &'static str,
    },
    /// An algorithm with public keys, and nowhere to get them; or keys that the algorithm has no use for.
    #[error(
        "config key `hubbub:tokenJwksUrl` must be set exactly when `hubbub:tokenAlgorithm` is `RS256`, `ES256` or `EdDSA`"
    )]
    JwksUrl,
    /// The token key is too easy to guess, or would be read as a number.
    #[error("config key `hubbub:tokenKey` must have {TOKEN_KEY_CHARACTERS} characters or more, and not be a number")]
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

/// Declares [`Settings`]: a field for each row of the program's own table, which has the row's value.
macro_rules! program_settings {
    ($( $meaning:literal $(#[$meta:meta])* $field:ident: $value:ty = $kind:ident { $($row:tt)* } )*) => {
        /// A stack's settings.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings {
            /// What the operator sets of the functions' settings, by environment variable.
            pub(super) of_functions: std::collections::BTreeMap<&'static str, String>,
            /// The Region, where the stack's configuration names it.
            pub region: Option<String>,
            /// The profile of the AWS CLI's configuration that deploys.
            pub profile: Option<String>,
            $( #[doc = concat!("Setting: ", $meaning, ".")] $(#[$meta])* pub $field: $value, )*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self {
                    of_functions: std::collections::BTreeMap::new(),
                    region: None,
                    profile: None,
                    $( $field: super::default_of(&$kind { meaning: $meaning, $($row)* }), )*
                }
            }
        }

        impl Settings {
            /// Sets the field of a key; says whether there is one.
            pub(super) fn set_field(&mut self, key: &str, value: &str) -> Result<bool, super::SettingsError> {
                $(
                    let setting = $kind { meaning: $meaning, $($row)* };
                    if setting.key == key {
                        let text = super::allowed(&setting, value)?;
                        self.$field = setting.parse(&text).unwrap_or_default();
                        return Ok(true);
                    }
                )*
                Ok(false)
            }

            /// The rows of the program's own table.
            pub(super) fn rows_of_program() -> Vec<hubbub_core::settings::Row> {
                vec![$( $kind { meaning: $meaning, $($row)* }.row() ),*]
            }
        }
    };
}
use program_settings;

/// The value of a setting that isn't set.
fn default_of<S: Typed<Value: Default>>(setting: &S) -> S::Value {
    setting.parse(&setting.row().default).unwrap_or_default()
}

/// A value that the setting allows. Pulumi may have made a float of a whole number, which is taken if it is whole.
fn allowed(setting: &dyn Setting, value: &str) -> Result<String, SettingsError> {
    // Printed without a fraction, a float below 2^53 is exact; everything that a setting allows is.
    let whole = || Some(value.parse::<f64>().ok()?.to_string());
    [Some(value.to_owned()), whole()].into_iter().flatten().find(|text| setting.allows(text)).ok_or_else(|| {
        let Row { key, allowed, meaning, .. } = setting.row();
        SettingsError::NotAllowed { key, value: value.to_owned(), allowed, meaning }
    })
}

impl Settings {
    /// Reads what `PULUMI_CONFIG` holds: a JSON object of values by `namespace:key`, or nothing.
    ///
    /// # Errors
    /// Names the first key that is unknown or has a bad value. Keys of other namespaces than the project's and `aws` are left alone.
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
                Some((PROJECT, key)) => settings.set(key, &value)?,
                Some(("aws", key)) => settings.set_provider(key, value)?,
                _ => {}
            }
        }
        settings.check()?;
        Ok(settings)
    }

    /// The value of a setting of the functions.
    #[must_use]
    pub fn get<S: Typed<Value: Default>>(&self, setting: &S) -> S::Value {
        let set = self.of_functions.get(setting.row().variable);
        set.and_then(|text| setting.parse(text)).unwrap_or_else(|| default_of(setting))
    }

    /// The value of an environment variable, where it is a setting's.
    #[must_use]
    pub fn of_variable(&self, variable: &str) -> Option<String> {
        let row = config::ALL.iter().map(|setting| setting.row()).find(|row| row.variable == variable)?;
        let set = self.of_functions.get(variable).cloned();
        (!row.key.is_empty()).then(|| set.unwrap_or(row.default))
    }

    /// The same settings with another value of one of the functions'. The value isn't checked.
    #[must_use]
    pub fn with(mut self, setting: &impl Setting, value: &str) -> Self {
        self.of_functions.insert(setting.row().variable, value.to_owned());
        self
    }

    /// How the posts that the stack may make are divided.
    #[must_use]
    pub fn budget(&self) -> Budget {
        Budget::of(self.get(&CALLBACK_RPS))
    }

    /// Whether tokens are signed with keys whose public part is at an address, so that the stack has no token key.
    #[must_use]
    pub fn has_public_keys(&self) -> bool {
        self.get(&TOKEN_ALGORITHM).has_public_keys()
    }

    /// The operator's own domain, if the stack has one.
    #[must_use]
    pub fn domain(&self) -> Option<Domain<'_>> {
        let (name, certificate_arn) = (self.domain_name.as_deref()?, self.certificate_arn.as_deref()?);
        Some(Domain { name, certificate_arn, hosted_zone_id: self.hosted_zone_id.as_deref() })
    }

    /// The folder of the functions' zips. Each architecture has its own, and so have the local stack's quick builds: what is deployed can't be
    /// another by accident.
    #[must_use]
    pub fn zip_folder(&self) -> &'static str {
        if self.aws_endpoint.is_some() { "local" } else { self.architecture.name() }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), SettingsError> {
        if key == TOKEN_KEY {
            return check_token_key(value);
        }
        let of_functions = config::ALL.iter().find(|setting| setting.row().key == key && !key.is_empty());
        if let Some(setting) = of_functions {
            self.of_functions.insert(setting.row().variable, allowed(*setting, value)?);
            return Ok(());
        }
        if self.set_field(key, value)? { Ok(()) } else { Err(SettingsError::Unknown(format!("{PROJECT}:{key}"))) }
    }

    /// Keys of the provider have to be passed on, as the program declares its provider by itself; one that is silently left out might be a
    /// safeguard.
    fn set_provider(&mut self, key: &str, value: String) -> Result<(), SettingsError> {
        match key {
            "region" => self.region = Some(value),
            "profile" => self.profile = Some(value),
            _ => return Err(SettingsError::Unknown(format!("aws:{key}"))),
        }
        Ok(())
    }

    /// Settings that only go together.
    fn check(&self) -> Result<(), SettingsError> {
        if self.has_public_keys() != self.get(&TOKEN_JWKS_URL).is_some() {
            return Err(SettingsError::JwksUrl);
        }
        match (&self.domain_name, &self.certificate_arn) {
            (Some(_), None) | (None, Some(_)) => Err(SettingsError::HalfADomain),
            (None, None) if self.hosted_zone_id.is_some() => Err(SettingsError::ZoneWithoutDomain),
            (Some(_), Some(_)) if self.aws_endpoint.is_some() => Err(SettingsError::LocalDomain),
            _ => Ok(()),
        }
    }
}

fn check_token_key(value: &str) -> Result<(), SettingsError> {
    let is_weak = value.chars().count() < TOKEN_KEY_CHARACTERS || value.parse::<f64>().is_ok();
    if is_weak { Err(SettingsError::WeakTokenKey) } else { Ok(()) }
}

/// All settings that an operator may set, by their keys.
#[must_use]
pub fn rows() -> Vec<Row> {
    let token_key = Row {
        key: TOKEN_KEY,
        variable: "",
        meaning: "the secret by which tokens are signed; for HS256, and only for it",
        allowed: format!("a secret of {TOKEN_KEY_CHARACTERS} characters or more"),
        range: None,
        default: String::new(),
    };
    let of_functions = config::ALL.iter().map(|setting| setting.row()).filter(|row| !row.key.is_empty());
    let mut rows: Vec<Row> = of_functions.chain(Settings::rows_of_program()).chain([token_key]).collect();
    rows.sort_by_key(|row| row.key);
    rows
}

#[cfg(test)]
mod tests {
    use hubbub_core::names::env;
    use hubbub_core::settings::{DEFAULT_CAPABILITIES, INLINE_LIMIT, MAX_BODY_BYTES, TOKEN_ISSUER, TokenAlgorithm};
    use hubbub_core::wire::capabilities::Capabilities;
    use serde_json::json;

    use super::*;

    fn read_config(config: &Value) -> Result<Settings, SettingsError> {
        Settings::read(Some(&config.to_string()))
    }

    fn read(key: &str, value: &str) -> Result<Settings, SettingsError> {
        read_config(&json!({ key: value }))
    }

    fn refusal(key: &str, value: &str) -> String {
        read(key, value).unwrap_err().to_string()
    }

    #[test]
    fn defaults_hold_without_configuration() {
        for config in [None, Some(""), Some("{}"), Some(r#"{"other:key": "1"}"#)] {
            assert_eq!(Settings::read(config).unwrap(), Settings::default());
        }
    }

    #[test]
    fn number_is_read_as_pulumi_writes_it() {
        for value in ["16384", "16384.0", "1.6384e+04", "16384.000"] {
            let settings = read("hubbub:maxBodyBytes", value).unwrap();
            assert_eq!(settings.get(&MAX_BODY_BYTES), 16_384);
            assert_eq!(settings.of_variable(env::MAX_BODY_BYTES).unwrap(), "16384");
        }
        assert_eq!(read_config(&json!({"hubbub:inlineLimit": 50})).unwrap().get(&INLINE_LIMIT), 50);
        assert_eq!(read("hubbub:logDays", "14.0").unwrap().log_days, 14);
        assert_eq!(read("hubbub:tokenIssuer", "1e3").unwrap().get(&TOKEN_ISSUER).unwrap(), "1e3");
    }

    #[test]
    fn bad_number_is_refused_with_key_and_range() {
        assert_eq!(
            refusal("hubbub:inlineLimit", "10001"),
            "config key `hubbub:inlineLimit` is `10001`, which is not a whole number from 0 to 10000 (members up to which a \
             channel is delivered without the state machine)"
        );
        for value in ["", "many", "1.5", "-1", "1e9", "NaN", "inf"] {
            assert!(refusal("hubbub:inlineLimit", value).contains("from 0 to 10000"), "{value}");
        }
    }

    #[test]
    fn every_range_is_enforced() {
        for row in rows() {
            let Some(range) = row.range else { continue };
            let key = format!("hubbub:{}", row.key);
            assert!(refusal(&key, &(range.end() + 1).to_string()).contains(row.key), "{key}");
            for end in [range.start(), range.end()] {
                assert!(read(&key, &end.to_string()).is_ok(), "{key}");
            }
        }
    }

    #[test]
    fn bad_text_is_refused_with_key_and_allowed_values() {
        assert_eq!(
            refusal("hubbub:architecture", "arm"),
            "config key `hubbub:architecture` is `arm`, which is not `arm64` or `x86_64` (the processors that the functions \
             run on; their zips must be made for them)"
        );
        assert!(refusal("hubbub:logLevel", "in fo").contains("`hubbub:logLevel` is `in fo`"));
        for value in ["", "127.0.0.1:4566", "https://example.org", "http://", "http://a/b", "http://${x}/"] {
            assert!(refusal("hubbub:awsEndpoint", value).contains("hubbub:awsEndpoint"), "{value}");
        }
        assert!(refusal("hubbub:logDays", "100").contains("which is not 1, 3, 5, 7, 14,"));
        assert!(refusal("hubbub:deletionProtection", "yes").contains("`true` or `false`"));
    }

    #[test]
    fn alarm_email_has_the_form_of_an_address() {
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
    fn public_keys_need_an_algorithm_and_an_address() {
        let (algorithm, url) = ("hubbub:tokenAlgorithm", "hubbub:tokenJwksUrl");
        let both = json!({algorithm: "RS256", url: "https://example.com/jwks.json"});
        assert_eq!(read_config(&both).unwrap().get(&TOKEN_ALGORITHM), TokenAlgorithm::Rs256);
        assert_eq!(read(algorithm, "RS256"), Err(SettingsError::JwksUrl));
        assert_eq!(read(url, "https://example.com/jwks.json"), Err(SettingsError::JwksUrl));
        assert!(refusal(algorithm, "none").contains("`HS256`, `RS256`, `ES256` or `EdDSA`"));
        assert!(refusal(url, "http://example.com/").contains("https://"));
    }

    #[test]
    fn default_capabilities_can_be_set() {
        assert_eq!(Settings::default().get(&DEFAULT_CAPABILITIES), Capabilities::of_a_member());
        let set = read("hubbub:defaultCapabilities", r#"{"join": ["lobby"]}"#).unwrap().get(&DEFAULT_CAPABILITIES);
        assert_eq!(json!(set), json!({"join": ["lobby"]}));
        assert!(refusal("hubbub:defaultCapabilities", r#"{"join": "*"}"#).contains("an object of lists of patterns"));
    }

    #[test]
    fn domain_needs_a_certificate_and_aws() {
        const ARN: &str = "arn:aws:acm:eu-west-1:123456789012:certificate/0c1d";
        let name = "chat.example.com";
        let settings = read_config(&json!({"hubbub:domainName": name, "hubbub:certificateArn": ARN})).unwrap();
        assert_eq!(settings.domain(), Some(Domain { name, certificate_arn: ARN, hosted_zone_id: None }));
        assert_eq!(read("hubbub:domainName", name), Err(SettingsError::HalfADomain));
        assert_eq!(read("hubbub:certificateArn", ARN), Err(SettingsError::HalfADomain));
        assert_eq!(read("hubbub:hostedZoneId", "Z0123456789"), Err(SettingsError::ZoneWithoutDomain));
        let local = json!({
            "hubbub:domainName": name, "hubbub:certificateArn": ARN, "hubbub:awsEndpoint": "http://127.0.0.1:4566",
        });
        assert_eq!(read_config(&local), Err(SettingsError::LocalDomain));
        for bad in ["", "localhost", "https://chat.example.com", "chat..example.com", "-chat.example.com", "${x}.org"] {
            assert!(refusal("hubbub:domainName", bad).contains("hubbub:domainName"), "{bad}");
        }
        assert!(
            refusal("hubbub:certificateArn", "arn:aws:iam::123456789012:role/x").contains("AWS Certificate Manager")
        );
        assert!(refusal("hubbub:hostedZoneId", "/hostedzone/Z1").contains("`Z0123456789ABCDEFGHIJ`"));
    }

    #[test]
    fn protection_can_be_set() {
        let defaults = Settings::default();
        assert!(!defaults.tracing && !defaults.deletion_protection && defaults.point_in_time_recovery);
        assert!(read("hubbub:tracing", "true").unwrap().tracing);
        assert!(read("hubbub:deletionProtection", "true").unwrap().deletion_protection);
        assert!(!read("hubbub:pointInTimeRecovery", "false").unwrap().point_in_time_recovery);
        assert_eq!(read("hubbub:logDays", "365").unwrap().log_days, 365);
    }

    #[test]
    fn documented_defaults_are_the_defaults() {
        for row in rows().into_iter().filter(|row| !row.default.is_empty()) {
            let settings = read(&format!("hubbub:{}", row.key), &row.default).unwrap();
            let of_functions = settings.of_functions.get(row.variable).cloned();
            assert_eq!(Settings { of_functions: BTreeMap::new(), ..settings }, Settings::default(), "{}", row.key);
            assert_eq!(of_functions, Settings::default().of_variable(row.variable), "{}", row.key);
        }
    }

    #[test]
    fn only_settings_of_functions_have_variables() {
        let of_program = Settings::rows_of_program();
        assert!(of_program.iter().all(|row| row.variable.is_empty()), "{of_program:?}");
        let keys: Vec<_> = rows().into_iter().map(|row| row.key).collect();
        assert!(keys.is_sorted_by(|key, next| key < next), "{keys:?}");
    }

    #[test]
    fn unknown_key_is_refused() {
        assert_eq!(refusal("hubbub:inlinelimit", "5"), "config key `hubbub:inlinelimit` is unknown");
        assert_eq!(refusal("hubbub:", "5"), "config key `hubbub:` is unknown");
        assert_eq!(refusal("aws:allowedAccountIds", "[]"), "config key `aws:allowedAccountIds` is unknown");
    }

    #[test]
    fn configuration_must_be_an_object() {
        assert_eq!(Settings::read(Some("[]")), Err(SettingsError::NotJson));
    }

    #[test]
    fn weak_token_key_is_refused_and_not_shown() {
        for key in ["secret", "12345678901234567890123456789012345"] {
            let message = refusal("hubbub:tokenKey", key);
            assert!(message.contains("hubbub:tokenKey") && !message.contains(key), "{message}");
        }
        assert_eq!(read("hubbub:tokenKey", "0123456789abcdef0123456789abcdef"), Ok(Settings::default()));
    }

    #[test]
    fn address_loses_the_slash_at_its_end() {
        let settings = read("hubbub:awsEndpoint", "http://127.0.0.1:4566/").unwrap();
        assert_eq!(settings.aws_endpoint.as_deref(), Some("http://127.0.0.1:4566"));
    }
}
