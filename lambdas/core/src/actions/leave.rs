//! `leave`: stop being a member of a room. It is always allowed.

use super::action::Action;
use super::refusal::Refusal;
use super::caller::Caller;
use super::grant::Denied;
use super::handler::ClientHandler;
use crate::members::membership;
use crate::ports::{ClientStore, Env, Poster, PublishQueue};
use crate::wire::channel::Channel;
use crate::wire::fields::wire_struct;
use crate::wire::id::RoomId;
use crate::wire::server_frame::ServerFrame;

wire_struct! {
    /// Stop being a member.
    Leave {
        /// The room.
        room: RoomId,
    }
}

impl Action for Leave {
    const NAME: &'static str = "leave";
    const TURNS: u32 = 0;

    fn authorize(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run<S: ClientStore, Q: PublishQueue, P: Poster, E: Env>(
        self,
        handler: &ClientHandler<S, Q, P, E>,
        caller: &Caller,
    ) -> Result<ServerFrame<'static>, Refusal> {
        let channel = Channel::Room(self.room);
        membership::leave(&handler.store, &caller.connection, &channel, handler.env.now()).await?;
        Ok(ServerFrame::Left { channel, reason: None })
    }
}
