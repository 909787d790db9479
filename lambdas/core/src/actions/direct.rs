//! `direct`: a message to a user.

use super::action::Action;
use super::refusal::Refusal;
use super::caller::Caller;
use super::grant::Denied;
use super::handler::ClientHandler;
use super::publication::Publication;
use crate::ports::{ClientStore, Env, Poster, PublishQueue};
use crate::wire::capabilities::Verb;
use crate::wire::channel::Channel;
use crate::wire::fields::wire_struct;
use crate::wire::id::{MessageId, UserId};
use crate::wire::message::Body;
use crate::wire::server_frame::ServerFrame;

wire_struct! {
    /// A message to a user.
    Direct {
        /// The user.
        to: UserId,
        /// The message's id; the server makes one where there is none.
        id: Option<MessageId>,
        /// Whether to post a receipt when the message was posted to all members.
        receipt: Option<bool>,
        /// The message.
        body: Body,
    }
}

impl Action for Direct {
    const NAME: &'static str = "direct";
    const TURNS: u32 = 1;

    fn message_id(&self) -> Option<&MessageId> {
        self.id.as_ref()
    }

    fn authorize(&self, caller: &Caller) -> Result<(), Denied> {
        caller.must_have(Verb::Direct, self.to.as_str())
    }

    async fn run<S: ClientStore, Q: PublishQueue, P: Poster, E: Env>(
        self,
        handler: &ClientHandler<S, Q, P, E>,
        caller: &Caller,
    ) -> Result<ServerFrame<'static>, Refusal> {
        let Self { to, id, receipt, body } = self;
        handler.publish(caller, Channel::User(to), Publication { id, receipt, body }).await
    }
}
