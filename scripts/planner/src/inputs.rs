//! The planner's inputs, and their limits.

use std::ops::RangeInclusive;

use hubbub_core::limits::budget::Budget;
use hubbub_core::members::shard::MAX_SHARDS;
use hubbub_core::settings::{self, Number};
use hubbub_core::transport::API_GATEWAY;
use serde::Serialize;
use thiserror::Error;

use crate::number::{at_least, whole};

/// Rooms that are alike, and the messages to each of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Inputs {
    /// Members of a room.
    pub members: u64,
    /// Messages a second to each room.
    pub rate: f64,
    /// Bytes of a message's body.
    pub size: u64,
    /// Number of such rooms.
    pub rooms: u64,
    /// Direct messages a second, of the whole stack, each to one device.
    pub direct: f64,
    /// Requests a second that API Gateway allows the account in the Region, in and out together.
    pub rps: u64,
    /// The share of the time in which the members are connected and publish.
    pub online: f64,
    /// For how many hours a connection lasts.
    pub session_hours: f64,
    /// For how many months the price is.
    pub months: f64,
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            members: 10_000,
            rate: 1.0,
            size: 1_024,
            rooms: 1,
            direct: 0.0,
            rps: 10_000,
            online: 1.0,
            session_hours: 2.0,
            months: 1.0,
        }
    }
}

/// The settings of the stack that decide about time and price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tuning {
    /// Posts a second, of the whole stack.
    pub callback_rps: u64,
    /// Members up to which `deliver` posts by itself.
    pub inline_limit: u64,
    /// Members of a page, about.
    pub page_members: u64,
    /// Members of a shard, on average, before the shards double.
    pub shard_members: u64,
    /// Frames of a round, at most.
    pub round_frames: u64,
    /// Posts that a sender has under way at once.
    pub post_concurrency: u64,
    /// Seconds that a message stays in the log.
    pub retention_seconds: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            callback_rps: settings::CALLBACK_RPS.default,
            inline_limit: settings::INLINE_LIMIT.default,
            page_members: settings::PAGE_MEMBERS.default,
            shard_members: settings::SHARD_MEMBERS.default,
            round_frames: settings::ROUND_FRAMES.default,
            post_concurrency: settings::POST_CONCURRENCY.default,
            retention_seconds: settings::RETENTION_SECONDS.default,
        }
    }
}

impl Tuning {
    /// The settings with their keys in the stack's configuration and what the core says of them.
    #[must_use]
    pub fn settings(&self) -> [(&'static str, u64, Number); 7] {
        [
            ("callbackRps", self.callback_rps, settings::CALLBACK_RPS),
            ("inlineLimit", self.inline_limit, settings::INLINE_LIMIT),
            ("pageMembers", self.page_members, settings::PAGE_MEMBERS),
            ("shardMembers", self.shard_members, settings::SHARD_MEMBERS),
            ("roundFrames", self.round_frames, settings::ROUND_FRAMES),
            ("postConcurrency", self.post_concurrency, settings::POST_CONCURRENCY),
            ("retentionSeconds", self.retention_seconds, settings::RETENTION_SECONDS),
        ]
    }

    /// How the stack's posts are divided.
    #[must_use]
    pub fn budget(&self) -> Budget {
        Budget::of(self.callback_rps)
    }
}

/// Why something can't be planned: which option, what it may be, and what to do.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PlanError {
    /// A number out of its range.
    #[error("`{option} {value}` is not from {min} to {max}: {advice}")]
    OutOfRange {
        /// The option.
        option: &'static str,
        /// Its value.
        value: f64,
        /// The smallest value allowed.
        min: f64,
        /// The largest value allowed.
        max: f64,
        /// What to do.
        advice: &'static str,
    },
    /// More is published than can be posted.
    #[error(
        "`--rate {rate}` is more than a room takes: {members} members at {callback_rps} posts/s get {most:.2} messages/s of {size} bytes at \
         most; lower --rate, --size, --members or --rooms, or ask AWS for a higher quota and raise --rps"
    )]
    TooMuch {
        /// Messages a second that were asked for.
        rate: f64,
        /// The members.
        members: u64,
        /// Posts a second that the stack may make.
        callback_rps: u64,
        /// The bytes of a body.
        size: u64,
        /// Messages a second that are possible.
        most: f64,
    },
    /// What comes in leaves too little of the quota.
    #[error(
        "{inbound:.0} requests/s come in from {members} members, which leaves less than {least} of the quota's {rps} to posts: lower --members, \
         --rate or --rooms, or raise --rps"
    )]
    Crowded {
        /// Requests a second that come in.
        inbound: f64,
        /// All members.
        members: u64,
        /// The least `callbackRps`.
        least: u64,
        /// The quota.
        rps: u64,
    },
    /// The rules refused a planned message. It is a bug.
    #[error("a planned message can't be framed: {0}")]
    Frame(String),
}

/// How often a client pings, in seconds, at the least: the client library's interval.
pub(crate) const PING_SECONDS: f64 = 480.0;

/// New connections a second of an account (FACTS: execution service limits of API Gateway WebSocket).
pub(crate) const CONNECTIONS_PER_SECOND: f64 = 500.0;

/// The part of the quota that `callbackRps` may be at most: small fan-outs may take a quarter of it on top (`hubbub_core::limits::budget`).
const CALLBACK_PART: f64 = 0.8;

/// Inbound requests don't come evenly: this factor of their average is kept free.
const INBOUND_MARGIN: f64 = 1.25;

impl Inputs {
    /// Checks each number.
    ///
    /// # Errors
    /// Names the first option that is out of its range.
    pub fn check(&self) -> Result<(), PlanError> {
        let most_members = (u64::from(MAX_SHARDS) * settings::SHARD_MEMBERS.default) as f64;
        let body = settings::MAX_BODY_BYTES.range;
        let session = API_GATEWAY.max_connection_age.as_secs_f64() / 3_600.0;
        let rows: [(&'static str, f64, RangeInclusive<f64>, &'static str); 9] = [
            (
                "--members",
                self.members as f64,
                1.0..=most_members,
                "a room has at least one member; split a larger one",
            ),
            ("--rate", self.rate, 0.0..=10_000.0, "messages a second to each room; 0 plans a single message"),
            (
                "--size",
                self.size as f64,
                2.0..=*body.end() as f64,
                "bytes of a body, which is JSON; put larger content elsewhere, for example into S3, and send its address",
            ),
            ("--rooms", self.rooms as f64, 1.0..=1e6, "rooms of this kind"),
            ("--direct", self.direct, 0.0..=100_000.0, "direct messages a second of the whole stack"),
            (
                "--rps",
                self.rps as f64,
                625.0..=1_250_000.0,
                "requests a second of the account's quota: 10000 in most Regions, 2500 in some (see Service Quotas)",
            ),
            (
                "--online",
                self.online,
                0.001..=1.0,
                "the share of the time in which members are connected, such as 0.25 for 6 of 24 hours",
            ),
            ("--session-hours", self.session_hours, 0.01..=session, "API Gateway ends a connection after two hours"),
            ("--months", self.months, 0.01..=120.0, "months that the price is for"),
        ];
        for (option, value, range, advice) in rows {
            if !range.contains(&value) {
                return Err(PlanError::OutOfRange { option, value, min: *range.start(), max: *range.end(), advice });
            }
        }
        Ok(())
    }

    /// All members of all rooms.
    #[must_use]
    pub fn all_members(&self) -> u64 {
        self.members.saturating_mul(self.rooms)
    }

    /// Requests a second that come in while the members are there: pings, new connections with their join, and published messages.
    #[must_use]
    pub fn inbound_rps(&self) -> f64 {
        let members = self.all_members() as f64;
        let connects = members / (self.session_hours * 3_600.0);
        members / PING_SECONDS + 2.0 * connects + self.rate * self.rooms as f64 + self.direct
    }

    /// What the stack's posts may take of the quota: four fifths, or less where more comes in than the last fifth.
    ///
    /// # Errors
    /// When next to nothing is left.
    pub fn callback_rps(&self) -> Result<u64, PlanError> {
        let rps = self.rps as f64;
        let inbound = self.inbound_rps();
        let left = (rps * CALLBACK_PART).min(rps - inbound * INBOUND_MARGIN);
        let least = *settings::CALLBACK_RPS.range.start();
        if left < least as f64 {
            return Err(PlanError::Crowded { inbound, members: self.all_members(), least, rps: self.rps });
        }
        // In round figures, but never above the rest.
        Ok(whole((left / 100.0).floor() * 100.0).max(least))
    }

    /// How long it takes at least until all members are connected, in seconds.
    #[must_use]
    pub fn connecting_seconds(&self) -> u64 {
        at_least(self.all_members() as f64 / CONNECTIONS_PER_SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(inputs: Inputs, expected: &str) {
        let error = inputs.check().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn error_names_the_option_and_its_range() {
        let inputs = Inputs::default();
        check(Inputs { size: 24_577, ..inputs }, "`--size 24577` is not from 2 to 24576: bytes of a body");
        check(Inputs { members: 0, ..inputs }, "`--members 0` is not from 1 to 8192000: ");
        check(Inputs { rps: 0, ..inputs }, "`--rps 0` is not from 625 to 1250000: ");
        check(Inputs { rate: f64::NAN, ..inputs }, "`--rate NaN` is not from 0 to 10000: ");
        check(Inputs { session_hours: 3.0, ..inputs }, "`--session-hours 3` is not from 0.01 to 2: ");
        assert_eq!(inputs.check(), Ok(()));
    }

    #[test]
    fn posts_get_four_fifths_of_the_quota_or_the_rest() {
        assert_eq!(Inputs::default().callback_rps(), Ok(8_000));
        let crowd = Inputs { members: 1_000_000, ..Inputs::default() };
        let left = crowd.callback_rps().unwrap();
        assert!((7_000..7_200).contains(&left), "{left}");
        let more = Inputs { rooms: 4, ..crowd };
        assert!(more.callback_rps().unwrap_err().to_string().contains("raise --rps"), "{more:?}");
    }

    #[test]
    fn settings_default_to_the_cores() {
        for (key, value, setting) in Tuning::default().settings() {
            assert_eq!(value, setting.default, "{key}");
        }
    }
}
