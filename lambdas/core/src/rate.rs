//! The callback budget: how fast each sender may post, so that all of them together stay within one setting.
//!
//! API Gateway counts every request of an account and Region against one quota, posts to @connections and clients' frames alike
//! (10,000 a second by default, with a bucket of 5,000; docs.aws.amazon.com/apigateway, quotas). `callbackRps` is the part of it
//! that a stack's posts may take. [`Budget`] divides it among the senders; each keeps its [`Rate`] with a [`Pace`].
//!
//! Time comes in as the time since any moment that stays the same.

use std::time::Duration;

use crate::broadcast::MAP_CONCURRENCY;

/// The quota of a new account, in requests a second.
pub const ACCOUNT_RPS: u32 = 10_000;

/// `callbackRps` where nothing is set: four fifths of a new account's quota. The rest is left to what comes in.
pub const DEFAULT_CALLBACK_RPS: u32 = ACCOUNT_RPS / 5 * 4;

/// What one sender is planned for, in posts a second. A sender that is kept busy costs less than several that wait: Lambda is paid
/// by the time that it is there.
const SENDER_RPS: u32 = 5_000;

/// Senders of pages, at the least: two rooms are served side by side.
const MIN_PAGE_SENDERS: u32 = 2;

/// `deliver`'s functions that fan out at once.
const DELIVER_SENDERS: u32 = 10;

/// Of the budget, what pages leave to `deliver` for good: a sixteenth.
const PAGES_LEAVE: u32 = 16;

/// Of the budget, what `deliver` may take when pages don't need it: a quarter.
const DELIVER_TAKES: u32 = 4;

/// How fast a sender may post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Posts a second.
    pub per_second: u32,
    /// Posts at once, after a rest.
    pub burst: u32,
}

/// How a stack's `callbackRps` is divided.
///
/// Pages and `deliver` may together take 19 sixteenths of it, because they are seldom busy at the same time; when they are, senders
/// are answered 429 and slow down. With `callbackRps` at four fifths of the quota, even that stays below the quota: 0.95 of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many `deliver-page` functions run at once.
    pub page_senders: u32,
    /// The rate of each.
    pub page_rate: Rate,
    /// How many `deliver` functions run at once.
    pub deliver_senders: u32,
    /// The rate of each. Its burst lets small rooms go at once.
    pub deliver_rate: Rate,
}

impl Budget {
    /// Divides `callback_rps` posts a second.
    #[must_use]
    pub fn of(callback_rps: u32) -> Self {
        let pages = callback_rps - callback_rps / PAGES_LEAVE;
        let page_senders = pages.div_ceil(SENDER_RPS).clamp(MIN_PAGE_SENDERS, MAP_CONCURRENCY);
        let deliver_rps = callback_rps / DELIVER_TAKES;
        Self {
            page_senders,
            page_rate: Rate::smooth(pages / page_senders),
            deliver_senders: DELIVER_SENDERS,
            // A second's worth at once: the account's bucket holds half a second of the whole quota, twice as much.
            deliver_rate: Rate {
                per_second: (deliver_rps / DELIVER_SENDERS).max(1),
                burst: (deliver_rps / DELIVER_SENDERS).max(1),
            },
        }
    }
}

impl Rate {
    /// A rate that is kept within 20 ms, so that senders side by side don't empty the account's bucket in turns.
    #[must_use]
    pub fn smooth(per_second: u32) -> Self {
        Self { per_second: per_second.max(1), burst: (per_second / 50).max(1) }
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
    fn a_rest_saves_no_more_than_the_burst() {
        let mut pace = Pace::new(RATE, ms(0));
        let at_once = (0..100).filter(|_| pace.take(ms(60_000)).is_zero()).count();
        assert_eq!(at_once, 10);
    }

    #[test]
    fn the_rate_falls_by_a_part_when_the_quota_is_used_up_and_climbs_back_by_steps() {
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
    fn senders_that_together_are_over_the_quota_find_their_shares_with_few_refusals() {
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

    fn check(callback_rps: u32, page_senders: u32, page_rate: u32, deliver_rate: u32) {
        let budget = Budget::of(callback_rps);
        let rates = (budget.page_senders, budget.page_rate.per_second, budget.deliver_rate.per_second);
        assert_eq!(rates, (page_senders, page_rate, deliver_rate), "{callback_rps}");
    }

    #[test]
    fn a_budget_has_as_many_page_senders_as_can_be_kept_busy() {
        check(DEFAULT_CALLBACK_RPS, 2, 3_750, 200);
        check(10_000, 2, 4_687, 250);
        check(50_000, 10, 4_687, 1_250);
        check(1_000_000, 40, 23_437, 25_000);
        check(0, 2, 1, 1);
    }

    proptest! {
        #[test]
        fn all_senders_together_stay_within_the_quota_that_the_budget_is_four_fifths_of(callback_rps in 100_u32..1_000_000) {
            let budget = Budget::of(callback_rps);
            let pages = u64::from(budget.page_senders) * u64::from(budget.page_rate.per_second);
            let deliver = u64::from(budget.deliver_senders) * u64::from(budget.deliver_rate.per_second);
            prop_assert!(pages <= u64::from(callback_rps));
            prop_assert!((pages + deliver) * 4 <= u64::from(callback_rps) * 5);
        }

        #[test]
        fn no_more_posts_are_promised_than_the_rate_allows(steps in prop::collection::vec(0_u64..20, 1..500)) {
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
