//! `open`: a room that was closed takes members again.

use super::moderation::Moderation;
use crate::wire::channel::Channel;
use crate::wire::command::Command;
use crate::wire::fields::wire_struct;
use crate::wire::id::RoomId;

wire_struct! {
    /// Let members join a room that was closed.
    Open {
        /// The room.
        room: RoomId,
    }
}

impl Moderation for Open {
    const NAME: &'static str = "open";

    fn channel(&self) -> Channel {
        Channel::Room(self.room.clone())
    }

    fn command(&self) -> Command {
        Command::Open
    }
}
