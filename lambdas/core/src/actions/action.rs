//! A client action.

use super::caller::Caller;
use super::grant::Denied;
use super::handler::ClientHandler;
use super::refusal::Refusal;
use crate::ports::{ClientStore, Env, Poster, PublishQueue};
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
