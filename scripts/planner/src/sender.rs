//! A sender: a function that posts. Its pace is the functions' own [`Pace`], asked for each post; the account's quota is a token bucket.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hubbub_core::id::SenderId;
use hubbub_core::rate::{Pace, Rate};

use crate::latency::Dice;
use crate::number::{at, micros, size, whole};

/// How often a post is tried, and the longest pause before the second try, which doubles (lambdas/aws/src/poster/fast.rs).
const TRIES: u32 = 5;
const FIRST_PAUSE_US: u64 = 50_000;

/// The account's bucket of requests: a second's quota flows in, half of it is held (10,000 and 5,000 in most Regions).
#[derive(Clone, Debug)]
pub(crate) struct Account {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: u64,
}

impl Account {
    /// A full bucket, from which `taken` requests a second are taken by everything else.
    pub(crate) fn new(rps: f64, taken: f64) -> Self {
        Self { per_second: (rps - taken).max(1.0), burst: rps / 2.0, tokens: rps / 2.0, filled: 0 }
    }

    fn take(&mut self, now: u64) -> bool {
        let elapsed = now.saturating_sub(self.filled) as f64 / 1e6;
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.burst);
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }
}

/// Which function a sender is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `deliver`.
    Deliver,
    /// `deliver-page`.
    Page,
}

/// A page, or a small room: frames to post to members.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The room's place.
    pub(crate) room: usize,
    /// The page's index.
    pub(crate) page: u32,
    /// The members that are left.
    pub(crate) members: u64,
    /// Frames for each.
    pub(crate) frames: u32,
    /// Members that are left of the part that was begun.
    pub(crate) part: u64,
    /// Whether it shares the budget of large fan-outs.
    pub(crate) large: bool,
    /// Senders of its broadcast.
    pub(crate) senders: u32,
    /// When its function began.
    pub(crate) began: u64,
    /// When its last post was answered.
    pub(crate) last: u64,
    /// Each so many-th member's time is kept.
    pub(crate) stride: u64,
    /// These times.
    pub(crate) times: Vec<u64>,
    /// What it did.
    pub(crate) posts: u64,
    pub(crate) throttled: u64,
    pub(crate) failed: u64,
    pub(crate) parts: u64,
}

/// One of the posts that are under way.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    frames: u32,
    attempt: u32,
    /// The answer that comes at its time: nothing where it is to be posted then.
    throttled: Option<bool>,
}

/// What became of a slice of time.
pub(crate) enum Slice {
    /// It goes on then.
    Until(u64),
    /// A part of the members begins: the budget is to be looked at, and then it goes on.
    Part(u64),
    /// Everybody is posted to.
    Done,
}

/// A function that posts.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) id: SenderId,
    pub(crate) kind: Kind,
    pub(crate) busy: bool,
    pub(crate) idle_since: u64,
    pub(crate) job: Option<Job>,
    pace: Pace,
    /// The times of the turns.
    heap: BinaryHeap<Reverse<(u64, usize)>>,
    turns: Vec<Turn>,
    processor_free: u64,
    cpu_us: f64,
}

impl Sender {
    pub(crate) fn new(id: SenderId, kind: Kind, rate: Rate, now: u64, cpu_us: f64) -> Self {
        Self {
            id,
            kind,
            busy: false,
            idle_since: now,
            job: None,
            pace: Pace::new(rate, at(now)),
            heap: BinaryHeap::new(),
            turns: Vec::new(),
            processor_free: 0,
            cpu_us,
        }
    }

    /// Posts at this rate from now on; no post takes less processor time than this.
    pub(crate) fn limit(&mut self, rate: Rate, now: u64, cpu_us: f64) {
        self.pace.limit(rate, at(now));
        self.cpu_us = cpu_us;
    }

    /// Begins a job.
    pub(crate) fn begin(&mut self, job: Job, now: u64, concurrency: u64) {
        self.heap.clear();
        self.turns = vec![Turn::default(); size(concurrency.min(job.members.max(1)))];
        self.heap.extend((0..self.turns.len()).map(|turn| Reverse((now, turn))));
        self.job = Some(job);
    }

    /// Posts until `end`.
    pub(crate) fn post(&mut self, end: u64, account: &mut Account, dice: &Dice, random: &mut fastrand::Rng) -> Slice {
        let Some(job) = &mut self.job else { return Slice::Done };
        while let Some(Reverse((now, number))) = self.heap.peek().copied() {
            if now > end {
                return Slice::Until(now);
            }
            let Some(turn) = self.turns.get_mut(number) else { break };
            if let Some(throttled) = turn.throttled.take() {
                if turn.attempt == 1 {
                    self.pace.answered(throttled, at(now));
                }
                job.throttled += u64::from(throttled);
                if throttled && turn.attempt < TRIES {
                    let pause = random.u64(0..=FIRST_PAUSE_US << (turn.attempt - 1));
                    turn.attempt += 1;
                    self.heap.pop();
                    self.heap.push(Reverse((now + pause, number)));
                    continue;
                }
                if throttled {
                    job.failed += 1;
                    turn.frames = 0;
                } else {
                    job.posts += 1;
                    turn.frames -= 1;
                    turn.attempt = 1;
                }
                if turn.frames == 0 {
                    job.last = job.last.max(now);
                    if job.stride <= 1 || random.u64(..job.stride) == 0 {
                        job.times.push(now);
                    }
                }
            }
            if turn.frames == 0 {
                if job.members == 0 {
                    self.heap.pop();
                    continue;
                }
                if job.part == 0 {
                    return Slice::Part(now);
                }
                job.part -= 1;
                job.members -= 1;
                *turn = Turn { frames: job.frames, attempt: 1, throttled: None };
            }
            let start = (now + micros(self.pace.take(at(now)))).max(self.processor_free);
            self.processor_free = start + whole(self.cpu_us);
            turn.throttled = Some(!account.take(start));
            self.heap.pop();
            self.heap.push(Reverse((start + dice.draw(random), number)));
        }
        Slice::Done
    }
}
