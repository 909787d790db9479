//! What each function reads from its environment, and the ranges of the settings.
//!
//! A configuration is read once, at start, and a missing or bad value stops the start with its name. Defaults belong to the
//! Pulumi program, which sets every variable; a function has none. Reading takes a lookup, so that this module stays free of I/O.

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::names::env;
use crate::wire::capabilities::Capabilities;

/// A whole number that an operator may set: its name, its range and its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The environment variable.
    pub variable: &'static str,
    /// The smallest and the largest value.
    pub range: RangeInclusive<u64>,
    /// The value where the operator sets none.
    pub default: u64,
    /// What it is, for error messages and documentation, with its unit.
    pub meaning: &'static str,
}

/// The settings that are whole numbers.
pub mod settings {
    use super::{Setting, env};

    /// How long a message stays in the log.
    pub const RETENTION_SECONDS: Setting = Setting {
        variable: env::RETENTION_SECONDS,
        range: 60..=31_536_000,
        default: 604_800,
        meaning: "seconds that a message stays in its channel's log",
    };
    /// The largest body. A frame is metered in steps of 32 KiB, and the wrapper around a body needs some of it.
    pub const MAX_BODY_BYTES: Setting = Setting {
        variable: env::MAX_BODY_BYTES,
        range: 1..=24_576,
        default: 24_576,
        meaning: "bytes that a message's body has at most",
    };
    /// The most members that `deliver` posts to itself.
    pub const INLINE_LIMIT: Setting = Setting {
        variable: env::INLINE_LIMIT,
        range: 0..=10_000,
        default: 1_000,
        meaning: "members up to which a channel is delivered without the state machine",
    };
    /// Members for each shard, on average, before the shards double.
    pub const SHARD_MEMBERS: Setting = Setting {
        variable: env::SHARD_MEMBERS,
        range: 1..=100_000,
        default: 2_000,
        meaning: "members of a shard, on average, before the number of shards doubles",
    };
    /// Members for each page, about.
    pub const PAGE_MEMBERS: Setting = Setting {
        variable: env::PAGE_MEMBERS,
        range: 1..=100_000,
        default: 5_000,
        meaning: "members of a broadcast's page, about",
    };
    /// How long a lease lasts without being renewed; longer than a page may take with its retries.
    pub const LEASE_SECONDS: Setting = Setting {
        variable: env::LEASE_SECONDS,
        range: 1..=3_600,
        default: 300,
        meaning: "seconds that a broadcast holds its channel without renewing the lease",
    };
    /// Frames in a round.
    pub const ROUND_FRAMES: Setting = Setting {
        variable: env::ROUND_FRAMES,
        range: 1..=256,
        default: 16,
        meaning: "frames that a round delivers at most",
    };
    /// History events of an execution. Step Functions ends an execution at 25,000.
    pub const HISTORY_EVENTS: Setting = Setting {
        variable: env::HISTORY_EVENTS,
        range: 50..=20_000,
        default: 15_000,
        meaning: "history events after which a broadcast hands over to a fresh execution",
    };
    /// Posts a second, of all senders together. API Gateway allows most accounts 10,000 requests a second in a Region, these among them;
    /// a fifth is left to what comes in.
    pub const CALLBACK_RPS: Setting = Setting {
        variable: env::CALLBACK_RPS,
        range: 500..=1_000_000,
        default: 8_000,
        meaning: "posts to sockets a second, of the whole stack",
    };
    /// Posts under way at once.
    pub const POST_CONCURRENCY: Setting = Setting {
        variable: env::POST_CONCURRENCY,
        range: 1..=1_024,
        default: 128,
        meaning: "posts that a sender has under way at once",
    };
    /// The time that a post may take.
    pub const POST_TIMEOUT_MS: Setting = Setting {
        variable: env::POST_TIMEOUT_MS,
        range: 100..=29_000,
        default: 3_000,
        meaning: "milliseconds after which a post counts as failed",
    };

    /// How fast a user may publish.
    pub const USER_RATE: Setting = Setting {
        variable: env::USER_RATE,
        range: 1..=1_000,
        default: 20,
        meaning: "messages a second that a user may publish",
    };
    /// How many messages a user may publish at once.
    pub const USER_BURST: Setting = Setting {
        variable: env::USER_BURST,
        range: 1..=10_000,
        default: 40,
        meaning: "messages that a user may publish at once after a rest",
    };
    /// The rooms of a connection.
    pub const MAX_ROOMS: Setting = Setting {
        variable: env::MAX_ROOMS,
        range: 1..=10_000,
        default: 100,
        meaning: "rooms that a connection may be a member of",
    };

    /// All of them.
    pub const ALL: [Setting; 14] = [
        RETENTION_SECONDS,
        MAX_BODY_BYTES,
        INLINE_LIMIT,
        SHARD_MEMBERS,
        PAGE_MEMBERS,
        LEASE_SECONDS,
        ROUND_FRAMES,
        HISTORY_EVENTS,
        CALLBACK_RPS,
        POST_CONCURRENCY,
        POST_TIMEOUT_MS,
        USER_RATE,
        USER_BURST,
        MAX_ROOMS,
    ];
}

/// Why a function can't start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The variable isn't set, or is empty.
    #[error("environment variable `{0}` is missing")]
    Missing(&'static str),
    /// The variable isn't one of the values that are known, or has not their form.
    #[error("environment variable `{variable}` is `{value}`, which is not {expected}")]
    Malformed {
        /// The variable's name.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// The variable isn't a whole number in its range.
    #[error("environment variable `{variable}` is `{value}`, which is not a whole number from {min} to {max}")]
    OutOfRange {
        /// The variable's name.
        variable: &'static str,
        /// Its value.
        value: String,
        /// The smallest value allowed.
        min: u64,
        /// The largest value allowed.
        max: u64,
    },
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenAlgorithm {
    /// With a secret that the stack shares with whoever signs.
    #[default]
    Hs256,
    /// RSA with SHA-256, by public keys.
    Rs256,
    /// ECDSA on P-256 with SHA-256, by public keys.
    Es256,
    /// Ed25519, by public keys.
    EdDsa,
}

impl TokenAlgorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// Their names, for error messages.
    pub const EXPECTED: &'static str = "`HS256`, `RS256`, `ES256` or `EdDSA`";

    /// Its name in a token's header (RFC 7518, RFC 8037).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether the keys are public, and come from a JWKS.
    #[must_use]
    pub const fn has_public_keys(self) -> bool {
        !matches!(self, Self::Hs256)
    }
}

/// Reads values by a lookup from names to values.
struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

impl Reader<'_> {
    fn text(&self, variable: &'static str) -> Result<String, ConfigError> {
        (self.lookup)(variable).filter(|value| !value.is_empty()).ok_or(ConfigError::Missing(variable))
    }

    /// A text that may be empty, but must be set: what isn't set was forgotten.
    fn optional_text(&self, variable: &'static str) -> Result<Option<String>, ConfigError> {
        let value = (self.lookup)(variable).ok_or(ConfigError::Missing(variable))?;
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    fn algorithm(&self, variable: &'static str) -> Result<TokenAlgorithm, ConfigError> {
        let value = self.text(variable)?;
        let found = TokenAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == value);
        found.ok_or(ConfigError::Malformed { variable, value, expected: TokenAlgorithm::EXPECTED })
    }

    fn capabilities(&self, variable: &'static str) -> Result<Capabilities, ConfigError> {
        let value = self.text(variable)?;
        let expected = "an object of lists of patterns";
        Capabilities::parse(&value).map_err(|_| ConfigError::Malformed { variable, value, expected })
    }

    fn number(&self, setting: &Setting) -> Result<u64, ConfigError> {
        let value = self.text(setting.variable)?;
        value.parse().ok().filter(|number| setting.range.contains(number)).ok_or_else(|| ConfigError::OutOfRange {
            variable: setting.variable,
            value,
            min: *setting.range.start(),
            max: *setting.range.end(),
        })
    }
}

/// A function's configuration.
pub trait Config: Sized {
    /// The variables that [`Config::read`] asks for; the Pulumi program sets these and no others.
    const VARIABLES: &'static [&'static str];

    /// Reads the configuration.
    ///
    /// # Errors
    /// Names the first variable that is missing or bad.
    fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError>;
}

/// Declares a configuration: its fields, and how each is read.
macro_rules! config {
    (
        $(#[$meta:meta])* $name:ident {
            $( $(#[$field_meta:meta])* $field:ident: $kind:ident($source:expr), )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: config!(@type $kind), )*
        }

        impl Config for $name {
            const VARIABLES: &'static [&'static str] = &[$( config!(@variable $kind($source)) ),*];

            fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
                let reader = Reader { lookup };
                Ok(Self { $( $field: reader.$kind(config!(@argument $kind($source)))?, )* })
            }
        }
    };
    (@type text) => { String };
    (@type optional_text) => { Option<String> };
    (@type algorithm) => { TokenAlgorithm };
    (@type capabilities) => { Capabilities };
    (@type number) => { u64 };
    (@variable number($source:expr)) => { $source.variable };
    (@variable $kind:ident($source:expr)) => { $source };
    (@argument number($source:expr)) => { &$source };
    (@argument $kind:ident($source:expr)) => { $source };
}

config! {
    /// What `authorize` reads.
    AuthorizeConfig {
        /// The SSM parameter with the secret, for the algorithm that has one.
        token_key_parameter: optional_text(env::TOKEN_KEY_PARAMETER),
        /// The algorithm, the only one that is accepted.
        token_algorithm: algorithm(env::TOKEN_ALGORITHM),
        /// Where the public keys are, for the algorithms that have them.
        token_jwks_url: optional_text(env::TOKEN_JWKS_URL),
        /// Who must have issued the token.
        token_issuer: optional_text(env::TOKEN_ISSUER),
        /// Whom the token must be for.
        token_audience: optional_text(env::TOKEN_AUDIENCE),
        /// What tokens grant that say nothing of it.
        default_capabilities: capabilities(env::DEFAULT_CAPABILITIES),
    }
}

config! {
    /// What `connect` reads.
    ConnectConfig {
        /// The table's name.
        table: text(env::TABLE),
        /// Members for each shard before the shards double.
        shard_members: number(settings::SHARD_MEMBERS),
    }
}

config! {
    /// What `disconnect` reads.
    DisconnectConfig {
        /// The stack's name, for metrics.
        stack: text(env::STACK),
        /// The table's name.
        table: text(env::TABLE),
        /// Where announcements of who comes and goes are asked for.
        presence_queue_url: text(env::PRESENCE_QUEUE_URL),
    }
}

config! {
    /// What `receive` reads.
    ReceiveConfig {
        /// The stack's name, for metrics.
        stack: text(env::STACK),
        /// The table's name.
        table: text(env::TABLE),
        /// Where announcements of who comes and goes are asked for.
        presence_queue_url: text(env::PRESENCE_QUEUE_URL),
        /// Where messages are put.
        publish_queue_url: text(env::PUBLISH_QUEUE_URL),
        /// Where signals are posted, and sockets closed.
        callback_url: text(env::CALLBACK_URL),
        /// Posts a second, of the whole stack.
        callback_rps: number(settings::CALLBACK_RPS),
        /// Posts under way at once.
        post_concurrency: number(settings::POST_CONCURRENCY),
        /// The time that a post may take, in milliseconds.
        post_timeout_ms: number(settings::POST_TIMEOUT_MS),
        /// The largest body, in bytes.
        max_body_bytes: number(settings::MAX_BODY_BYTES),
        /// Members for each shard before the shards double.
        shard_members: number(settings::SHARD_MEMBERS),
        /// Messages a second that a user may publish.
        user_rate: number(settings::USER_RATE),
        /// Messages that a user may publish at once after a rest.
        user_burst: number(settings::USER_BURST),
        /// Rooms that a connection may be a member of.
        max_rooms: number(settings::MAX_ROOMS),
    }
}

config! {
    /// What `deliver` reads.
    DeliverConfig {
        /// The stack's name, for metrics.
        stack: text(env::STACK),
        /// The table's name.
        table: text(env::TABLE),
        /// Where announcements of who comes and goes are asked for.
        presence_queue_url: text(env::PRESENCE_QUEUE_URL),
        /// Where posts go.
        callback_url: text(env::CALLBACK_URL),
        /// The broadcast state machine.
        state_machine_arn: text(env::STATE_MACHINE_ARN),
        /// Where messages go that can't be delivered.
        dead_letter_queue_url: text(env::DEAD_LETTER_QUEUE_URL),
        /// The largest body, in bytes.
        max_body_bytes: number(settings::MAX_BODY_BYTES),
        /// How long a message is kept, in seconds.
        retention_seconds: number(settings::RETENTION_SECONDS),
        /// The most members that are posted to without the state machine.
        inline_limit: number(settings::INLINE_LIMIT),
        /// How long a lease lasts, in seconds.
        lease_seconds: number(settings::LEASE_SECONDS),
        /// Posts a second, of the whole stack.
        callback_rps: number(settings::CALLBACK_RPS),
        /// Posts under way at once.
        post_concurrency: number(settings::POST_CONCURRENCY),
        /// The time that a post may take, in milliseconds.
        post_timeout_ms: number(settings::POST_TIMEOUT_MS),
    }
}

config! {
    /// What `plan-broadcast` reads.
    PlanBroadcastConfig {
        /// The stack's name, for metrics.
        stack: text(env::STACK),
        /// The table's name.
        table: text(env::TABLE),
        /// Where receipts are posted.
        callback_url: text(env::CALLBACK_URL),
        /// The broadcast state machine, for the handover to a fresh execution.
        state_machine_arn: text(env::STATE_MACHINE_ARN),
        /// Members for each page, about.
        page_members: number(settings::PAGE_MEMBERS),
        /// How long a lease lasts, in seconds.
        lease_seconds: number(settings::LEASE_SECONDS),
        /// Frames in a round.
        round_frames: number(settings::ROUND_FRAMES),
        /// History events after which a fresh execution takes over.
        history_events: number(settings::HISTORY_EVENTS),
        /// How long a receipt is kept, in seconds: as long as its message.
        retention_seconds: number(settings::RETENTION_SECONDS),
        /// Posts a second, of the whole stack.
        callback_rps: number(settings::CALLBACK_RPS),
        /// Posts under way at once.
        post_concurrency: number(settings::POST_CONCURRENCY),
        /// The time that a post may take, in milliseconds.
        post_timeout_ms: number(settings::POST_TIMEOUT_MS),
    }
}

config! {
    /// What `deliver-page` reads.
    DeliverPageConfig {
        /// The stack's name, for metrics.
        stack: text(env::STACK),
        /// The table's name.
        table: text(env::TABLE),
        /// Where announcements of who comes and goes are asked for.
        presence_queue_url: text(env::PRESENCE_QUEUE_URL),
        /// How long a lease lasts, in seconds.
        lease_seconds: number(settings::LEASE_SECONDS),
        /// Where posts go.
        callback_url: text(env::CALLBACK_URL),
        /// Posts a second, of the whole stack.
        callback_rps: number(settings::CALLBACK_RPS),
        /// Posts under way at once.
        post_concurrency: number(settings::POST_CONCURRENCY),
        /// The time that a post may take, in milliseconds.
        post_timeout_ms: number(settings::POST_TIMEOUT_MS),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn read_all<C: Config>() {
        let asked = RefCell::new(Vec::new());
        let lookup = |name: &str| {
            asked.borrow_mut().push(name.to_owned());
            let setting = settings::ALL.into_iter().find(|setting| setting.variable == name);
            Some(match name {
                env::TOKEN_ALGORITHM => "HS256".to_owned(),
                env::DEFAULT_CAPABILITIES => "{}".to_owned(),
                _ => setting.map_or("text".to_owned(), |setting| setting.default.to_string()),
            })
        };
        assert!(C::read(&lookup).is_ok());
        assert_eq!(asked.into_inner(), C::VARIABLES);
    }

    #[test]
    fn a_function_reads_its_listed_variables_and_accepts_the_defaults() {
        read_all::<AuthorizeConfig>();
        read_all::<ConnectConfig>();
        read_all::<DisconnectConfig>();
        read_all::<ReceiveConfig>();
        read_all::<DeliverConfig>();
        read_all::<PlanBroadcastConfig>();
        read_all::<DeliverPageConfig>();
    }

    #[test]
    fn a_missing_variable_stops_the_start_with_its_name() {
        let error = DisconnectConfig::read(&|_| None).unwrap_err();
        assert_eq!(error.to_string(), "environment variable `HUBBUB_STACK` is missing");
        assert!(DisconnectConfig::read(&|_| Some(String::new())).is_err());
    }

    #[test]
    fn a_number_out_of_range_stops_the_start_with_its_name_and_range() {
        let error = ConnectConfig::read(&|_| Some("0".to_owned())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variable `HUBBUB_SHARD_MEMBERS` is `0`, which is not a whole number from 1 to 100000"
        );
    }

    #[test]
    fn defaults_lie_in_their_ranges() {
        for setting in settings::ALL {
            assert!(setting.range.contains(&setting.default), "{}", setting.variable);
        }
    }
}
