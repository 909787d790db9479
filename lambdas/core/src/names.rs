//! Every name that two parts must spell alike: environment variables, table attributes, error types, routes.
//!
//! The functions read them, the Pulumi program and the state machine are written with them, so that the writer and the
//! reader can't drift.

/// Environment variables of the functions; [`crate::settings`] says which function reads which.
pub mod env {
    /// The DynamoDB table's name.
    pub const TABLE: &str = "HUBBUB_TABLE";
    /// The publish queue's URL.
    pub const PUBLISH_QUEUE_URL: &str = "HUBBUB_PUBLISH_QUEUE_URL";
    /// The dead-letter queue's URL.
    pub const DEAD_LETTER_QUEUE_URL: &str = "HUBBUB_DEAD_LETTER_QUEUE_URL";
    /// The URL of the queue that announcements of who comes and goes are asked for on.
    pub const PRESENCE_QUEUE_URL: &str = "HUBBUB_PRESENCE_QUEUE_URL";
    /// The broadcast state machine's ARN.
    pub const STATE_MACHINE_ARN: &str = "HUBBUB_STATE_MACHINE_ARN";
    /// The stage's @connections URL, without `/@connections`.
    pub const CALLBACK_URL: &str = "HUBBUB_CALLBACK_URL";
    /// The SSM parameter that holds the key by which tokens are signed.
    pub const TOKEN_KEY_PARAMETER: &str = "HUBBUB_TOKEN_KEY_PARAMETER";
    /// The algorithm by which tokens are signed.
    pub const TOKEN_ALGORITHM: &str = "HUBBUB_TOKEN_ALGORITHM";
    /// Where the public keys are by which tokens are signed; empty where the key is a secret.
    pub const TOKEN_JWKS_URL: &str = "HUBBUB_TOKEN_JWKS_URL";
    /// Who must have issued a token; empty for anyone.
    pub const TOKEN_ISSUER: &str = "HUBBUB_TOKEN_ISSUER";
    /// Whom a token must be for; empty for anyone.
    pub const TOKEN_AUDIENCE: &str = "HUBBUB_TOKEN_AUDIENCE";
    /// What tokens grant that say nothing of it, as JSON.
    pub const DEFAULT_CAPABILITIES: &str = "HUBBUB_DEFAULT_CAPABILITIES";
    /// How many seconds a message stays in its channel's log.
    pub const RETENTION_SECONDS: &str = "HUBBUB_RETENTION_SECONDS";
    /// The largest body of a message, in bytes.
    pub const MAX_BODY_BYTES: &str = "HUBBUB_MAX_BODY_BYTES";
    /// The most members that `deliver` posts to itself; a larger channel goes to the state machine.
    pub const INLINE_LIMIT: &str = "HUBBUB_INLINE_LIMIT";
    /// How many members a shard takes, on average, before the number of shards doubles.
    pub const SHARD_MEMBERS: &str = "HUBBUB_SHARD_MEMBERS";
    /// How many members a page of a broadcast has, about.
    pub const PAGE_MEMBERS: &str = "HUBBUB_PAGE_MEMBERS";
    /// How many seconds a broadcast holds its channel's lease without renewing it.
    pub const LEASE_SECONDS: &str = "HUBBUB_LEASE_SECONDS";
    /// How many frames a round delivers at most.
    pub const ROUND_FRAMES: &str = "HUBBUB_ROUND_FRAMES";
    /// After how many history events a broadcast hands over to a fresh execution.
    pub const HISTORY_EVENTS: &str = "HUBBUB_HISTORY_EVENTS";
    /// How many posts a second the whole stack may make.
    pub const CALLBACK_RPS: &str = "HUBBUB_CALLBACK_RPS";
    /// How many posts a sender has under way at once.
    pub const POST_CONCURRENCY: &str = "HUBBUB_POST_CONCURRENCY";
    /// How many messages a second a user may publish.
    pub const USER_RATE: &str = "HUBBUB_USER_RATE";
    /// How many messages a user may publish at once, after a rest.
    pub const USER_BURST: &str = "HUBBUB_USER_BURST";
    /// How many rooms a connection may be a member of.
    pub const MAX_ROOMS: &str = "HUBBUB_MAX_ROOMS";
    /// After how many milliseconds a post counts as failed.
    pub const POST_TIMEOUT_MS: &str = "HUBBUB_POST_TIMEOUT_MS";
    /// The stack's name, for metrics.
    pub const STACK: &str = "HUBBUB_STACK";
    /// What is logged: a `tracing` filter, for example `info` or `info,hubbub_core=debug`.
    pub const LOG: &str = "HUBBUB_LOG";
}

/// The table's key and its time to live.
pub mod table {
    /// The partition key, a string.
    pub const PARTITION_KEY: &str = "pk";
    /// The sort key, a string.
    pub const SORT_KEY: &str = "sk";
    /// When a row expires, in seconds since 1970.
    pub const TTL: &str = "ttl";
}

/// Error types at a function's edge. The state machine's `ErrorEquals` uses exactly these.
pub mod errors {
    /// Something outside failed or was busy; the same call may succeed later.
    pub const RETRYABLE: &str = "Hubbub.Retryable";
    /// Something outside refused; the same call will be refused again.
    pub const FAILED: &str = "Hubbub.Failed";
    /// The input can never succeed.
    pub const INVALID_INPUT: &str = "Hubbub.InvalidInput";
}

/// Lambda's own faults, which a state machine's task retries, as Step Functions names them.
pub const LAMBDA_FAULTS: [&str; 5] = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.Unknown",
    "Runtime.ExitError",
];

/// Lambda turns a call away because all functions that may run at once do: the task waits for one.
pub const LAMBDA_BUSY: &str = "Lambda.TooManyRequestsException";

/// The WebSocket API's routes.
pub mod routes {
    /// A socket opens.
    pub const CONNECT: &str = "$connect";
    /// A socket has closed.
    pub const DISCONNECT: &str = "$disconnect";
    /// A frame that names no route: not JSON, or no known action.
    pub const DEFAULT: &str = "$default";
    /// By which part of a frame API Gateway selects its route.
    pub const SELECTION: &str = "$request.body.action";
    /// The actions of a client's frame; each has a route of its own, so that it can be throttled by itself.
    pub const ACTIONS: [&str; 14] = [
        "join", "leave", "publish", "direct", "signal", "history", "who", "kick", "ban", "unban", "delete", "close",
        "open", "ping",
    ];
}

/// What a token says beside the registered claims (RFC 7519).
pub mod claims {
    /// What it grants: an object of lists of patterns.
    pub const CAPABILITIES: &str = "hubbub";
}

/// The subprotocols that a client may ask for; a browser can set no header but this one.
pub mod subprotocols {
    /// The header.
    pub const HEADER: &str = "sec-websocket-protocol";
    /// The protocol, which is answered.
    pub const HUBBUB_V1: &str = "hubbub.v1";
    /// What comes before a token.
    pub const BEARER: &str = "bearer.";
}

/// What the authorizer hands to the other functions with every frame of a connection.
pub mod context {
    /// The user's id.
    pub const USER: &str = "user";
    /// What the token grants, as JSON.
    pub const CAPABILITIES: &str = "capabilities";
    /// When the token ends, in seconds since 1970.
    pub const UNTIL: &str = "until";
}

/// How often a message of the publish queue is received before the queue gives it up as a dead letter.
pub const MAX_RECEIVES: u32 = 5;

/// The message attribute, `true`, of a message that was put back from the dead-letter queue: it may be anywhere in the log already.
pub const REDRIVEN: &str = "redriven";

/// Message attributes of a dead letter.
pub mod dead_letter {
    /// A code that says why the message can't be delivered.
    pub const REASON: &str = "reason";
    /// A sentence for people.
    pub const DETAIL: &str = "detail";
    /// The ARN of the queue that the message came from.
    pub const SOURCE: &str = "source";
    /// When the queue took the message, in milliseconds since 1970.
    pub const FIRST_SEEN: &str = "first_seen";
}
