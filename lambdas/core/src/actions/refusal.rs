//! The refusal of an action.

use super::grant::Denied;
use crate::ports::PortError;
use crate::wire::channel::Channel;
use crate::wire::codes::ErrorCode;

/// Why an action wasn't carried out.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) message: String,
    pub(super) retry_ms: Option<u64>,
}

impl Refusal {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_ms: None }
    }

    pub(super) fn not_a_member(channel: &Channel) -> Self {
        Self::new(ErrorCode::NotAMember, format!("this connection is not a member of `{channel}`: join first"))
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::new(ErrorCode::NotAllowed, denied.to_string())
    }
}

impl From<PortError> for Refusal {
    /// The log gets the error. The client only learns that it may try again.
    fn from(error: PortError) -> Self {
        tracing::error!(%error, "frame not carried out");
        Self::new(ErrorCode::Unavailable, "nothing was done: try again after a moment")
    }
}
