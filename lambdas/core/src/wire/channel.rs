//! Channels: an ordered log with members. Rooms, users and everyone are one idea.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::id::{InvalidId, RoomId, UserId};

/// What a room's channel begins with, before a colon.
pub(crate) const ROOM: &str = "room";

/// What a user's channel begins with, before a colon.
pub(crate) const USER: &str = "user";

/// The channel of all connections.
pub(crate) const EVERYONE: &str = "everyone";

/// An ordered log with members.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Channel {
    /// Members join and leave.
    Room(RoomId),
    /// The members are the user's connections.
    User(UserId),
    /// Every connection is a member from the moment that it connects.
    Everyone,
}

/// A string that names no channel.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidChannel {
    /// None of the three kinds.
    #[error("a channel is `room:<id>`, `user:<id>` or `everyone`")]
    UnknownKind,
    /// The part after the kind isn't an id.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room(id) => write!(f, "{ROOM}:{id}"),
            Self::User(id) => write!(f, "{USER}:{id}"),
            Self::Everyone => f.write_str(EVERYONE),
        }
    }
}

impl FromStr for Channel {
    type Err = InvalidChannel;

    fn from_str(text: &str) -> Result<Self, InvalidChannel> {
        match text.split_once(':') {
            Some((ROOM, id)) => Ok(Self::Room(RoomId::parse(id)?)),
            Some((USER, id)) => Ok(Self::User(UserId::parse(id)?)),
            None if text == EVERYONE => Ok(Self::Everyone),
            _ => Err(InvalidChannel::UnknownKind),
        }
    }
}

impl TryFrom<String> for Channel {
    type Error = InvalidChannel;

    fn try_from(text: String) -> Result<Self, InvalidChannel> {
        text.parse()
    }
}

impl From<Channel> for String {
    fn from(channel: Channel) -> Self {
        channel.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, valid: bool) {
        let parsed = text.parse::<Channel>();
        assert_eq!(parsed.is_ok(), valid, "{text:?}");
        if let Ok(channel) = parsed {
            assert_eq!(channel.to_string(), text);
        }
    }

    #[test]
    fn a_channel_is_written_as_it_is_read() {
        check("room:lobby", true);
        check("room:a:b", true);
        check("user:alice", true);
        check("everyone", true);
        check("everyone:", false);
        check("room:", false);
        check("room", false);
        check("team:x", false);
        check("user:a b", false);
    }
}
