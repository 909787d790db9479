//! The settings that only the program reads. Those of the functions are in `hubbub_core::settings`.

use hubbub_core::settings::{Number, Setting, Text, Typed};

use super::Architecture;

/// For settings that no function reads.
const NONE: &str = "";

/// An optional setting's value.
type Optional = Option<String>;

super::program_settings! {
    "API Gateway's log of each frame's route and how it ended; it needs a role for the whole account first"
    access_log: bool = Text { key: "accessLog", variable: NONE, default: "false", allowed: FLAG, parse: flag }

    "the address that is told of alarms"
    alarm_email: Optional = Text {
        key: "alarmEmail", variable: NONE, default: "", allowed: "an address such as `ops@example.com`", parse: email,
    }

    "the processors that the functions run on; their zips must be made for them"
    architecture: Architecture = Text {
        key: "architecture", variable: NONE, default: "arm64", allowed: "`arm64` or `x86_64`", parse: Architecture::parse,
    }

    "a local stack's address; not for AWS"
    aws_endpoint: Optional = Text {
        key: "awsEndpoint", variable: NONE, default: "", allowed: "an address such as `http://127.0.0.1:4566`",
        parse: local_address,
    }

    "the domain's certificate, in the stack's Region"
    certificate_arn: Optional = Text {
        key: "certificateArn", variable: NONE, default: "",
        allowed: "the ARN of a certificate in AWS Certificate Manager", parse: certificate_arn,
    }

    "new connections a second that API Gateway lets in; set it to the account's quota, or lower to spread a reconnect storm"
    /// AWS's own quota is 500 a second for most accounts.
    connect_rps: u64 = Number { key: "connectRps", variable: NONE, range: 1..=100_000, default: 500 }

    "whether the table refuses to be deleted, and Pulumi to delete or replace the table, the queues and the API"
    deletion_protection: bool = Text {
        key: "deletionProtection", variable: NONE, default: "false", allowed: FLAG, parse: flag,
    }

    "seconds that `deliver` may take with a batch; if the function is killed, the batch waits six times as long for the next try"
    deliver_timeout_seconds: u64 = Number {
        key: "deliverTimeoutSeconds", variable: NONE, range: 1..=120, default: 60,
    }

    "the domain for clients, instead of API Gateway's own address"
    domain_name: Optional = Text {
        key: "domainName", variable: NONE, default: "", allowed: "a domain such as `chat.example.com`, in lower case",
        parse: domain_name,
    }

    "the zone in Route 53 that gets the domain's record; without one, point the domain at the output `domainTarget` yourself"
    hosted_zone_id: Optional = Text {
        key: "hostedZoneId", variable: NONE, default: "", allowed: "the id of a zone such as `Z0123456789ABCDEFGHIJ`",
        parse: hosted_zone_id,
    }

    "days that logs are kept"
    /// CloudWatch takes no other numbers.
    log_days: u64 = Text {
        key: "logDays", variable: NONE, default: "14", allowed: LOG_DAYS, parse: log_days,
    }

    "MB of memory of the functions that post to few or none; Lambda gives processor time by memory"
    memory_mb: u64 = Number { key: "memoryMb", variable: NONE, range: 128..=10_240, default: 256 }

    "whether the table can be restored as it was at any second of the last 35 days; it costs by the GB"
    point_in_time_recovery: bool = Text {
        key: "pointInTimeRecovery", variable: NONE, default: "true", allowed: FLAG, parse: flag,
    }

    "frames and new connections a second that API Gateway lets in, of all clients; half as many may come at once"
    /// AWS's own quota is 10,000 a second for most accounts, with posts to connections among them.
    request_rps: u64 = Number { key: "requestRps", variable: NONE, range: 100..=1_000_000, default: 10_000 }

    "MB of memory of `deliver` and `deliver-page`; 1,769 is one whole core"
    sender_memory_mb: u64 = Number { key: "senderMemoryMb", variable: NONE, range: 128..=10_240, default: 1_769 }

    "the token key's version; raise it with every new key, or SSM keeps the old one"
    token_key_version: u64 = Number { key: "tokenKeyVersion", variable: NONE, range: 1..=2_147_483_647, default: 1 }

    "whether X-Ray traces the functions and the broadcasts; it costs by the trace"
    tracing: bool = Text { key: "tracing", variable: NONE, default: "false", allowed: FLAG, parse: flag }
}

const FLAG: &str = "`true` or `false`";

const LOG_DAYS: &str =
    "1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653";

fn flag(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// Takes a text that has the form.
fn some_if(has_form: bool, text: &str) -> Option<Optional> {
    has_form.then(|| Some(text.to_owned()))
}

/// Only the form is checked: the address's owner must confirm SNS's first e-mail.
fn email(text: &str) -> Option<Optional> {
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#%&'*+-/=?^_`{|}~.".contains(c))
    };
    let is_address = |(name, domain): (&str, &str)| is_part(name) && is_part(domain) && domain.contains('.');
    some_if(text.split_once('@').is_some_and(is_address), text)
}

fn local_address(text: &str) -> Option<Optional> {
    let address = text.strip_prefix("http://")?.trim_end_matches('/');
    let is_plain = !address.is_empty() && address.chars().all(|c| c.is_ascii_alphanumeric() || "-.:[]".contains(c));
    some_if(is_plain, &format!("http://{address}"))
}

fn certificate_arn(text: &str) -> Option<Optional> {
    let is_arn = text.starts_with("arn:aws") && text.contains(":acm:") && text.contains(":certificate/");
    some_if(is_arn && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_:/".contains(c)), text)
}

fn domain_name(text: &str) -> Option<Optional> {
    let is_label = |label: &str| {
        let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (1..=63).contains(&label.len())
            && label.chars().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    some_if(text.len() <= 253 && text.contains('.') && text.split('.').all(is_label), text)
}

fn hosted_zone_id(text: &str) -> Option<Optional> {
    some_if(text.starts_with('Z') && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()), text)
}

fn log_days(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| LOG_DAYS.split([' ', ',']).any(|days| days == text))
}
