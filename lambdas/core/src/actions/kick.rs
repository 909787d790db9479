//! `kick`: a user leaves a room, or everything, and may come back.

use super::moderation::{Moderation, room_or_everywhere};
use crate::wire::channel::Channel;
use crate::wire::command::Command;
use crate::wire::fields::wire_struct;
use crate::wire::id::{RoomId, UserId};

wire_struct! {
    /// Make a user leave a room; without a room, everything.
    Kick {
        /// The room; without it, everywhere.
        room: Option<RoomId>,
        /// The user.
        user: UserId,
    }
}

impl Moderation for Kick {
    const NAME: &'static str = "kick";

    fn channel(&self) -> Channel {
        room_or_everywhere(self.room.as_ref(), &self.user)
    }

    fn command(&self) -> Command {
        Command::Kick { user: self.user.clone() }
    }
}
