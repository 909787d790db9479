//! `unban`: a ban ends.

use super::moderation::{Moderation, room_or_everywhere};
use crate::wire::channel::Channel;
use crate::wire::command::Command;
use crate::wire::fields::wire_struct;
use crate::wire::id::{RoomId, UserId};

wire_struct! {
    /// End a ban.
    Unban {
        /// The room; without it, everywhere.
        room: Option<RoomId>,
        /// The user.
        user: UserId,
    }
}

impl Moderation for Unban {
    const NAME: &'static str = "unban";

    fn channel(&self) -> Channel {
        room_or_everywhere(self.room.as_ref(), &self.user)
    }

    fn command(&self) -> Command {
        Command::Unban { user: self.user.clone() }
    }
}
