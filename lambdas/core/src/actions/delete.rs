//! `delete`: a message's body is removed for good.

use super::moderation::Moderation;
use crate::wire::channel::Channel;
use crate::wire::command::Command;
use crate::wire::fields::wire_struct;
use crate::wire::id::RoomId;
use crate::wire::message::Seq;

wire_struct! {
    /// Remove a message's body for good.
    Delete {
        /// The room.
        room: RoomId,
        /// The message.
        seq: Seq,
    }
}

impl Moderation for Delete {
    const NAME: &'static str = "delete";

    fn channel(&self) -> Channel {
        Channel::Room(self.room.clone())
    }

    fn command(&self) -> Command {
        Command::Delete { seq: self.seq }
    }
}
