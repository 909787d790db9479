//! What a gateway is like.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// What a gateway is like. The default has no limits, answers at once, and speaks plain HTTP at a free port.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens; port 0 is any free port.
    pub listen: SocketAddr,
    /// The stage, which is the first part of every path.
    pub stage: String,
    /// Whether it speaks TLS, with a certificate that is made at the start.
    pub tls: bool,
    /// The account's quota.
    pub quota: Option<Quota>,
    /// Requests a second that come in beside the posts, and use up quota.
    pub inbound: Option<f64>,
    /// How long an answer takes.
    pub latency: Option<Latency>,
    /// Each client's buffer.
    pub buffer: Option<Buffer>,
    /// After how many posts a connection is closed, with `connection: close` on the last answer.
    pub posts_per_connection: Option<u32>,
    /// Whether the bodies that were taken are kept for each connection id. Memory grows with every post then.
    pub keep_bodies: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            stage: "live".to_owned(),
            tls: false,
            quota: None,
            inbound: None,
            latency: None,
            buffer: None,
            posts_per_connection: None,
            keep_bodies: false,
        }
    }
}

/// A token bucket over all posts: posts above it are answered 429.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quota {
    /// Posts a second.
    pub rate: f64,
    /// Posts at once, after a rest.
    pub burst: f64,
}

/// A log-normal latency, as answers over a network have it: most are near the median, few are far above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Half of the answers come sooner.
    pub median: Duration,
    /// One answer of a hundred takes longer.
    pub p99: Duration,
}

/// What API Gateway holds for a client that reads slowly: what doesn't fit is answered 429.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Buffer {
    /// How much fits, in bytes.
    pub bytes: f64,
    /// How fast the client reads, in bytes a second.
    pub drain: f64,
}
