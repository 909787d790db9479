//! Posts to sockets through API Gateway's @connections.
//!
//! A page is thousands of requests that differ in their path and signature only. [`ConnectionsPoster`] computes once what they share, and keeps
//! its own connections open. `tests/bench` has a poster on the SDK to compare it with.
//!
//! | what | where |
//! |---|---|
//! | where posts go | [`target`] |
//! | signatures | [`sign`] |
//! | a page's requests, made on one core or on all | [`page`] |
//! | credentials, renewed before they expire | `identity` |
//! | HTTP connections that are kept alive | `transport` |
//! | rate, retries and outcomes of posts | `connections` |

mod connections;
mod identity;
pub mod page;
pub mod sign;
pub mod target;
mod transport;

use std::time::Duration;

use hubbub_core::limits::pace::Rate;
use thiserror::Error;

pub use connections::ConnectionsPoster;

/// How a poster posts.
#[derive(Clone, Debug)]
pub struct PosterSettings {
    /// Posts under way at once, and so the connections that are open.
    pub concurrency: usize,
    /// The time that a post may take with all its tries, not counting the wait for its turn.
    pub timeout: Duration,
    /// The sender's rate until [`Poster::limit`](hubbub_core::ports::Poster::limit) sets another. None is no limit.
    pub rate: Option<Rate>,
    pub trust: Trust,
}

/// The certificate authorities that are trusted for https.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The host's authorities.
    Native,
    /// Only this authority, whose certificate is given as PEM. For gateways on the loopback.
    Only(String),
}

/// Why a poster can't be made.
#[derive(Debug, Error)]
pub enum PosterError {
    #[error("`{url}` is not a stage's URL: {reason}")]
    InvalidUrl { url: String, reason: String },
    /// Posts are signed for a Region.
    #[error("no region is set")]
    NoRegion,
    /// Posts are signed.
    #[error("no credentials are set")]
    NoCredentials,
    /// A certificate can't be read, or TLS can't be set up with it.
    #[error("the certificates can't be used: {0}")]
    Certificates(String),
}
