//! The attributes by which a dead letter says what is wrong with it.

use serde::Serialize;

/// Why a queue message can't be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterReason {
    /// The body is not a JSON object.
    NotJson,
    /// `v` is not a version that this stack reads.
    UnknownVersion,
    /// A field is missing.
    MissingField,
    /// A field has the wrong type or is out of range.
    WrongField,
    /// A field holds a text that isn't an id.
    InvalidId,
    /// `MessageGroupId` is not the message's channel.
    WrongGroup,
    /// The body is over the limit.
    BodyTooLarge,
}

impl DeadLetterReason {
    /// The reason on the wire and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::UnknownVersion => "unknown_version",
            Self::MissingField => "missing_field",
            Self::WrongField => "wrong_field",
            Self::InvalidId => "invalid_id",
            Self::WrongGroup => "wrong_group",
            Self::BodyTooLarge => "body_too_large",
        }
    }
}

/// The message attributes of a dead letter. A message that the queue itself gave up has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadLetterAttributes {
    /// A code.
    pub reason: DeadLetterReason,
    /// A sentence for people.
    pub detail: String,
    /// The ARN of the queue that the message came from.
    pub source: String,
    /// When that queue took it, in milliseconds since 1970-01-01 UTC, in decimal digits.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[0-9]+$")))]
    pub first_seen: String,
}
