//! The limits of the transport that carries clients' sockets. Rules take them as a value; they know no transport by name.

use std::time::Duration;

/// The limits of a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The largest frame, in bytes, in both directions.
    pub max_frame_bytes: usize,
    /// How long a socket can stay open.
    pub max_connection_age: Duration,
    /// How long a socket can stay open without a frame.
    pub idle_timeout: Duration,
    /// A connection is not removed before this age, although a post says that it is gone: the transport says the same of a socket that is
    /// still connecting.
    pub min_prune_age: Duration,
    /// Requests a second of an account in one Region, frames and posts together.
    pub requests_per_second: u32,
}

/// API Gateway's WebSocket APIs (apigateway-execution-service-websocket-limits-table; the account's quota of most Regions). Posts are priced
/// in steps of a whole frame.
pub const API_GATEWAY: Transport = Transport {
    max_frame_bytes: 32_768,
    max_connection_age: Duration::from_secs(2 * 60 * 60),
    idle_timeout: Duration::from_secs(10 * 60),
    min_prune_age: Duration::from_secs(10),
    requests_per_second: 10_000,
};
