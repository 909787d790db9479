//! `signal`: a signal to the connections that are members now. It is not kept.

use super::action::Action;
use super::refusal::Refusal;
use super::caller::Caller;
use super::grant::Denied;
use super::handler::ClientHandler;
use super::target::RoomOrUser;
use crate::ports::{ClientStore, Env, Poster, PublishQueue};
use crate::presence::signal;
use crate::presence::signal::Signals;
use crate::wire::capabilities::Verb;
use crate::wire::channel::Channel;
use crate::wire::codes::ErrorCode;
use crate::wire::fields::wire_struct;
use crate::wire::message::SignalBody;
use crate::wire::server_frame::{MAX_SMALL_ROOM, ServerFrame};

wire_struct! {
    /// A signal to the connections that are members now. It is not kept.
    Signal {
        /// The room or the user.
        #[cfg_attr(feature = "schema", schemars(flatten))]
        to: RoomOrUser,
        /// The signal.
        body: SignalBody,
    }
}

impl Action for Signal {
    const NAME: &'static str = "signal";
    const TURNS: u32 = 1;

    fn authorize(&self, caller: &Caller) -> Result<(), Denied> {
        match &self.to.0 {
            Channel::User(to) => caller.must_have(Verb::Direct, to.as_str()),
            // A member who may publish may also say that it is typing.
            channel => caller.must_have_for_channel(Verb::Publish, channel),
        }
    }

    async fn run<S: ClientStore, Q: PublishQueue, P: Poster, E: Env>(
        self,
        handler: &ClientHandler<S, Q, P, E>,
        caller: &Caller,
    ) -> Result<ServerFrame<'static>, Refusal> {
        let Self { to: RoomOrUser(channel), body: SignalBody(body) } = self;
        if matches!(channel, Channel::Room(_)) {
            handler.check_member(caller, &channel).await?;
        }
        let ClientHandler { store, poster, env, budget, transport, .. } = handler;
        let signals = Signals { store, poster, env, budget: *budget, transport };
        let Some(others) = signals.others(&channel, &caller.connection).await? else {
            let message = format!(
                "`{channel}` has more than {MAX_SMALL_ROOM} members, and signals are for fewer: publish instead"
            );
            return Err(Refusal::new(ErrorCode::TooManyMembers, message));
        };
        handler.take_turns(caller, signal::turns(others.len()) - Self::TURNS).await?;
        let delivered = signals.post(&channel, &caller.user, body, &others).await?;
        Ok(ServerFrame::Signalled { channel, delivered })
    }
}
