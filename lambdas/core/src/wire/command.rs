//! Moderation commands: a user leaves, a body is removed, a room is closed or opened.

use serde::Serialize;

use super::channel::Channel;
use super::fields::{Field, Fields, Malformed};
use super::id::UserId;
use super::message::Seq;
use super::time::Timestamp;

/// A moderation command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// A user leaves, and may come back.
    Kick {
        /// The user.
        user: UserId,
    },
    /// A user leaves, and may not come back before `until`.
    Ban {
        /// The user.
        user: UserId,
        /// The end of the ban.
        until: Timestamp,
    },
    /// A ban ends.
    Unban {
        /// The user.
        user: UserId,
    },
    /// A message's body is removed for good.
    Delete {
        /// The message.
        seq: Seq,
    },
    /// A room's memberships end, and nobody can join it.
    Close {
        /// Whether the bodies of its log are removed, too.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        #[cfg_attr(feature = "schema", schemars(default))]
        erase: bool,
    },
    /// A room that was closed takes members again.
    Open,
}

/// The name of a moderation command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CommandName {
    Kick,
    Ban,
    Unban,
    Delete,
    Close,
    Open,
}

impl CommandName {
    const NAMES: &str = "`kick`, `ban`, `unban`, `delete`, `close` or `open`";

    /// The name on the wire and in audit lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kick => "kick",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Delete => "delete",
            Self::Close => "close",
            Self::Open => "open",
        }
    }
}

impl Command {
    /// Reads the command that `command` names, with the fields that it needs; `None` where the field is missing.
    pub(crate) fn read(fields: &Fields) -> Result<Option<Self>, Malformed> {
        let Some(name) = fields.value::<String>("command", "a string")? else { return Ok(None) };
        Ok(Some(match name.as_str() {
            "kick" => Self::Kick { user: Field::read(fields, "user")? },
            "ban" => Self::Ban { user: Field::read(fields, "user")?, until: Field::read(fields, "until")? },
            "unban" => Self::Unban { user: Field::read(fields, "user")? },
            "delete" => Self::Delete { seq: Field::read(fields, "seq")? },
            "close" => Self::Close { erase: bool::read_optional(fields, "erase")?.unwrap_or_default() },
            "open" => Self::Open,
            _ => return Err(Malformed::Wrong { field: "command", expected: CommandName::NAMES }),
        }))
    }

    /// The command's name.
    #[must_use]
    pub const fn name(&self) -> CommandName {
        match self {
            Self::Kick { .. } => CommandName::Kick,
            Self::Ban { .. } => CommandName::Ban,
            Self::Unban { .. } => CommandName::Unban,
            Self::Delete { .. } => CommandName::Delete,
            Self::Close { .. } => CommandName::Close,
            Self::Open => CommandName::Open,
        }
    }

    /// The user that the command is about, if it is about one.
    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Self::Kick { user } | Self::Ban { user, .. } | Self::Unban { user } => Some(user),
            Self::Delete { .. } | Self::Close { .. } | Self::Open => None,
        }
    }
}

/// A moderation command, and where it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ModerationCommand {
    /// Where it holds: a room; or, for a user everywhere, that user's own channel.
    pub channel: Channel,
    /// Who gives it.
    pub from: UserId,
    /// What to do.
    #[serde(flatten)]
    pub command: Command,
}

impl ModerationCommand {
    /// The channel of a command about a user that holds everywhere.
    #[must_use]
    pub fn everywhere(user: &UserId) -> Channel {
        Channel::User(user.clone())
    }

    /// Checks that a command can hold in a channel.
    ///
    /// # Errors
    /// Says what the channel must be.
    pub fn new(channel: Channel, command: Command, from: UserId) -> Result<Self, Malformed> {
        let expected = match (&command, command.user()) {
            (Command::Delete { .. }, _) => None,
            (_, Some(user)) if channel == Self::everywhere(user) => None,
            _ if matches!(channel, Channel::Room(_)) => None,
            (_, Some(_)) => Some("a room, or `user:<id>` of the command's user"),
            (_, None) => Some("a room"),
        };
        match expected {
            Some(expected) => Err(Malformed::Wrong { field: "channel", expected }),
            None => Ok(Self { channel, command, from }),
        }
    }
}
