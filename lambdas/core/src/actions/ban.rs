//! `ban`: a user leaves a room, or everything, and may not come back for a while.

use super::moderation::{Moderation, room_or_everywhere};
use crate::wire::channel::Channel;
use crate::wire::command::Command;
use crate::wire::fields::wire_struct;
use crate::wire::id::{RoomId, UserId};
use crate::wire::time::Timestamp;

wire_struct! {
    /// Make a user leave a room, and keep the user out until a moment; without a room, everywhere.
    Ban {
        /// The room; without it, everywhere.
        room: Option<RoomId>,
        /// The user.
        user: UserId,
        /// The end of the ban.
        until: Timestamp,
    }
}

impl Moderation for Ban {
    const NAME: &'static str = "ban";

    fn channel(&self) -> Channel {
        room_or_everywhere(self.room.as_ref(), &self.user)
    }

    fn command(&self) -> Command {
        Command::Ban { user: self.user.clone(), until: self.until }
    }
}
