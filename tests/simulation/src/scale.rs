//! The size and settings of a run: small enough that a few messages meet every limit.

use std::time::Duration;

use crate::faults::Faults;
use crate::scheduler::Scheduler;

/// SQS's deduplication interval, in milliseconds.
pub(crate) const DEDUPLICATION: u64 = 5 * 60_000;

/// How long a message that was received stays hidden, in milliseconds; as the Pulumi program sets it.
pub(crate) const VISIBILITY: u64 = 6 * DELIVER_TIMEOUT;

/// The timeout of `deliver`, in milliseconds.
pub(crate) const DELIVER_TIMEOUT: u64 = 60_000;

/// `connect`, `disconnect` and `receive` have this timeout, in milliseconds.
pub(crate) const SOCKET_TIMEOUT: u64 = 10_000;

/// `plan-broadcast` and `deliver-page` have this timeout, in milliseconds.
pub(crate) const BROADCAST_TIMEOUT: u64 = 110_000;

/// The size and settings of a run.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    /// Users.
    pub(crate) users: u64,
    /// Devices of each user.
    pub(crate) devices: u64,
    /// Services.
    pub(crate) services: u64,
    /// Rooms.
    pub(crate) rooms: u64,
    /// How much each does in an episode.
    pub(crate) actions: u64,
    /// Bytes of padding in a large body.
    pub(crate) padding: u64,
    /// See `hubbub_core::settings::settings`, as the rest.
    pub(crate) inline_limit: u64,
    pub(crate) shard_members: u64,
    pub(crate) page_members: u64,
    pub(crate) round_frames: u64,
    pub(crate) history_events: u64,
    pub(crate) lease: Duration,
    pub(crate) retention: Duration,
    /// Milliseconds that a step takes, up to this and without it: how much happens at once.
    pub(crate) pace: u64,
    /// What goes wrong.
    pub(crate) faults: Faults,
    /// Whether an operator stops executions.
    pub(crate) has_stops: bool,
    /// Whether an operator erases channels.
    pub(crate) has_erasures: bool,
}

impl Scale {
    /// As the seed chooses.
    pub(crate) fn choose(scheduler: &Scheduler) -> Self {
        let pick = |choices: &[u64]| scheduler.pick(choices).copied().unwrap_or_default();
        Self {
            users: pick(&[1, 2, 2, 3]),
            devices: pick(&[1, 2]),
            services: pick(&[0, 1, 2]),
            rooms: pick(&[1, 1, 2]),
            actions: pick(&[3, 5, 8]),
            padding: pick(&[0, 0, 6_000, 14_000]),
            inline_limit: pick(&[0, 0, 0, 2, 100]),
            shard_members: pick(&[1, 2, 100]),
            page_members: pick(&[1, 2, 5]),
            round_frames: pick(&[1, 2, 16]),
            history_events: pick(&[20, 40, 10_000]),
            lease: Duration::from_secs(pick(&[20, 60, 300])),
            retention: Duration::from_secs(pick(&[3_600, 604_800, 604_800])),
            pace: pick(&[3, 15, 30]),
            faults: scheduler
                .pick(&[Faults::default(), Faults::LIGHT, Faults::LIGHT, Faults::HEAVY, Faults::STORM])
                .copied()
                .unwrap_or_default(),
            has_stops: scheduler.below(3) == 0,
            has_erasures: scheduler.below(12) == 0,
        }
    }
}
