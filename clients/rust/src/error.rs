//! The error of this crate.

use std::time::Duration;

use thiserror::Error;

use crate::channel::Channel;
use crate::connection::CloseReason;
use crate::frames::ServerError;

/// The reason why a call failed. [`Error::is_retryable`] says whether the same call may succeed later.
#[derive(Debug, Error)]
pub enum Error {
    /// The address can't be used. Nothing was sent.
    #[error("`{url}` is not a WebSocket address: {reason}")]
    InvalidUrl {
        /// The address, without its query.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The token has characters that an HTTP header can't have. Nothing was sent.
    #[error("the token has characters that an HTTP header can't have")]
    InvalidToken,
    /// The server could not be reached.
    #[error("the server could not be reached: {0}")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server refused the handshake. The status is 401 or 403 if it does not accept the token.
    #[error("the connection was refused with HTTP status {status}: `{body}`")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The text of the HTTP response.
        body: String,
    },
    /// No answer came in time. The server may have carried out the request all the same.
    #[error("`{action}` was not answered within {after:?}")]
    Timeout {
        /// The action that was not answered, such as `join`.
        action: &'static str,
        /// The time that the client waited.
        after: Duration,
    },
    /// The connection is closed. The server may have carried out the request all the same.
    #[error("the connection is closed: {0}")]
    Closed(CloseReason),
    /// The server refused the request.
    #[error("{} (`{}`)", .0.message, .0.code)]
    Server(ServerError),
    /// The answer has a type that does not fit the request.
    #[error("`{action}` was answered with `{kind}`")]
    Unexpected {
        /// The request's action, such as `join`.
        action: &'static str,
        /// The answer's type.
        kind: &'static str,
    },
    /// The user was removed from the channel before the answer to a join came. The client is not a member.
    #[error("the user was removed from `{0}` during the join")]
    Expelled(Channel),
    /// Clients can't publish to everyone. Services can, by the publish queue.
    #[error("only services can publish to everyone")]
    ServicesOnly,
    /// The [`Tokens`](crate::Tokens) could not provide a token.
    #[error("the token could not be fetched: {0}")]
    Token(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer to a message was lost, and the message is too old to be sent again with the same id. It may or may not be in the log.
    #[error("the answer to the message `{id}` was lost: the message may or may not be in the log")]
    InDoubt {
        /// The message's id.
        id: String,
    },
    /// The session has ended, for this reason.
    #[error("the session has ended: {0}")]
    Ended(String),
    /// The body can't be written as JSON.
    #[error("the body can't be written as JSON: {0}")]
    Body(#[source] serde_json::Error),
}

impl Error {
    /// Whether the same call may succeed later: on this connection, or on a new one if this one is closed.
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
