//! Channels and their names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A channel: an ordered log with members. It is written as `room:<id>`, `user:<id>` or `everyone`.
///
/// The client does not check ids. The server does, and its error says what to change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Channel {
    /// A room. Its members are the connections that joined it.
    Room(String),
    /// A user's own channel. Its members are the user's connections.
    User(String),
    /// The channel of which every connection is a member.
    Everyone,
}

/// The text is not a channel's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a channel: it must be `room:<id>`, `user:<id>` or `everyone`")]
pub struct InvalidChannel(String);

impl Channel {
    /// The room with this id.
    pub fn room(id: impl Into<String>) -> Self {
        Self::Room(id.into())
    }

    /// The own channel of the user with this id.
    pub fn user(id: impl Into<String>) -> Self {
        Self::User(id.into())
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room(id) => write!(f, "room:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Everyone => f.write_str("everyone"),
        }
    }
}

impl FromStr for Channel {
    type Err = InvalidChannel;

    fn from_str(text: &str) -> Result<Self, InvalidChannel> {
        match text.split_once(':') {
            Some(("room", id)) => Ok(Self::room(id)),
            Some(("user", id)) => Ok(Self::user(id)),
            None if text == "everyone" => Ok(Self::Everyone),
            _ => Err(InvalidChannel(text.to_owned())),
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

    fn check(text: &str, expected: Option<&Channel>) {
        let parsed = text.parse::<Channel>().ok();
        assert_eq!(parsed.as_ref(), expected, "{text}");
        if let Some(channel) = parsed {
            assert_eq!(channel.to_string(), text);
        }
    }

    #[test]
    fn channel_is_written_as_it_is_read() {
        check("room:lobby", Some(&Channel::room("lobby")));
        check("room:a:b", Some(&Channel::room("a:b")));
        check("user:ana", Some(&Channel::user("ana")));
        check("everyone", Some(&Channel::Everyone));
        check("everyone:else", None);
        check("lobby", None);
        check("", None);
    }
}
