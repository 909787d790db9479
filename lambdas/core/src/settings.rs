//! The settings: one table of what an operator may set and a function reads, and which function reads what.
//!
//! A row has a setting's key in the stack's configuration, its environment variable, its range and its default. The functions' readers, the
//! keys of the Pulumi program, `docs/settings.md` and `pulumi/stack.json` come from here. Settings that no function reads have a table of the
//! same form in the Pulumi program (`pulumi/infra/src/settings/table.rs`).
//!
//! A function reads its configuration once, at start, and a missing or bad value stops the start with its name. Defaults belong to the
//! program, which sets every variable; a function has none. Reading takes a lookup, so that this module stays free of I/O.

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::wire::capabilities::Capabilities;

/// A setting, or another variable of the functions.
pub trait Setting {
    /// What the table says of it.
    fn row(&self) -> Row;

    /// Whether it may have this text as its value.
    fn allows(&self, text: &str) -> bool;
}

/// A setting whose kind is known.
pub trait Typed: Setting {
    /// What its text is read as.
    type Value;

    /// Its value, or nothing for a text that isn't allowed.
    fn parse(&self, text: &str) -> Option<Self::Value>;
}

/// What the table says of a setting, whatever its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key in the stack's configuration; empty where only the program sets the variable.
    pub key: &'static str,
    /// The environment variable; empty where no function reads the setting.
    pub variable: &'static str,
    /// A phrase for documentation and error messages, with the unit.
    pub meaning: &'static str,
    /// The allowed values, as a phrase after "is not".
    pub allowed: String,
    /// The range of a whole number.
    pub range: Option<RangeInclusive<u64>>,
    /// The value where the operator sets none; empty for a setting that most stacks leave out.
    pub default: String,
}

/// A setting that is a whole number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// See [`Row::key`].
    pub key: &'static str,
    /// See [`Row::variable`].
    pub variable: &'static str,
    /// The smallest and the largest value.
    pub range: RangeInclusive<u64>,
    /// The value where the operator sets none.
    pub default: u64,
    /// See [`Row::meaning`].
    pub meaning: &'static str,
}

impl Setting for Number {
    fn row(&self) -> Row {
        let Self { key, variable, range, default, meaning } = self;
        Row {
            key,
            variable,
            meaning,
            allowed: format!("a whole number from {} to {}", range.start(), range.end()),
            range: Some(range.clone()),
            default: default.to_string(),
        }
    }

    fn allows(&self, text: &str) -> bool {
        self.parse(text).is_some()
    }
}

impl Typed for Number {
    type Value = u64;

    fn parse(&self, text: &str) -> Option<u64> {
        text.parse().ok().filter(|number| self.range.contains(number))
    }
}

/// A setting that is a word, an address, or another text of a certain form.
#[derive(Clone, Debug)]
pub struct Text<T> {
    /// See [`Row::key`].
    pub key: &'static str,
    /// See [`Row::variable`].
    pub variable: &'static str,
    /// See [`Row::allowed`].
    pub allowed: &'static str,
    /// See [`Row::default`].
    pub default: &'static str,
    /// Reads a text of the form.
    pub parse: fn(&str) -> Option<T>,
    /// See [`Row::meaning`].
    pub meaning: &'static str,
}

impl<T> Setting for Text<T> {
    fn row(&self) -> Row {
        let Self { key, variable, allowed, default, parse: _, meaning } = self;
        Row { key, variable, meaning, allowed: (*allowed).to_owned(), range: None, default: (*default).to_owned() }
    }

    fn allows(&self, text: &str) -> bool {
        self.parse(text).is_some()
    }
}

impl<T> Typed for Text<T> {
    type Value = T;

    fn parse(&self, text: &str) -> Option<T> {
        (self.parse)(text)
    }
}

/// A variable that the program fills with the name or the address of a resource: no operator sets it.
#[derive(Clone, Debug)]
pub struct OfStack<T> {
    /// See [`Row::variable`].
    pub variable: &'static str,
    /// Reads the name or the address.
    pub parse: fn(&str) -> Option<T>,
    /// See [`Row::meaning`].
    pub meaning: &'static str,
}

impl<T> Setting for OfStack<T> {
    fn row(&self) -> Row {
        let Self { variable, parse: _, meaning } = self;
        let allowed = "the name or the address of a resource".to_owned();
        Row { key: "", variable, meaning, allowed, range: None, default: String::new() }
    }

    fn allows(&self, text: &str) -> bool {
        self.parse(text).is_some()
    }
}

impl<T> Typed for OfStack<T> {
    type Value = T;

    fn parse(&self, text: &str) -> Option<T> {
        (self.parse)(text)
    }
}

/// Declares the table: a constant for each row, whose documentation is its meaning; `ALL`, with all rows in their order; and the variables'
/// names as constants in [`env`].
macro_rules! table {
    ($( $meaning:literal $(#[$meta:meta])* $name:ident: $kind:ident$(<$value:ty>)? { $($field:tt)* } )*) => {
        $(
            #[doc = concat!("Setting: ", $meaning, ".")]
            ///
            $(#[$meta])*
            pub const $name: $kind$(<$value>)? = $kind { meaning: $meaning, $($field)* };
        )*

        /// All rows.
        pub const ALL: &[&dyn Setting] = &[$( &$name ),*];

        /// The names of the functions' environment variables.
        pub mod env {
            $(
                #[doc = concat!("Variable: ", $meaning, ".")]
                pub const $name: &str = super::$name.variable;
            )*
        }

    };
}

table! {
    "the stack's name, for metrics"
    STACK: OfStack<String> { variable: "HUBBUB_STACK", parse: any_text }

    "the DynamoDB table's name"
    TABLE: OfStack<String> { variable: "HUBBUB_TABLE", parse: any_text }

    "the publish queue's URL"
    PUBLISH_QUEUE_URL: OfStack<String> { variable: "HUBBUB_PUBLISH_QUEUE_URL", parse: any_text }

    "the URL of the queue on which presence announcements are asked for"
    PRESENCE_QUEUE_URL: OfStack<String> { variable: "HUBBUB_PRESENCE_QUEUE_URL", parse: any_text }

    "the dead-letter queue's URL"
    DEAD_LETTER_QUEUE_URL: OfStack<String> { variable: "HUBBUB_DEAD_LETTER_QUEUE_URL", parse: any_text }

    "the broadcast state machine's ARN"
    STATE_MACHINE_ARN: OfStack<String> { variable: "HUBBUB_STATE_MACHINE_ARN", parse: any_text }

    "the stage's URL for posts to connections, without `/@connections`"
    CALLBACK_URL: OfStack<String> { variable: "HUBBUB_CALLBACK_URL", parse: any_text }

    "the SSM parameter with the token key; empty where tokens are signed with public keys"
    TOKEN_KEY_PARAMETER: OfStack<Option<String>> { variable: "HUBBUB_TOKEN_KEY_PARAMETER", parse: optional_text }

    "the only algorithm by which tokens may be signed"
    TOKEN_ALGORITHM: Text<TokenAlgorithm> {
        key: "tokenAlgorithm", variable: "HUBBUB_TOKEN_ALGORITHM", default: "HS256",
        allowed: TokenAlgorithm::NAMES, parse: TokenAlgorithm::parse,
    }

    "the address of the public keys; for all algorithms but HS256, and only for them"
    TOKEN_JWKS_URL: Text<Option<String>> {
        key: "tokenJwksUrl", variable: "HUBBUB_TOKEN_JWKS_URL", default: "",
        allowed: "an address such as `https://example.com/.well-known/jwks.json`", parse: https_url,
    }

    "the issuer that a token must have (`iss`); left out, any issuer is accepted"
    TOKEN_ISSUER: Text<Option<String>> {
        key: "tokenIssuer", variable: "HUBBUB_TOKEN_ISSUER", default: "", allowed: "any text", parse: optional_text,
    }

    "the audience that a token must have (`aud`); left out, any audience is accepted"
    TOKEN_AUDIENCE: Text<Option<String>> {
        key: "tokenAudience", variable: "HUBBUB_TOKEN_AUDIENCE", default: "", allowed: "any text", parse: optional_text,
    }

    "the capabilities of a token that names none; by default everything but `admin`"
    DEFAULT_CAPABILITIES: Text<Capabilities> {
        key: "defaultCapabilities", variable: "HUBBUB_DEFAULT_CAPABILITIES",
        default: r#"{"direct":["*"],"history":["*"],"join":["*"],"publish":["*"],"who":["*"]}"#,
        allowed: r#"an object of lists of patterns such as `{"join": ["lobby", "team-*"]}`"#, parse: capabilities,
    }

    "what the functions log"
    LOG: Text<String> {
        key: "logLevel", variable: "HUBBUB_LOG", default: "info",
        allowed: "a filter such as `info` or `info,hubbub_core=debug`", parse: log_filter,
    }

    "seconds that a message stays in its channel's log"
    RETENTION_SECONDS: Number {
        key: "retentionSeconds", variable: "HUBBUB_RETENTION_SECONDS", range: 60..=31_536_000, default: 604_800,
    }

    "the largest body of a message, in bytes"
    /// API Gateway meters a frame in steps of 32 KiB, and the fields around a body need some of it.
    MAX_BODY_BYTES: Number {
        key: "maxBodyBytes", variable: "HUBBUB_MAX_BODY_BYTES", range: 1..=24_576, default: 24_576,
    }

    "members up to which a channel is delivered without the state machine"
    INLINE_LIMIT: Number { key: "inlineLimit", variable: "HUBBUB_INLINE_LIMIT", range: 0..=10_000, default: 1_000 }

    "members of a shard, on average, before the number of shards doubles"
    SHARD_MEMBERS: Number { key: "shardMembers", variable: "HUBBUB_SHARD_MEMBERS", range: 1..=100_000, default: 2_000 }

    "members of a broadcast's page, about"
    PAGE_MEMBERS: Number { key: "pageMembers", variable: "HUBBUB_PAGE_MEMBERS", range: 1..=100_000, default: 5_000 }

    "seconds that a broadcast holds its channel's lease without renewing it"
    /// It must be longer than a page may take with its retries.
    LEASE_SECONDS: Number { key: "leaseSeconds", variable: "HUBBUB_LEASE_SECONDS", range: 1..=3_600, default: 300 }

    "the most frames that a round of a broadcast delivers"
    ROUND_FRAMES: Number { key: "roundFrames", variable: "HUBBUB_ROUND_FRAMES", range: 1..=256, default: 16 }

    "history events after which a broadcast hands over to a fresh execution"
    /// Step Functions ends an execution at 25,000.
    HISTORY_EVENTS: Number {
        key: "historyEvents", variable: "HUBBUB_HISTORY_EVENTS", range: 50..=20_000, default: 15_000,
    }

    "posts to connections a second, of the whole stack"
    /// API Gateway allows most accounts 10,000 requests a second in a Region, these among them; a fifth is left to what comes in.
    CALLBACK_RPS: Number {
        key: "callbackRps", variable: "HUBBUB_CALLBACK_RPS", range: 500..=1_000_000, default: 8_000,
    }

    "posts that one function has under way at once"
    POST_CONCURRENCY: Number {
        key: "postConcurrency", variable: "HUBBUB_POST_CONCURRENCY", range: 1..=1_024, default: 128,
    }

    "milliseconds after which a post counts as failed"
    POST_TIMEOUT_MS: Number {
        key: "postTimeoutMs", variable: "HUBBUB_POST_TIMEOUT_MS", range: 100..=29_000, default: 3_000,
    }

    "messages a second that a user may publish"
    USER_RATE: Number { key: "userRate", variable: "HUBBUB_USER_RATE", range: 1..=1_000, default: 20 }

    "messages that a user may publish at once after a rest"
    USER_BURST: Number { key: "userBurst", variable: "HUBBUB_USER_BURST", range: 1..=10_000, default: 40 }

    "rooms that a connection may be a member of"
    MAX_ROOMS: Number { key: "maxRooms", variable: "HUBBUB_MAX_ROOMS", range: 1..=10_000, default: 100 }
}

fn any_text(text: &str) -> Option<String> {
    optional_text(text)?
}

/// An empty text says that there is none.
#[expect(clippy::unnecessary_wraps, reason = "the form of a row's `parse`")]
fn optional_text(text: &str) -> Option<Option<String>> {
    Some(Some(text).filter(|text| !text.is_empty()).map(str::to_owned))
}

fn https_url(text: &str) -> Option<Option<String>> {
    let is_url =
        |rest: &str| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c));
    if text.is_empty() || text.strip_prefix("https://").is_some_and(is_url) { optional_text(text) } else { None }
}

fn capabilities(text: &str) -> Option<Capabilities> {
    Capabilities::parse(text).ok()
}

fn log_filter(text: &str) -> Option<String> {
    any_text(text).filter(|text| text.chars().all(|c| c.is_ascii_alphanumeric() || "_-:=,".contains(c)))
}

/// Why a function can't start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The variable isn't set, or is empty.
    #[error("environment variable `{0}` is missing")]
    Missing(&'static str),
    /// The variable has a value that isn't allowed.
    #[error("environment variable `{variable}` is `{value}`, which is not {allowed}")]
    NotAllowed {
        /// The variable's name.
        variable: &'static str,
        /// Its value.
        value: String,
        /// See [`Row::allowed`].
        allowed: String,
    },
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenAlgorithm {
    /// With a secret that the stack shares with those who sign.
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
    /// All algorithms.
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    const NAMES: &'static str = "`HS256`, `RS256`, `ES256` or `EdDSA`";

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

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

fn read<S: Typed>(setting: &S, lookup: &dyn Fn(&str) -> Option<String>) -> Result<S::Value, ConfigError> {
    let Row { variable, allowed, .. } = setting.row();
    let value = lookup(variable).ok_or(ConfigError::Missing(variable))?;
    match setting.parse(&value) {
        Some(value) => Ok(value),
        None if value.is_empty() => Err(ConfigError::Missing(variable)),
        None => Err(ConfigError::NotAllowed { variable, value, allowed }),
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

/// Declares a configuration: its fields, and the row of the table that each comes from.
macro_rules! config {
    ($(#[$meta:meta])* $name:ident { $( $field:ident: $value:ty = $row:ident, )* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $( #[doc = concat!("See [`", stringify!($row), "`].")] pub $field: $value, )*
        }

        impl Config for $name {
            const VARIABLES: &'static [&'static str] = &[$( $row.variable ),*];

            fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
                Ok(Self { $( $field: read(&$row, lookup)?, )* })
            }
        }
    };
}

config! {
    /// What `authorize` reads.
    AuthorizeConfig {
        token_key_parameter: Option<String> = TOKEN_KEY_PARAMETER,
        token_algorithm: TokenAlgorithm = TOKEN_ALGORITHM,
        token_jwks_url: Option<String> = TOKEN_JWKS_URL,
        token_issuer: Option<String> = TOKEN_ISSUER,
        token_audience: Option<String> = TOKEN_AUDIENCE,
        default_capabilities: Capabilities = DEFAULT_CAPABILITIES,
    }
}

config! {
    /// What `connect` reads.
    ConnectConfig {
        table: String = TABLE,
        shard_members: u64 = SHARD_MEMBERS,
    }
}

config! {
    /// What `disconnect` reads.
    DisconnectConfig {
        stack: String = STACK,
        table: String = TABLE,
        presence_queue_url: String = PRESENCE_QUEUE_URL,
    }
}

config! {
    /// What `receive` reads.
    ReceiveConfig {
        stack: String = STACK,
        table: String = TABLE,
        presence_queue_url: String = PRESENCE_QUEUE_URL,
        publish_queue_url: String = PUBLISH_QUEUE_URL,
        callback_url: String = CALLBACK_URL,
        callback_rps: u64 = CALLBACK_RPS,
        post_concurrency: u64 = POST_CONCURRENCY,
        post_timeout_ms: u64 = POST_TIMEOUT_MS,
        max_body_bytes: u64 = MAX_BODY_BYTES,
        shard_members: u64 = SHARD_MEMBERS,
        user_rate: u64 = USER_RATE,
        user_burst: u64 = USER_BURST,
        max_rooms: u64 = MAX_ROOMS,
    }
}

config! {
    /// What `deliver` reads.
    DeliverConfig {
        stack: String = STACK,
        table: String = TABLE,
        presence_queue_url: String = PRESENCE_QUEUE_URL,
        callback_url: String = CALLBACK_URL,
        state_machine_arn: String = STATE_MACHINE_ARN,
        dead_letter_queue_url: String = DEAD_LETTER_QUEUE_URL,
        max_body_bytes: u64 = MAX_BODY_BYTES,
        retention_seconds: u64 = RETENTION_SECONDS,
        inline_limit: u64 = INLINE_LIMIT,
        lease_seconds: u64 = LEASE_SECONDS,
        callback_rps: u64 = CALLBACK_RPS,
        post_concurrency: u64 = POST_CONCURRENCY,
        post_timeout_ms: u64 = POST_TIMEOUT_MS,
    }
}

config! {
    /// What `announce` reads.
    AnnounceConfig {
        stack: String = STACK,
        table: String = TABLE,
        presence_queue_url: String = PRESENCE_QUEUE_URL,
        callback_url: String = CALLBACK_URL,
        callback_rps: u64 = CALLBACK_RPS,
        post_concurrency: u64 = POST_CONCURRENCY,
        post_timeout_ms: u64 = POST_TIMEOUT_MS,
    }
}

config! {
    /// What `plan-broadcast` reads.
    PlanBroadcastConfig {
        stack: String = STACK,
        table: String = TABLE,
        callback_url: String = CALLBACK_URL,
        state_machine_arn: String = STATE_MACHINE_ARN,
        page_members: u64 = PAGE_MEMBERS,
        lease_seconds: u64 = LEASE_SECONDS,
        round_frames: u64 = ROUND_FRAMES,
        history_events: u64 = HISTORY_EVENTS,
        retention_seconds: u64 = RETENTION_SECONDS,
        callback_rps: u64 = CALLBACK_RPS,
        post_concurrency: u64 = POST_CONCURRENCY,
        post_timeout_ms: u64 = POST_TIMEOUT_MS,
    }
}

config! {
    /// What `deliver-page` reads.
    DeliverPageConfig {
        stack: String = STACK,
        table: String = TABLE,
        presence_queue_url: String = PRESENCE_QUEUE_URL,
        lease_seconds: u64 = LEASE_SECONDS,
        callback_url: String = CALLBACK_URL,
        callback_rps: u64 = CALLBACK_RPS,
        post_concurrency: u64 = POST_CONCURRENCY,
        post_timeout_ms: u64 = POST_TIMEOUT_MS,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;

    fn read_all<C: Config>() {
        let asked = RefCell::new(Vec::new());
        let lookup = |name: &str| {
            asked.borrow_mut().push(name.to_owned());
            let row = ALL.iter().map(|setting| setting.row()).find(|row| row.variable == name).unwrap();
            Some(if row.key.is_empty() { "name".to_owned() } else { row.default })
        };
        assert!(C::read(&lookup).is_ok());
        assert_eq!(asked.into_inner(), C::VARIABLES);
    }

    #[test]
    fn function_reads_its_variables_and_takes_the_defaults() {
        read_all::<AuthorizeConfig>();
        read_all::<ConnectConfig>();
        read_all::<DisconnectConfig>();
        read_all::<ReceiveConfig>();
        read_all::<DeliverConfig>();
        read_all::<AnnounceConfig>();
        read_all::<PlanBroadcastConfig>();
        read_all::<DeliverPageConfig>();
    }

    #[test]
    fn missing_variable_is_named() {
        let error = DisconnectConfig::read(&|_| None).unwrap_err();
        assert_eq!(error.to_string(), "environment variable `HUBBUB_STACK` is missing");
        assert_eq!(DisconnectConfig::read(&|_| Some(String::new())).unwrap_err(), error);
    }

    #[test]
    fn bad_number_is_named_with_its_range() {
        let error = ConnectConfig::read(&|_| Some("0".to_owned())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variable `HUBBUB_SHARD_MEMBERS` is `0`, which is not a whole number from 1 to 100000"
        );
    }

    #[test]
    fn defaults_are_allowed() {
        for setting in ALL {
            let row = setting.row();
            assert!(row.key.is_empty() || setting.allows(&row.default), "{row:?}");
        }
        assert_eq!(DEFAULT_CAPABILITIES.parse(DEFAULT_CAPABILITIES.default), Some(Capabilities::of_a_member()));
    }

    #[test]
    fn no_key_and_no_variable_is_given_twice() {
        let (mut keys, mut variables) = (BTreeSet::new(), BTreeSet::new());
        for row in ALL.iter().map(|setting| setting.row()) {
            assert!(row.key.is_empty() || keys.insert(row.key), "{}", row.key);
            assert!(variables.insert(row.variable) && row.variable.starts_with("HUBBUB_"), "{}", row.variable);
        }
    }
}
