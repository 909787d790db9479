//! The callback budget: how fast senders may post, together and each.
//!
//! API Gateway limits an account's requests a second in a Region, for everything that comes in and all posts to sockets together
//! (10,000 in most Regions, docs.aws.amazon.com/apigateway/latest/developerguide/limits.html). `callbackRps` is the part of it
//! that a stack's posts may take. [`Budget`] divides it among the senders; each keeps its [`Rate`] with a [`Pace`](super::pace::Pace).

use super::pace::Rate;

/// The Map of a state machine runs this many iterations at once at most.
pub const MAX_MAP_CONCURRENCY: u32 = 40;

/// What one sender is planned for, in posts a second. A sender that is kept busy costs less than several that wait: Lambda is paid
/// by the time that it is there.
const SENDER_RPS: u32 = 5_000;

/// Senders of a broadcast, at the least: while one reads or starts, the other posts.
const MIN_PAGE_SENDERS: u32 = 2;

/// Broadcasts that run side by side with all their senders; with more, pages wait for each other.
const BROADCASTS_AT_ONCE: u32 = 4;

/// Of the budget, what large fan-outs leave to small ones for good: a sixteenth.
const LARGE_LEAVE: u32 = 16;

/// Of the budget, what small fan-outs may take when large ones don't need it: a quarter.
const SMALL_TAKE: u32 = 4;

/// Of the budget, what is there for announcements, and as much again for signals while large fan-outs are under way: a thirty-second each.
const LIGHT_TAKE: u32 = 32;

/// `announce` functions at once: the fewest that Lambda takes for a queue.
const ANNOUNCE_FUNCTIONS: u32 = 2;

/// What one `deliver` function is planned for, in posts a second: batches of ten messages to some devices each.
const DELIVER_RPS: u32 = 200;

/// How long a page's posts may take, in seconds, half of what its function has.
pub(super) const PAGE_SECONDS: u64 = 60;

/// `deliver` functions that run at once. Lambda takes no fewer than 2 and no more than 1,000 for a queue.
const DELIVER_SENDERS: std::ops::RangeInclusive<u32> = 2..=1_000;

/// How a stack's `callbackRps` is divided.
///
/// Fan-outs that are *large* share fifteen sixteenths of it, each of those that are under way the same part: they tell each other by
/// [`crate::ports::Senders`]. Small ones, such as direct messages, are too many and too short to be counted: each `deliver` function has
/// a fixed rate for them, a quarter of the budget in all. Together that is 19 sixteenths, because both are seldom busy at the same
/// time; when they are, senders are answered 429 and slow down. Announcements of who comes and goes have a thirty-second, and signals
/// another one, or a quarter while no large fan-out is under way. With `callbackRps` at four fifths of the account's quota, even all of them
/// together stay within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    callback_rps: u32,
}

impl Budget {
    /// Divides `callback_rps` posts a second.
    #[must_use]
    pub fn of(callback_rps: u64) -> Self {
        Self { callback_rps: u32::try_from(callback_rps).unwrap_or(u32::MAX) }
    }

    fn large_rps(self) -> u32 {
        self.callback_rps - self.callback_rps / LARGE_LEAVE
    }

    fn small_rps(self) -> u32 {
        self.callback_rps / SMALL_TAKE
    }

    /// How many senders a broadcast has at work at once: the Map's concurrency.
    #[must_use]
    pub fn page_senders(self) -> u32 {
        self.large_rps().div_ceil(SENDER_RPS).clamp(MIN_PAGE_SENDERS, MAX_MAP_CONCURRENCY)
    }

    /// How many `deliver-page` functions may run at once: their reserved concurrency.
    #[must_use]
    pub fn page_functions(self) -> u32 {
        self.page_senders() * BROADCASTS_AT_ONCE
    }

    /// How many `deliver` functions may run at once: the queue's maximum concurrency.
    #[must_use]
    pub fn deliver_functions(self) -> u32 {
        (self.small_rps() / DELIVER_RPS).clamp(*DELIVER_SENDERS.start(), *DELIVER_SENDERS.end())
    }

    /// The rate of one of `senders` large fan-outs that are under way.
    #[must_use]
    pub fn large_rate(self, senders: u32) -> Rate {
        Rate::smooth(self.large_rps() / senders.max(1))
    }

    /// The rate of a large fan-out while all functions that there may be have one.
    #[must_use]
    pub fn least_rate(self) -> Rate {
        self.large_rate(self.page_functions() + self.deliver_functions())
    }

    /// How many frames a round may have: a page of `page_members` is then posted in a minute, while four broadcasts run side by side. At least
    /// one.
    #[must_use]
    pub fn round_frames(self, page_members: u64) -> u64 {
        let posts = u64::from(self.large_rate(self.page_functions()).per_second) * PAGE_SECONDS;
        (posts / page_members.max(1)).max(1)
    }

    /// The rate of a `deliver` function's small fan-outs. Its burst, a second's worth, lets most go at once; the account's own bucket holds
    /// half a second of the whole quota.
    #[must_use]
    pub fn small_rate(self) -> Rate {
        let per_second = (self.small_rps() / self.deliver_functions()).max(1);
        Rate { per_second, burst: per_second }
    }

    /// How many `announce` functions run at once: their queue's maximum concurrency.
    #[must_use]
    pub fn announce_functions(self) -> u32 {
        ANNOUNCE_FUNCTIONS
    }

    /// The rate of an `announce` function.
    #[must_use]
    pub fn announce_rate(self) -> Rate {
        let per_second = (self.callback_rps / LIGHT_TAKE / ANNOUNCE_FUNCTIONS).max(1);
        Rate { per_second, burst: per_second }
    }

    /// How many posts all signals of a second may make together. They give way to large fan-outs.
    #[must_use]
    pub fn signal_posts(self, is_large_at_work: bool) -> u64 {
        let posts = if is_large_at_work { self.callback_rps / LIGHT_TAKE } else { self.small_rps() };
        u64::from(posts.max(1))
    }

    /// Whether `posts` are a large fan-out: more than a small one's burst.
    #[must_use]
    pub fn is_large(self, posts: u64) -> bool {
        posts > u64::from(self.small_rate().burst)
    }
}
