//! What can go wrong.

use std::time::Duration;

use thiserror::Error;

use crate::channel::Channel;
use crate::connection::CloseReason;
use crate::frames::ServerError;

/// Why a call failed.
#[derive(Debug, Error)]
pub enum Error {
    /// The address can't be used.
    #[error("`{url}` is not a WebSocket address: {reason}")]
    InvalidUrl {
        /// The address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The token has characters that a header can't have.
    #[error("the token can't be sent: it has characters that a header can't have")]
    InvalidToken,
    /// The server could not be reached.
    #[error("the server could not be reached: {0}")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server answered the handshake with a refusal: 401 or 403 for a token that it doesn't accept.
    #[error("the connection was refused with HTTP status {status}: `{body}`")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The answer's text.
        body: String,
    },
    /// No answer came in time. What was asked for may have been done all the same.
    #[error("`{action}` was not answered within {after:?}")]
    Timeout {
        /// What was asked for.
        action: &'static str,
        /// How long the answer was waited for.
        after: Duration,
    },
    /// The connection is closed.
    #[error("the connection is closed: {0}")]
    Closed(CloseReason),
    /// The server could not do what was asked for, and says why.
    #[error("{} (`{}`)", .0.message, .0.code)]
    Server(ServerError),
    /// The answer is of a type that doesn't fit the question.
    #[error("`{action}` was answered with `{kind}`")]
    Unexpected {
        /// What was asked for.
        action: &'static str,
        /// The answer's type.
        kind: &'static str,
    },
    /// The user was expelled while the answer to a join was under way. The room was left again.
    #[error("`{0}` was left while it was being joined")]
    Expelled(Channel),
    /// Only services publish to everyone, by the queue.
    #[error("only services publish to everyone")]
    ServicesOnly,
    /// A token could not be fetched.
    #[error("the token could not be fetched: {0}")]
    Token(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer to a message was lost, and it is too late to send it again: it may be in the log, or not.
    #[error(
        "it is not known whether `{id}` was accepted: its answer was lost, and the server may have forgotten the id meanwhile"
    )]
    InDoubt {
        /// The message's id.
        id: String,
    },
    /// The session is over.
    #[error("the session is over: {0}")]
    Ended(String),
    /// The body can't be written as JSON.
    #[error("the body can't be written as JSON: {0}")]
    Body(#[source] serde_json::Error),
}

impl Error {
    /// Whether the same call may succeed later, on this connection or, where it is closed, on the next one.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Timeout { .. } | Self::Closed(_) | Self::Token(_) => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            Self::Server(error) => error.code == ServerError::UNAVAILABLE,
            Self::InvalidUrl { .. }
            | Self::InvalidToken
            | Self::Unexpected { .. }
            | Self::Expelled(_)
            | Self::ServicesOnly
            | Self::InDoubt { .. }
            | Self::Ended(_)
            | Self::Body(_) => false,
        }
    }
}
