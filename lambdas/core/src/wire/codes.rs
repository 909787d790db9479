//! The codes that clients act on.

use serde::Serialize;

use super::fields::Malformed;

/// The code of an error frame. PROTOCOL.md says what a client does about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame is not a JSON object.
    NotJson,
    /// The frame has no action, or an unknown one.
    UnknownAction,
    /// A field is missing.
    MissingField,
    /// A field has the wrong type or is out of range.
    WrongField,
    /// A field holds a text that isn't an id.
    InvalidId,
    /// The body is over the limit.
    BodyTooLarge,
    /// The frame is over the limit.
    FrameTooLarge,
    /// The connection is not a member of the channel.
    NotAMember,
    /// The token doesn't grant it, or the channel is another user's.
    NotAllowed,
    /// The connection is no longer known.
    NotConnected,
    /// The user is banned from the room.
    Banned,
    /// The room is closed.
    RoomClosed,
    /// The user publishes faster than the stack allows.
    TooFast,
    /// The connection is a member of as many rooms as it may be.
    TooManyRooms,
    /// The channel has more members than signals are posted to.
    TooManyMembers,
    /// Something outside failed; nothing was done.
    Unavailable,
}

impl From<&Malformed> for ErrorCode {
    fn from(malformed: &Malformed) -> Self {
        match malformed {
            Malformed::NotAnObject(_) => Self::NotJson,
            Malformed::Missing(_) => Self::MissingField,
            Malformed::Wrong { .. } => Self::WrongField,
            Malformed::Id { .. } => Self::InvalidId,
            Malformed::BodyTooLarge { .. } => Self::BodyTooLarge,
        }
    }
}

/// Why a connection is no longer a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeftReason {
    /// The user was kicked from the room.
    Kicked,
    /// The user was banned from the room.
    Banned,
}

/// Why a socket is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClosingCode {
    /// The token has ended.
    TokenExpired,
    /// The user was kicked.
    Kicked,
    /// The user was banned.
    Banned,
}

impl ClosingCode {
    /// The sentence that the client is told.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::TokenExpired => "the token has expired: connect again with a fresh one",
            Self::Kicked => "you were disconnected",
            Self::Banned => "you were disconnected, and may not come back for a while",
        }
    }

    /// Whether it makes sense to connect again.
    #[must_use]
    pub const fn may_reconnect(self) -> bool {
        !matches!(self, Self::Banned)
    }
}
