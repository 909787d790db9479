//! The rate of a sender, and how it slows down when the account's quota is used up.
//!
//! Time comes in as the time since any moment that stays the same.

use std::time::Duration;

/// How fast a sender may post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Posts a second.
    pub per_second: u32,
    /// Posts at once, after a rest.
    pub burst: u32,
}

impl Rate {
    /// How long `posts` take.
    #[must_use]
    pub fn time_for(self, posts: u64) -> Duration {
        Duration::from_millis(posts.saturating_mul(1_000) / u64::from(self.per_second.max(1)))
    }

    /// A rate that is kept within 100 ms: long enough that a sender makes up for the time between two pages, and a fifth of what the
    /// account's bucket holds, so that senders side by side don't empty it.
    #[must_use]
    pub fn smooth(per_second: u32) -> Self {
        Self { per_second: per_second.max(1), burst: (per_second / 10).max(1) }
    }
}

/// How long 429s are counted before the rate is judged. Longer than an answer takes.
const WINDOW: Duration = Duration::from_millis(100);

/// 429s in a window that are taken for slow clients': one, or one of a hundred posts.
const TOLERATED: u32 = 1;
const TOLERATED_OF: u32 = 100;

/// What a window with too many 429s leaves of the rate, and what a good one adds of the full rate.
const DECREASE: f64 = 0.8;
const INCREASE: f64 = 0.02;

/// The rate never falls below this part of the full one.
const FLOOR: f64 = 1.0 / 64.0;

/// Keeps a sender's rate: a token bucket whose rate falls by a part when the account's quota is used up, and climbs back by steps
/// (additive increase, multiplicative decrease, as TCP does).
#[derive(Clone, Debug)]
pub struct Pace {
    full: Rate,
    allowed: f64,
    /// Posts that may go at once. Below zero: posts that were promised a later time.
    tokens: f64,
    filled: Duration,
    window: Window,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    since: Duration,
    posts: u32,
    throttled: u32,
    /// The rate fell at the end of the last one: posts that left before it are still being answered.
    settling: bool,
}

impl Pace {
    /// A full bucket.
    #[must_use]
    pub fn new(full: Rate, now: Duration) -> Self {
        Self {
            full,
            allowed: f64::from(full.per_second),
            tokens: f64::from(full.burst),
            filled: now,
            window: Window { since: now, posts: 0, throttled: 0, settling: false },
        }
    }

    /// Changes the full rate. What the quota has taught so far is kept, as a part of it.
    pub fn limit(&mut self, full: Rate, now: Duration) {
        if full == self.full {
            return;
        }
        self.fill(now);
        self.allowed *= f64::from(full.per_second) / f64::from(self.full.per_second.max(1));
        self.tokens = self.tokens.min(f64::from(full.burst));
        self.full = full;
    }

    /// Promises a post, and says how long it must wait. Posts that wait are promised times one after another.
    #[must_use]
    pub fn take(&mut self, now: Duration) -> Duration {
        self.fill(now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.tokens / self.allowed) }
    }

    /// Takes note of a post's first answer. Its later ones say nothing about the quota: they may be one slow client's.
    pub fn answered(&mut self, throttled: bool, now: Duration) {
        self.judge(now);
        self.window.posts = self.window.posts.saturating_add(1);
        self.window.throttled = self.window.throttled.saturating_add(u32::from(throttled));
    }

    /// Posts a second that are allowed now.
    #[must_use]
    pub fn allowed(&self) -> f64 {
        self.allowed
    }

    /// Promises a post that leaves at once, if one may.
    #[must_use]
    pub fn try_take(&mut self, now: Duration) -> bool {
        self.fill(now);
        let may_go = self.tokens >= 1.0;
        if may_go {
            self.tokens -= 1.0;
        }
        may_go
    }

    fn fill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.filled).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.allowed).min(f64::from(self.full.burst));
        self.filled = self.filled.max(now);
    }

    /// Ends the window if its time has passed, and moves the rate.
    fn judge(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.window.since);
        if elapsed < WINDOW {
            return;
        }
        self.fill(now);
        let Window { posts, throttled, settling, .. } = self.window;
        let full = f64::from(self.full.per_second);
        let too_many = throttled > TOLERATED.max(posts / TOLERATED_OF);
        let falls = too_many && !settling;
        if falls {
            self.allowed = (self.allowed * DECREASE).max(full * FLOOR);
        } else if !too_many {
            let windows = elapsed.as_secs_f64() / WINDOW.as_secs_f64();
            self.allowed = (self.allowed + full * INCREASE * windows).min(full);
        }
        self.window = Window { since: now, posts: 0, throttled: 0, settling: falls };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::budget::*;

    const RATE: Rate = Rate { per_second: 1_000, burst: 10 };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Answers a hundred posts in the window that begins at `start`, of which some are throttled, and opens the next.
    fn window(pace: &mut Pace, start: u64, throttled: usize) {
        for post in 0..100 {
            pace.answered(post < throttled, ms(start));
        }
        pace.judge(ms(start + 100));
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let mut pace = Pace::new(RATE, ms(0));
        let waits: Vec<Duration> = (0..13).map(|_| pace.take(ms(0))).collect();
        assert!(waits[..10].iter().all(Duration::is_zero), "{waits:?}");
        assert_eq!(waits[10..], [ms(1), ms(2), ms(3)]);
        assert_eq!(pace.take(ms(4)), ms(0), "three promises are kept after 3 ms, and a fourth post may go");
        assert_eq!(pace.take(ms(4)), ms(1));
    }

    #[test]
    fn post_that_cannot_wait_goes_at_once_or_not() {
        let mut pace = Pace::new(RATE, ms(0));
        assert_eq!((0..15).filter(|_| pace.try_take(ms(0))).count(), 10);
        assert!(pace.try_take(ms(1)), "the rate goes on, and nothing was promised to those that were left out");
        assert!(!pace.try_take(ms(1)));
    }

    #[test]
    fn a_rest_saves_no_more_than_the_burst() {
        let mut pace = Pace::new(RATE, ms(0));
        let at_once = (0..100).filter(|_| pace.take(ms(60_000)).is_zero()).count();
        assert_eq!(at_once, 10);
    }

    #[test]
    fn rate_falls_at_the_quota_and_climbs_back() {
        let mut pace = Pace::new(RATE, ms(0));
        window(&mut pace, 0, 10);
        assert_eq!(pace.allowed(), 800.0);
        window(&mut pace, 100, 10);
        assert_eq!(pace.allowed(), 800.0, "posts that left before are still being answered");
        window(&mut pace, 200, 10);
        assert_eq!(pace.allowed(), 640.0);
        window(&mut pace, 300, 0);
        assert_eq!(pace.allowed(), 660.0);
        for number in 4..30 {
            window(&mut pace, number * 100, 0);
        }
        assert_eq!(pace.allowed(), 1_000.0);
    }

    #[test]
    fn one_slow_client_does_not_slow_the_others() {
        let mut pace = Pace::new(RATE, ms(0));
        for number in 0..50 {
            window(&mut pace, number * 100, 1);
        }
        assert_eq!(pace.allowed(), 1_000.0);
    }

    #[test]
    fn the_rate_never_falls_to_nothing() {
        let mut pace = Pace::new(RATE, ms(0));
        for number in 0..200 {
            window(&mut pace, number * 100, 100);
        }
        assert_eq!(pace.allowed(), 1_000.0 / 64.0);
    }

    #[test]
    fn senders_over_the_quota_find_their_rate_quickly() {
        const QUOTA: f64 = 1_500.0;
        let mut senders: Vec<Pace> = (0..2).map(|_| Pace::new(Rate { per_second: 1_000, burst: 20 }, ms(0))).collect();
        let mut due = [ms(0), ms(0)];
        let (mut bucket, mut taken, mut refused) = (QUOTA / 2.0, [0_u32; 2], 0_u32);
        for now in 0..60_000 {
            bucket = (bucket + QUOTA / 1_000.0).min(QUOTA / 2.0);
            // Neither is always the first to ask.
            let order = if now % 7 < 3 { [0, 1] } else { [1, 0] };
            for index in order {
                let pace = &mut senders[index];
                while due[index] <= ms(now) {
                    let throttled = bucket < 1.0;
                    if throttled {
                        refused += 1;
                    } else {
                        bucket -= 1.0;
                        taken[index] += 1;
                    }
                    pace.answered(throttled, ms(now));
                    due[index] = ms(now) + pace.take(ms(now));
                }
            }
        }
        let all = f64::from(taken[0] + taken[1]);
        assert!(all > 0.85 * QUOTA * 60.0, "{taken:?}");
        assert!(f64::from(refused) < 0.02 * all, "{refused} of {all}");
        assert!(f64::from(taken[0].abs_diff(taken[1])) < 0.1 * all, "{taken:?}");
    }

    fn check(callback_rps: u64, page_senders: u32, page_rate: u32, deliver_functions: u32, small_rate: u32) {
        let budget = Budget::of(callback_rps);
        let seen = (budget.page_senders(), budget.large_rate(budget.page_senders()).per_second);
        assert_eq!(seen, (page_senders, page_rate), "{callback_rps}");
        let seen = (budget.deliver_functions(), budget.small_rate().per_second);
        assert_eq!(seen, (deliver_functions, small_rate), "{callback_rps}");
    }

    #[test]
    fn a_budget_has_as_many_senders_as_can_be_kept_busy() {
        check(8_000, 2, 3_750, 10, 200);
        check(10_000, 2, 4_687, 12, 208);
        check(50_000, 10, 4_687, 62, 201);
        check(1_000_000, 40, 23_437, 1_000, 250);
        check(10, 2, 5, 2, 1);
    }

    #[test]
    fn page_is_posted_in_time_on_a_busy_stack() {
        for callback_rps in [500, 8_000, 100_000] {
            let budget = Budget::of(callback_rps);
            let frames = budget.round_frames(5_000);
            let least = budget.large_rate(budget.page_functions());
            assert!(frames == 1 || least.time_for(frames * 5_000) <= Duration::from_secs(PAGE_SECONDS), "{frames}");
        }
        assert_eq!(Budget::of(8_000).round_frames(5_000), 11);
    }

    #[test]
    fn a_changed_rate_keeps_what_the_quota_has_taught() {
        let mut pace = Pace::new(RATE, ms(0));
        window(&mut pace, 0, 10);
        assert_eq!(pace.allowed(), 800.0);
        pace.limit(Rate { per_second: 500, burst: 5 }, ms(100));
        assert_eq!(pace.allowed(), 400.0);
        let at_once = (0..100).filter(|_| pace.take(ms(60_000)).is_zero()).count();
        assert_eq!(at_once, 5);
    }

    proptest! {
        #[test]
        fn all_senders_together_stay_within_the_quota(
            callback_rps in 400_u64..1_000_000,
            senders in 1_u32..100,
        ) {
            let budget = Budget::of(callback_rps);
            let large = u64::from(senders) * u64::from(budget.large_rate(senders).per_second);
            let small = u64::from(budget.deliver_functions()) * u64::from(budget.small_rate().per_second);
            let announced = u64::from(budget.announce_functions()) * u64::from(budget.announce_rate().per_second);
            prop_assert!(large <= callback_rps.max(u64::from(senders)));
            prop_assert!((large + small + announced + budget.signal_posts(true)) * 4 <= callback_rps * 5);
            prop_assert!((small + announced + budget.signal_posts(false)) * 4 <= callback_rps * 5);
        }

        #[test]
        fn pace_promises_no_more_than_the_rate(steps in prop::collection::vec(0_u64..20, 1..500)) {
            let mut pace = Pace::new(RATE, ms(0));
            let (mut now, mut promised) = (0, Vec::new());
            for step in steps {
                now += step;
                promised.push(ms(now) + pace.take(ms(now)));
            }
            promised.sort();
            for (index, first) in promised.iter().enumerate() {
                let within = promised[index..].iter().take_while(|at| **at <= *first + ms(50)).count();
                prop_assert!(within <= 10 + 50 + 1, "{within} within 50 ms");
            }
        }
    }
}
