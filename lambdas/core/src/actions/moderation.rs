//! What the actions `kick`, `ban`, `unban`, `delete`, `close` and `open` share: a moderation command goes on the publish queue, where it takes
//! its place among the channel's messages. All of them need the verb `admin`, and each costs a turn.

use super::action::Action;
use super::caller::Caller;
use super::grant::Denied;
use super::handler::ClientHandler;
use super::refusal::Refusal;
use crate::ports::{ClientStore, Env, Poster, PublishQueue};
use crate::wire::capabilities::Verb;
use crate::wire::channel::Channel;
use crate::wire::command::{Command, ModerationCommand};
use crate::wire::id::{RoomId, UserId};
use crate::wire::server_frame::ServerFrame;

/// An action that is a moderation command.
pub(super) trait Moderation {
    /// The name, which is also the route's.
    const NAME: &'static str;

    /// Where it holds: a room, or a user's own channel for everywhere.
    fn channel(&self) -> Channel;

    /// The command.
    fn command(&self) -> Command;
}

/// The channel of a command about a user: the room, or everywhere.
pub(super) fn room_or_everywhere(room: Option<&RoomId>, user: &UserId) -> Channel {
    room.map_or_else(|| ModerationCommand::everywhere(user), |room| Channel::Room(room.clone()))
}

impl<T: Moderation> Action for T {
    const NAME: &'static str = <T as Moderation>::NAME;
    const TURNS: u32 = 1;

    fn authorize(&self, caller: &Caller) -> Result<(), Denied> {
        match self.channel() {
            Channel::Room(room) => caller.must_have(Verb::Admin, room.as_str()),
            Channel::User(_) | Channel::Everyone => caller.must_have_everywhere(Verb::Admin),
        }
    }

    async fn run<S: ClientStore, Q: PublishQueue, P: Poster, E: Env>(
        self,
        handler: &ClientHandler<S, Q, P, E>,
        caller: &Caller,
    ) -> Result<ServerFrame<'static>, Refusal> {
        let command = ModerationCommand { channel: self.channel(), from: caller.user.clone(), command: self.command() };
        handler.queue.command(&command, &handler.env.fresh()).await?;
        let ModerationCommand { channel, command, .. } = command;
        Ok(ServerFrame::CommandAccepted { channel, command: command.name(), user: command.user().cloned() })
    }
}
