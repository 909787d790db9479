//! `close`: a room's memberships end, and nobody can join it.

use super::moderation::Moderation;
use crate::wire::channel::Channel;
use crate::wire::command::Command;
use crate::wire::fields::wire_struct;
use crate::wire::id::RoomId;

wire_struct! {
    /// End a room's memberships, and let nobody join.
    Close {
        /// The room.
        room: RoomId,
        /// Whether the bodies of its log are removed, too.
        erase: Option<bool>,
    }
}

impl Moderation for Close {
    const NAME: &'static str = "close";

    fn channel(&self) -> Channel {
        Channel::Room(self.room.clone())
    }

    fn command(&self) -> Command {
        Command::Close { erase: self.erase == Some(true) }
    }
}
