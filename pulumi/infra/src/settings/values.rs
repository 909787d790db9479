//! How the values of the keys are read.

use std::ops::RangeInclusive;

use hubbub_core::capability::Capabilities;
use hubbub_core::config::TokenAlgorithm;

use super::keys::{self, Key};
use super::{Architecture, Domain, SettingsError};

/// The keys that make a domain together, as far as they have been read.
#[derive(Debug, Default)]
pub(super) struct DomainKeys {
    pub(super) name: Option<String>,
    pub(super) certificate_arn: Option<String>,
    pub(super) hosted_zone_id: Option<String>,
}

impl DomainKeys {
    /// The domain, if the stack has one.
    pub(super) fn whole(self) -> Result<Option<Domain>, SettingsError> {
        match (self.name, self.certificate_arn) {
            (Some(name), Some(certificate_arn)) => {
                Ok(Some(Domain { name, certificate_arn, hosted_zone_id: self.hosted_zone_id }))
            }
            (None, None) if self.hosted_zone_id.is_some() => Err(SettingsError::ZoneWithoutDomain),
            (None, None) => Ok(None),
            _ => Err(SettingsError::HalfADomain),
        }
    }
}

/// A whole number in its range.
pub(super) fn whole_number(
    key: &'static str,
    value: String,
    range: &RangeInclusive<u64>,
    meaning: &'static str,
) -> Result<u64, SettingsError> {
    whole(&value).filter(|number| range.contains(number)).ok_or_else(|| SettingsError::OutOfRange {
        key,
        value,
        min: *range.start(),
        max: *range.end(),
        meaning,
    })
}

/// Pulumi may have made a float of a whole number, which is taken if it is whole.
fn whole(value: &str) -> Option<u64> {
    // Printed without a fraction, a float below 2^53 is exact; everything that a setting allows is.
    let float = || format!("{}", value.parse::<f64>().ok()?).parse().ok();
    value.parse().ok().or_else(float)
}

pub(super) fn log_level(value: String) -> Result<String, SettingsError> {
    let is_filter = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "_-:=,".contains(c));
    if is_filter { Ok(value) } else { Err(keys::LOG_LEVEL.malformed(value)) }
}

pub(super) fn flag(key: &Key, value: String) -> Result<bool, SettingsError> {
    value.parse().map_err(|_| key.malformed(value))
}

pub(super) fn architecture(value: String) -> Result<Architecture, SettingsError> {
    Architecture::ALL
        .into_iter()
        .find(|architecture| architecture.name() == value)
        .ok_or_else(|| keys::ARCHITECTURE.malformed(value))
}

pub(super) fn token_algorithm(value: String) -> Result<TokenAlgorithm, SettingsError> {
    let found = TokenAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == value);
    found.ok_or_else(|| keys::TOKEN_ALGORITHM.malformed(value))
}

pub(super) fn jwks_url(value: String) -> Result<String, SettingsError> {
    let is_url = value.strip_prefix("https://").is_some_and(|rest| {
        !rest.is_empty() && rest.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c))
    });
    if is_url { Ok(value) } else { Err(keys::TOKEN_JWKS_URL.malformed(value)) }
}

pub(super) fn default_capabilities(value: String) -> Result<String, SettingsError> {
    match Capabilities::parse(&value) {
        // Written anew, so that the same capabilities are the same program.
        Ok(capabilities) => Ok(serde_json::json!(capabilities).to_string()),
        Err(_) => Err(keys::DEFAULT_CAPABILITIES.malformed(value)),
    }
}

/// Whether there is such an address, only its owner's answer to SNS's first e-mail can tell.
pub(super) fn alarm_email(value: String) -> Result<String, SettingsError> {
    let is_address = value.split_once('@').is_some_and(|(name, domain)| {
        let is_part = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#%&'*+-/=?^_`{|}~.".contains(c))
        };
        is_part(name) && is_part(domain) && domain.contains('.')
    });
    if is_address { Ok(value) } else { Err(keys::ALARM_EMAIL.malformed(value)) }
}

pub(super) fn aws_endpoint(value: String) -> Result<String, SettingsError> {
    let address = value.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let is_plain = |address: &str| {
        !address.is_empty() && address.chars().all(|c| c.is_ascii_alphanumeric() || "-.:[]".contains(c))
    };
    match address.filter(|address| is_plain(address)) {
        Some(address) => Ok(format!("http://{address}")),
        None => Err(keys::AWS_ENDPOINT.malformed(value)),
    }
}

pub(super) fn check_token_key(value: &str) -> Result<(), SettingsError> {
    let is_weak = value.chars().count() < keys::TOKEN_KEY_CHARACTERS || value.parse::<f64>().is_ok();
    if is_weak { Err(SettingsError::WeakTokenKey) } else { Ok(()) }
}

/// CloudWatch keeps logs for one of these times.
pub(super) fn log_days(value: String) -> Result<u64, SettingsError> {
    let days = whole(&value).filter(|days| keys::ALLOWED_LOG_DAYS.contains(days));
    days.ok_or_else(|| keys::LOG_DAYS.malformed(value))
}

pub(super) fn domain_name(value: String) -> Result<String, SettingsError> {
    let is_label = |label: &str| {
        let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if value.len() <= 253 && value.contains('.') && value.split('.').all(is_label) {
        Ok(value)
    } else {
        Err(keys::DOMAIN_NAME.malformed(value))
    }
}

pub(super) fn certificate_arn(value: String) -> Result<String, SettingsError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_:/".contains(c);
    let is_arn = value.starts_with("arn:aws") && value.contains(":acm:") && value.contains(":certificate/");
    if is_arn && value.chars().all(is_plain) { Ok(value) } else { Err(keys::CERTIFICATE_ARN.malformed(value)) }
}

pub(super) fn hosted_zone_id(value: String) -> Result<String, SettingsError> {
    let is_id = value.starts_with('Z') && value.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if is_id { Ok(value) } else { Err(keys::HOSTED_ZONE_ID.malformed(value)) }
}
