//! A client action, and what a refusal of one says.

use super::caller::Caller;
use super::grant::Denied;
use super::handler::ClientHandler;
use crate::ports::{ClientStore, Env, PortError, Poster, PublishQueue};
use crate::wire::channel::Channel;
use crate::wire::codes::ErrorCode;
use crate::wire::fields::Malformed;
use crate::wire::id::MessageId;
use crate::wire::server_frame::ServerFrame;

/// An action that a client's frame can ask for: its fields, its grant, its cost, and what it does.
pub(crate) trait Action: Sized {
    /// The name, which is also the route's.
    const NAME: &'static str;

    /// How many messages of the user's rate it costs.
    const TURNS: u32;

    /// Checks what no field shows alone.
    ///
    /// # Errors
    /// Names the field.
    fn validate(&self) -> Result<(), Malformed> {
        Ok(())
    }

    /// The id of the message that it publishes, which a refusal repeats.
    fn message_id(&self) -> Option<&MessageId> {
        None
    }

    /// Checks that the token grants it.
    ///
    /// # Errors
    /// Says what is not granted.
    fn authorize(&self, caller: &Caller) -> Result<(), Denied>;

    /// Does it.
    ///
    /// # Errors
    /// Says why it wasn't done.
    async fn run<S: ClientStore, Q: PublishQueue, P: Poster, E: Env>(
        self,
        handler: &ClientHandler<S, Q, P, E>,
        caller: &Caller,
    ) -> Result<ServerFrame<'static>, Refusal>;
}

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
