//! Every key of the stack's configuration: what it means, what it may be, and what it is without being set.
//!
//! The errors and docs/settings.md, which `hubbub-infra --settings` prints, take their words from here.

use std::ops::RangeInclusive;

use hubbub_core::config::{Setting, TokenAlgorithm, settings};

use super::{SettingsError, values};

/// The key of the secret by which tokens are signed.
pub const TOKEN_KEY: &str = "tokenKey";

/// HS256 asks for a key as long as its hash (RFC 7518, section 3.2).
pub(super) const TOKEN_KEY_CHARACTERS: usize = 32;

/// The keys that are whole numbers for the functions, and which setting each is.
pub(super) const OF_FUNCTIONS: [(&str, Setting); 14] = [
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

/// A key that is a whole number for the deployment alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number {
    name: &'static str,
    range: RangeInclusive<u64>,
    pub(super) default: u64,
    meaning: &'static str,
}

impl Number {
    /// Reads its value.
    pub(super) fn read(&self, value: String) -> Result<u64, SettingsError> {
        values::whole_number(self.name, value, &self.range, self.meaning)
    }
}

pub(super) const DELIVER_TIMEOUT_SECONDS: Number = Number {
    name: "deliverTimeoutSeconds",
    range: 1..=120,
    default: 60,
    meaning: "seconds that `deliver` and `announce` may take with a batch; six times as long, a batch whose function was killed waits for the next try",
};
pub(super) const MEMORY_MB: Number = Number {
    name: "memoryMb",
    range: 128..=10_240,
    default: 256,
    meaning: "MB of memory of the functions that don't post to many: Lambda gives processor time by memory",
};
pub(super) const SENDER_MEMORY_MB: Number = Number {
    name: "senderMemoryMb",
    range: 128..=10_240,
    default: 1_769,
    meaning: "MB of memory of `deliver` and `deliver-page`; 1,769 is one whole core",
};
pub(super) const TOKEN_KEY_VERSION: Number = Number {
    name: "tokenKeyVersion",
    range: 1..=2_147_483_647,
    default: 1,
    meaning: "the token key's version, to be raised with every new key, or SSM keeps the old one",
};

/// A key that is no number, or one of a few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    name: &'static str,
    pub(super) default: &'static str,
    expected: &'static str,
    meaning: &'static str,
}

impl Key {
    const fn new(name: &'static str, default: &'static str, expected: &'static str, meaning: &'static str) -> Self {
        Self { name, default, expected, meaning }
    }

    const fn flag(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self::new(name, default, "`true` or `false`", meaning)
    }

    /// The error of a value that can't be used.
    pub(super) fn malformed(&self, value: String) -> SettingsError {
        SettingsError::Malformed { key: self.name, value, expected: self.expected }
    }
}

/// What CloudWatch keeps logs for.
pub(super) const ALLOWED_LOG_DAYS: [u64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1_096, 1_827, 2_192, 2_557, 2_922, 3_288, 3_653];

/// How long logs are kept where nobody says so.
pub(super) const DEFAULT_LOG_DAYS: u64 = 14;

/// For a key that is left out in most stacks.
const NONE: &str = "";

pub(super) const ACCESS_LOG: Key = Key::flag(
    "accessLog",
    "false",
    "API Gateway's log of each frame's route and how it ended, which takes an account-wide role first",
);
pub(super) const ALARM_EMAIL: Key =
    Key::new("alarmEmail", NONE, "an address such as `ops@example.com`", "who is told of alarms");
pub(super) const ARCHITECTURE: Key =
    Key::new("architecture", "arm64", "`arm64` or `x86_64`", "what the functions run on; their zips must be for it");
pub(super) const AWS_ENDPOINT: Key = Key::new(
    "awsEndpoint",
    NONE,
    "an address such as `http://127.0.0.1:4566`",
    "a local stack's address, and nothing on AWS",
);
pub(super) const CERTIFICATE_ARN: Key = Key::new(
    "certificateArn",
    NONE,
    "the ARN of a certificate in AWS Certificate Manager",
    "the domain's certificate, in the stack's Region",
);
pub(super) const DEFAULT_CAPABILITIES: Key = Key::new(
    "defaultCapabilities",
    "every verb but `admin`, anywhere",
    r#"an object of lists of patterns such as `{"join": ["lobby", "team-*"]}`"#,
    "what tokens grant that don't say",
);
pub(super) const DELETION_PROTECTION: Key = Key::flag(
    "deletionProtection",
    "false",
    "the table refuses to be deleted, and Pulumi to delete or replace the table, the queues and the API",
);
pub(super) const DOMAIN_NAME: Key = Key::new(
    "domainName",
    NONE,
    "a domain such as `chat.example.com`, in lower case",
    "where clients connect to, instead of API Gateway's own address",
);
pub(super) const HOSTED_ZONE_ID: Key = Key::new(
    "hostedZoneId",
    NONE,
    "the id of a zone such as `Z0123456789ABCDEFGHIJ`",
    "the zone in Route 53 that gets the domain's record; without one, point the domain at the output `domainTarget` yourself",
);
pub(super) const LOG_DAYS: Key = Key::new(
    "logDays",
    "14",
    "1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653",
    "days that logs are kept",
);
pub(super) const LOG_LEVEL: Key =
    Key::new("logLevel", "info", "a filter such as `info` or `info,hubbub_core=debug`", "what the functions log");
pub(super) const POINT_IN_TIME_RECOVERY: Key = Key::flag(
    "pointInTimeRecovery",
    "true",
    "the table can be restored as it was at any second of the last 35 days; it costs by the GB",
);
pub(super) const TOKEN_ALGORITHM: Key =
    Key::new("tokenAlgorithm", "HS256", TokenAlgorithm::EXPECTED, "the only algorithm by which tokens may be signed");
pub(super) const TOKEN_JWKS_URL: Key = Key::new(
    "tokenJwksUrl",
    NONE,
    "an address such as `https://example.com/.well-known/jwks.json`",
    "where the public keys are; for all algorithms but HS256, and only for them",
);
pub(super) const TRACING: Key =
    Key::flag("tracing", "false", "X-Ray traces the functions and the broadcasts; it costs by the trace");

/// Those whose every value is taken: an issuer and an audience may be anything; what a token key must be, its own error says.
const ANYTHING: [Key; 3] = [
    Key::new(
        TOKEN_KEY,
        NONE,
        "a secret of 32 characters or more",
        "the secret by which tokens are signed; for HS256, and only for it",
    ),
    Key::new("tokenIssuer", NONE, "any text", "who must have issued a token (`iss`)"),
    Key::new("tokenAudience", NONE, "any text", "whom a token must be for (`aud`)"),
];

/// A key, as the documentation has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Without its namespace.
    pub name: &'static str,
    /// Empty where it is left out in most stacks.
    pub default: String,
    /// What it may be.
    pub expected: String,
    /// What it does.
    pub meaning: &'static str,
}

/// All keys, by their names.
#[must_use]
pub fn all() -> Vec<Row> {
    let number = |name, range: &RangeInclusive<u64>, default: u64, meaning| Row {
        name,
        default: default.to_string(),
        expected: format!("a whole number from {} to {}", range.start(), range.end()),
        meaning,
    };
    let functions = OF_FUNCTIONS.map(|(name, setting)| number(name, &setting.range, setting.default, setting.meaning));
    let deployment = [DELIVER_TIMEOUT_SECONDS, MEMORY_MB, SENDER_MEMORY_MB, TOKEN_KEY_VERSION]
        .map(|Number { name, range, default, meaning }| number(name, &range, default, meaning));
    let texts = [
        ACCESS_LOG,
        ALARM_EMAIL,
        ARCHITECTURE,
        AWS_ENDPOINT,
        CERTIFICATE_ARN,
        DEFAULT_CAPABILITIES,
        DELETION_PROTECTION,
        DOMAIN_NAME,
        HOSTED_ZONE_ID,
        LOG_DAYS,
        LOG_LEVEL,
        POINT_IN_TIME_RECOVERY,
        TOKEN_ALGORITHM,
        TOKEN_JWKS_URL,
        TRACING,
    ];
    let texts = texts.into_iter().chain(ANYTHING).map(|Key { name, default, expected, meaning }| Row {
        name,
        default: default.to_owned(),
        expected: expected.to_owned(),
        meaning,
    });
    let mut rows: Vec<Row> = functions.into_iter().chain(deployment).chain(texts).collect();
    rows.sort();
    rows
}

/// The page for operators: docs/settings.md.
#[must_use]
pub fn page() -> String {
    let rows = all().into_iter().map(|Row { name, default, expected, meaning }| {
        let default = if default.is_empty() { "–".to_owned() } else { default };
        format!("| `{name}` | {meaning} | {expected} | {default} |\n")
    });
    let rows: String = rows.collect();
    format!("{PREFACE}{rows}")
}

const PREFACE: &str = "\
# Settings

What an operator may set, with `pulumi config set KEY VALUE` in [`pulumi/`](../pulumi). An unknown key, or a value that isn't allowed, stops the
preview with a sentence that names it. [`Pulumi.dev.yaml`](../pulumi/Pulumi.dev.yaml), [`Pulumi.prod.yaml`](../pulumi/Pulumi.prod.yaml) and
[`Pulumi.local.yaml`](../pulumi/Pulumi.local.yaml) are where to begin. Numbers for rooms that are to come, `hubbub plan` works out
([command-line.md](command-line.md)).

Beside these, `aws:region` and `aws:profile` say where to deploy and as whom.

The first to know is `callbackRps`: 8,000 is four fifths of the 10,000 requests a second that API Gateway allows most accounts in a Region. Set it
lower in Regions with 2,500 and where other APIs share the account, and higher when AWS has raised your quota. How many senders run at once, and
how fast, follows from it. `deliver-page` reserves concurrency of its own: 8 of the account's 1,000 by default. Accounts so new that they have
only 10 can't deploy it before AWS raises that.

This page is written by `cargo run -q -p hubbub-infra -- --settings > docs/settings.md`.

| key | what it is | may be | by default |
|---|---|---|---|
";
