//! The kinds of hostile acts.

use serde::Serialize;

/// What an act is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Something other than a handshake, or half of one.
    BadHandshakes,
    /// A handshake with a token that nobody has issued, or not so.
    ForgedTokens,
    /// A frame about a room that the token doesn't grant, or about another user's channel.
    OthersChannels,
    /// A kick or a ban by somebody who is no admin.
    ForbiddenOrders,
    /// Somebody who was kicked or banned, or whose token has ended, goes on.
    ExpelledUsers,
    /// More than a user may do.
    Floods,
    /// A frame with more in it than there may be.
    GiantFrames,
    /// A frame that is not one.
    BrokenFrames,
    /// A socket that is not read.
    SlowReaders,
    /// Something on the queue that can never be delivered.
    QueueGarbage,
    /// The same once more.
    Replays,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 11] = [
        Self::BadHandshakes,
        Self::ForgedTokens,
        Self::OthersChannels,
        Self::ForbiddenOrders,
        Self::ExpelledUsers,
        Self::Floods,
        Self::GiantFrames,
        Self::BrokenFrames,
        Self::SlowReaders,
        Self::QueueGarbage,
        Self::Replays,
    ];

    /// For people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BadHandshakes => "bad handshakes",
            Self::ForgedTokens => "forged tokens",
            Self::OthersChannels => "others' channels",
            Self::ForbiddenOrders => "forbidden orders",
            Self::ExpelledUsers => "expelled users",
            Self::Floods => "floods",
            Self::GiantFrames => "giant frames",
            Self::BrokenFrames => "broken frames",
            Self::SlowReaders => "slow readers",
            Self::QueueGarbage => "garbage on the queue",
            Self::Replays => "replays",
        }
    }

    /// One that got something that it should not, for people, in the singular.
    pub(crate) const fn breach(self) -> &'static str {
        match self {
            Self::BadHandshakes => "admitted bad handshake",
            Self::ForgedTokens => "admitted forged token",
            Self::OthersChannels => "successful intrusion",
            Self::ForbiddenOrders => "forbidden order's effect",
            Self::ExpelledUsers => "expelled user's act",
            Self::Floods => "excessive act",
            Self::GiantFrames => "carried-out giant frame",
            Self::BrokenFrames => "carried-out broken frame",
            Self::SlowReaders => "slow reader's gain",
            Self::QueueGarbage => "delivered garbage letter",
            Self::Replays => "counted replay",
        }
    }
}
