//! Whether a token grants an action. Membership comes on top, where an action asks for it.

use thiserror::Error;

use super::caller::Caller;
use crate::wire::capabilities::Verb;
use crate::wire::channel::Channel;

/// An action that isn't allowed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Denied {
    /// The token doesn't grant it.
    #[error("the token does not grant `{verb}` for `{id}`")]
    NotGranted { verb: Verb, id: String },
    /// Only the user itself may use its own channel.
    #[error("`{0}` belongs to another user")]
    AnotherUsers(Channel),
}

impl Caller {
    /// Checks a verb for a room's or a user's id.
    pub(super) fn must_have(&self, verb: Verb, id: &str) -> Result<(), Denied> {
        if self.capabilities.grant(verb, id) {
            return Ok(());
        }
        Err(Denied::NotGranted { verb, id: id.to_owned() })
    }

    /// Checks a verb for every id.
    pub(super) fn must_have_everywhere(&self, verb: Verb) -> Result<(), Denied> {
        if self.capabilities.is_granted_anywhere(verb) {
            return Ok(());
        }
        Err(Denied::NotGranted { verb, id: "*".to_owned() })
    }

    /// Checks a verb for a channel. A user's channel and `everyone` need no grant; another user's channel can't be granted.
    pub(super) fn must_have_for_channel(&self, verb: Verb, channel: &Channel) -> Result<(), Denied> {
        match channel {
            Channel::Room(room) => self.must_have(verb, room.as_str()),
            Channel::User(user) if *user != self.user => Err(Denied::AnotherUsers(channel.clone())),
            Channel::User(_) | Channel::Everyone => Ok(()),
        }
    }
}
