//! Every name that two parts must spell alike: environment variables, table attributes, error types, routes.
//!
//! The functions read them, the Pulumi program and the state machine are written with them, so that the writer and the
//! reader can't drift.

pub use crate::settings::env;

/// Names in the table's rows. `hubbub_aws::table` says how the rows look; `pulumi/stack.json` has these names for other languages.
pub mod table {
    /// The partition key, a string.
    pub const PARTITION_KEY: &str = "pk";
    /// The sort key, a string.
    pub const SORT_KEY: &str = "sk";
    /// When a row expires, in seconds since 1970.
    pub const TTL: &str = "ttl";
    /// The sort key of the row that a partition is about.
    pub const SELF: &str = "@";

    /// Declares names by their constants, and a list of all of them.
    macro_rules! names {
        ($list:ident; $( $(#[$meta:meta])* $name:ident = $text:literal; )*) => {
            $(
                #[doc = concat!("`", $text, "`")]
                $(#[$meta])*
                pub const $name: &str = $text;
            )*

            /// All of them, by the names of their constants.
            pub const $list: &[(&str, &str)] = &[$( (stringify!($name), $name) ),*];
        };
    }

    /// The beginnings of the partition keys, each followed by the name of what the partition is about.
    pub mod prefix {
        names! { ALL;
            /// A channel's own row. Also the sort key of a membership, in the connection's partition.
            CHANNEL = "CH#";
            /// A channel's messages.
            LOG = "LOG#";
            /// The members of a shard, `<channel>#<shard>`, and the shard's own row.
            SHARD = "MB#";
            /// A connection's own row and its memberships.
            CONNECTION = "CN#";
            /// A channel's receipts.
            RECEIPTS = "RC#";
            /// The channels that a user is banned from.
            BANS = "BN#";
            /// A user's rate of publishing.
            LIMIT = "LM#";
            /// The watchers of a channel's presence, and the last announcement to them.
            PRESENCE = "PR#";
            /// The posts of signals in a second.
            SIGNALS = "SG#";
            /// The senders at work: the whole key, as there is one such partition.
            SENDERS = "SN";
        }
    }

    /// The attributes beside the key and the time to live.
    pub mod attribute {
        names! { ALL;
            EPOCH = "epoch";
            HEAD = "head";
            SENT = "sent";
            SHARDS = "shards";
            LEASE = "lease";
            LEASE_UNTIL = "lease_until";
            ID = "id";
            FROM = "from";
            BODY = "body";
            /// In a message: the sequence of the message whose body was deleted.
            DELETED = "deleted";
            /// In a message: whether the closed room's log was kept or erased. In a channel: there while it is closed.
            CLOSED = "closed";
            AT = "at";
            USER = "user";
            CONNECTED_AT = "connected_at";
            MEMBERS = "members";
            SHARD = "shard";
            MOVED_AT = "moved_at";
            /// In a message: the connection that the receipt is posted to, or an empty text for a service.
            RECEIPT = "receipt";
            SEQ = "seq";
            DELIVERED = "delivered";
            GONE = "gone";
            FAILED = "failed";
            MS = "ms";
            ARRIVAL = "arrival";
            UNTIL = "until";
            /// In a shard: the time until which membership changes are announced to a watcher.
            WATCHED = "watched";
            /// In a shard: the time at which an announcement is due.
            DUE = "due";
            PAUSED = "paused";
            POSTS = "posts";
        }
    }
}

/// The stack's outputs: what clients, services and tools need to know of a deployed stack.
pub mod outputs {
    /// An output.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Output {
        /// Its name.
        pub name: &'static str,
        /// A phrase for documentation.
        pub meaning: &'static str,
        /// The stacks that have it.
        pub of: Stacks,
    }

    /// The stacks that have an output.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Stacks {
        /// All of them.
        All,
        /// Those on AWS.
        OnAws,
        /// Local ones. The local stack adds it; the Pulumi program doesn't know it.
        Local,
        /// Those with a domain of the operator's own.
        WithDomain,
        /// Those whose tokens are signed with a secret.
        WithTokenKey,
    }

    /// Declares the outputs.
    macro_rules! outputs {
        ($( $name:ident = $text:literal, $of:ident, $meaning:literal; )*) => {
            $(
                #[doc = concat!("Output: ", $meaning, ".")]
                pub const $name: Output = Output { name: $text, meaning: $meaning, of: Stacks::$of };
            )*

            /// All outputs.
            pub const ALL: &[Output] = &[$( $name ),*];
        };
    }

    outputs! {
        REGION = "region", All, "the Region";
        WEB_SOCKET_URL = "webSocketUrl", All, "the address for clients";
        CALLBACK_URL = "callbackUrl", All, "the address for posts to connections, without `/@connections`";
        PUBLISH_QUEUE_URL = "publishQueueUrl", All, "the queue to which services send messages";
        PUBLISH_QUEUE_ARN = "publishQueueArn", All, "the publish queue's ARN";
        PUBLISH_POLICY_ARN = "publishPolicyArn", All, "the policy that lets a service publish";
        PRESENCE_QUEUE_URL = "presenceQueueUrl", All, "the queue on which presence announcements are asked for";
        DEAD_LETTER_QUEUE_URL = "deadLetterQueueUrl", All, "the queue of messages that can't be delivered";
        TABLE_NAME = "tableName", All, "the DynamoDB table";
        STATE_MACHINE_ARN = "stateMachineArn", All, "the broadcast state machine";
        INLINE_LIMIT = "inlineLimit", All, "members up to which a channel is delivered without the state machine";
        DASHBOARD_URL = "dashboardUrl", OnAws, "the CloudWatch dashboard";
        DOMAIN_TARGET = "domainTarget", WithDomain, "the name to which the domain's record must point";
        TOKEN_KEY_PARAMETER = "tokenKeyParameter", WithTokenKey, "the SSM parameter with the token key";
        AWS_ENDPOINT = "awsEndpoint", Local, "the local AWS";
    }
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

/// The WebSocket API's routes, beside those of the client actions ([`crate::actions::NAMES`]).
pub mod routes {
    /// A socket opens.
    pub const CONNECT: &str = "$connect";
    /// A socket has closed.
    pub const DISCONNECT: &str = "$disconnect";
    /// A frame that names no route: not JSON, or no known action.
    pub const DEFAULT: &str = "$default";
    /// By which part of a frame API Gateway selects its route.
    pub const SELECTION: &str = "$request.body.action";
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
