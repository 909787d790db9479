//! The kinds of hostile acts.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A request that is no handshake, or half of one.
    BadHandshakes,
    /// A handshake with a token that the issuer did not issue, or not in this form.
    ForgedTokens,
    /// A frame about a room that the token doesn't grant, or about another user's channel.
    OthersChannels,
    /// A moderation command by a user who is no admin.
    ForbiddenModeration,
    /// Acts of a user who was kicked or banned, or whose token has ended.
    ExpelledUsers,
    /// More than a user's limits allow.
    Floods,
    /// A frame, or a field of it, above its limit.
    GiantFrames,
    /// A frame that is malformed.
    BrokenFrames,
    /// A socket that its client does not read.
    SlowReaders,
    /// A message on the queue that can never be delivered.
    QueueGarbage,
    /// The same message again.
    Replays,
}

impl Kind {
    pub(crate) const ALL: [Self; 11] = [
        Self::BadHandshakes,
        Self::ForgedTokens,
        Self::OthersChannels,
        Self::ForbiddenModeration,
        Self::ExpelledUsers,
        Self::Floods,
        Self::GiantFrames,
        Self::BrokenFrames,
        Self::SlowReaders,
        Self::QueueGarbage,
        Self::Replays,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BadHandshakes => "bad handshakes",
            Self::ForgedTokens => "forged tokens",
            Self::OthersChannels => "others' channels",
            Self::ForbiddenModeration => "forbidden moderation",
            Self::ExpelledUsers => "expelled users",
            Self::Floods => "floods",
            Self::GiantFrames => "giant frames",
            Self::BrokenFrames => "broken frames",
            Self::SlowReaders => "slow readers",
            Self::QueueGarbage => "garbage on the queue",
            Self::Replays => "replays",
        }
    }

    /// An act of the kind that succeeded, in the singular.
    pub(crate) const fn breach(self) -> &'static str {
        match self {
            Self::BadHandshakes => "admitted bad handshake",
            Self::ForgedTokens => "admitted forged token",
            Self::OthersChannels => "successful intrusion",
            Self::ForbiddenModeration => "forbidden moderation command's effect",
            Self::ExpelledUsers => "expelled user's act",
            Self::Floods => "excessive act",
            Self::GiantFrames => "carried-out giant frame",
            Self::BrokenFrames => "carried-out broken frame",
            Self::SlowReaders => "slow reader's success",
            Self::QueueGarbage => "delivered garbage message",
            Self::Replays => "accepted replay",
        }
    }
}
