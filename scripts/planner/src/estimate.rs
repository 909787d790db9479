//! The plan in closed form: means of each step, the functions' own budget, and rounds that take all messages that wait.
//!
//! Messages come at random. A round takes all that wait, so that a room is busy for a share of the time, and a message that comes in it waits for
//! half a round on average. The formulas know no 429s: a stack posts no faster than its
//! account's quota allows, and [`Estimate::above_quota`] says by how much it would.

use serde::Serialize;

use crate::inputs::{Inputs, PlanError, Tuning};
use crate::latency::Latencies;
use crate::shape::Shape;
use crate::traffic::Traffic;

/// Messages of a batch of the queue (SQS, FIFO).
const BATCH: f64 = 10.0;

/// Transitions of a round beside its pages: PlanBroadcast, IsSettled?, FanOut.
const ROUND_TRANSITIONS: f64 = 3.0;

/// Transitions of an execution's end: PlanBroadcast, IsSettled?, Settled.
const END_TRANSITIONS: f64 = 3.0;

/// Reads and writes of a plan, one after another: it settles, reads the channel, the counts and the log, and renews the lease.
const PLAN_CALLS: u32 = 5;

/// Reads and writes of a page before its members are read: it renews the lease, reads the log, notes that it is at work, and looks for others.
const PAGE_CALLS: u32 = 4;

/// Steps of a search for a number that depends on itself.
const SEARCHES: u32 = 64;

/// How messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// At random, independently of each other.
    Random,
    /// At equal intervals.
    Even,
}

impl Arrivals {
    /// The probability that no message comes during a round, at this many messages for each.
    fn none_during(self, messages: f64) -> f64 {
        match self {
            Self::Random => (-messages).exp(),
            Self::Even => (1.0 - messages).max(0.0),
        }
    }
}

/// A room's plan in closed form.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Seconds from publishing a message to a room at rest until its last member has it, where all functions have to be started.
    pub alone_seconds: f64,
    /// The same, where they are warm.
    pub warm_seconds: f64,
    /// Seconds of a round, at the planned rate.
    pub round_seconds: f64,
    /// Seconds from publishing a message until its last member has it, on average, at the planned rate.
    pub everybody_seconds: f64,
    /// The same for a message that waits for a whole round.
    pub longest_seconds: f64,
    /// Seconds until half of the members have it, on average.
    pub half_seconds: f64,
    /// Messages of a round.
    pub messages_per_round: f64,
    /// Posts for each member and message: below 1 where messages share a post.
    pub posts_per_member_and_message: f64,
    /// `deliver-page` functions at once.
    pub page_functions: u64,
    /// `deliver` functions at once.
    pub deliver_functions: u64,
    /// The part of the stack's posts that the account's quota does not leave: they would be answered 429.
    pub above_quota: f64,
    /// Messages a second that a room takes at most.
    pub most_messages: f64,
    /// What all rooms do in a second.
    pub per_second: Traffic,
}

/// The room, and what it runs on.
struct Model<'a> {
    shape: &'a Shape,
    tuning: &'a Tuning,
    latencies: &'a Latencies,
    arrivals: Arrivals,
    /// Requests a second that the account's quota leaves to posts.
    account_rps: f64,
    /// Rooms whose rounds are under way at the same time.
    busy: f64,
}

/// A room at some rate.
struct Steady {
    messages: f64,
    seconds: f64,
    /// The probability that a round is followed by no other.
    ends: f64,
}

impl Steady {
    fn rounds(&self, rate: f64) -> f64 {
        rate / self.messages
    }

    /// The share of the time in which a round is under way.
    fn busy(&self, rate: f64) -> f64 {
        (self.rounds(rate) * self.seconds).min(1.0)
    }
}

impl Model<'_> {
    fn calls(&self, count: u32) -> f64 {
        f64::from(count) * self.latencies.table.mean()
    }

    /// The rate of a sender while it is kept busy, its burst, and the posts a second that it could make.
    fn rate(&self) -> (f64, f64, f64) {
        let budget = self.tuning.budget();
        let Latencies { post, cpu_us_per_post, .. } = self.latencies;
        let senders = f64::from(self.shape.senders());
        let functions = f64::from(if self.shape.inline { budget.deliver_functions() } else { budget.page_functions() });
        let at_work = (senders * self.busy).clamp(1.0, functions.max(1.0));
        let rate = if self.shape.inline && !budget.is_large(self.shape.members()) {
            budget.small_rate()
        } else {
            budget.large_rate(u32::try_from(crate::number::at_least(at_work)).unwrap_or(u32::MAX))
        };
        let able = self.tuning.post_concurrency as f64 / post.mean();
        let able = able.min(1e6 / cpu_us_per_post).min(self.account_rps / at_work);
        (f64::from(rate.per_second), f64::from(rate.burst), able)
    }

    /// From the call of a page to its first post.
    fn page_lead(&self) -> f64 {
        self.latencies.call.mean() + self.calls(PAGE_CALLS) + self.latencies.members.mean()
    }

    /// The time of a round's posts, from its first page's call to its last page's answer; and the seconds of all pages' functions.
    fn posting(&self, frames: u64) -> (f64, f64) {
        let (rate, burst, able) = self.rate();
        let mut slots = vec![0.0_f64; crate::number::size(u64::from(self.shape.senders()).max(1))];
        let mut seconds = 0.0;
        for members in &self.shape.pages {
            let posts = (members * frames) as f64;
            let lead = if self.shape.inline { self.latencies.members.mean() } else { self.page_lead() };
            let tail = self.latencies.post.longest_of(self.tuning.post_concurrency.min(*members)) * frames_tail(frames);
            let Some(slot) = slots.iter_mut().min_by(|one, other| one.total_cmp(other)) else { continue };
            // A sender's bucket is full at first, and later holds what the time between two pages has filled.
            let gap = lead + tail + self.latencies.transition.mean();
            let saved = if *slot == 0.0 { burst } else { burst.min(rate * gap) };
            let taken = lead
                + ((posts - saved) / rate).max(posts / able - self.latencies.post.mean()).max(0.0)
                + tail
                + self.calls(1);
            seconds += taken - self.latencies.call.mean();
            *slot += taken + self.latencies.transition.mean();
        }
        let longest = slots.iter().fold(0.0, |longest: f64, slot| longest.max(*slot));
        (longest.max(self.host(frames)), seconds)
    }

    /// The least time of all posts of a round, where all senders share a host: the others' rooms post as well.
    fn host(&self, frames: u64) -> f64 {
        let posts = (self.shape.members() * frames) as f64 * self.busy;
        self.latencies.host_rps.map_or(0.0, |rps| posts / rps + self.page_lead() + self.latencies.post.mean())
    }

    /// From the queue to the end of the append.
    fn lead(&self) -> f64 {
        self.latencies.queue.mean() + self.calls(2) + self.latencies.append.mean()
    }

    /// A round, from its plan or its batch to the next one's.
    fn round(&self, frames: u64) -> f64 {
        let posting = self.posting(frames).0;
        if self.shape.inline {
            self.lead() + self.calls(2) + posting + self.calls(1)
        } else {
            self.latencies.call.mean() + self.calls(PLAN_CALLS) + 2.0 * self.latencies.transition.mean() + posting
        }
    }

    /// What starting functions takes in a room at rest: `deliver`, and for a large room `plan-broadcast` and `deliver-page`.
    fn cold_starts(&self) -> f64 {
        self.latencies.cold_start.mean() * if self.shape.inline { 1.0 } else { 3.0 }
    }

    /// From publishing until every member has it, where no round is under way and functions are warm.
    fn warm(&self) -> f64 {
        let way_in = self.latencies.publish.mean();
        if self.shape.inline {
            way_in + self.round(1) - 2.0 * self.calls(1)
        } else {
            // What comes after the last post is not waited for.
            let start = self.calls(3) + self.latencies.start.mean() + self.latencies.transition.mean();
            way_in + self.lead() + start + self.round(1) - self.calls(1) - self.latencies.transition.mean()
        }
    }

    /// The room at this rate: a round's messages depend on its seconds, and these on its frames.
    fn settle(&self, rate: f64) -> Steady {
        let mut frames = 1;
        for _ in 0..SEARCHES {
            let steady = self.at(rate, frames);
            let wanted = self.shape.frames_for(steady.messages).min(self.shape.round_frames.max(1));
            if wanted <= frames {
                return steady;
            }
            frames = wanted;
        }
        self.at(rate, frames)
    }

    fn at(&self, rate: f64, frames: u64) -> Steady {
        let seconds = self.round(frames);
        let ends = self.arrivals.none_during(rate * seconds);
        // A round that begins in a room at rest has the one message that begins it, and else those of the round before.
        let messages = rate * seconds + ends;
        Steady { messages: if self.shape.inline { messages.min(BATCH) } else { messages }, seconds, ends }
    }

    /// Messages a second that can be delivered for good.
    fn most_messages(&self) -> f64 {
        let frames = if self.shape.inline { self.shape.frames_for(BATCH) } else { self.shape.round_frames.max(1) };
        let of_a_frame = self.shape.frame_messages as f64;
        let messages = if self.shape.inline { BATCH } else { of_a_frame * frames as f64 };
        let batches = BATCH / (self.lead() + self.calls(2));
        (messages / self.round(frames)).min(batches)
    }
}

/// A connection's frames are posted one after another.
fn frames_tail(frames: u64) -> f64 {
    frames as f64
}

impl Estimate {
    /// Plans rooms whose members are spread evenly, and whose messages come at random.
    ///
    /// # Errors
    /// When more is published than can be posted.
    pub fn of(inputs: &Inputs, tuning: &Tuning, latencies: &Latencies) -> Result<Self, PlanError> {
        let shape = Shape::even(inputs.members, inputs.size, tuning)?;
        Self::of_shape(&shape, inputs, tuning, latencies, Arrivals::Random)
    }

    /// Plans rooms of this shape.
    ///
    /// # Errors
    /// As [`Estimate::of`].
    pub fn of_shape(
        shape: &Shape,
        inputs: &Inputs,
        tuning: &Tuning,
        latencies: &Latencies,
        arrivals: Arrivals,
    ) -> Result<Self, PlanError> {
        let account_rps = (inputs.rps as f64 - inputs.inbound_rps()).max(1.0);
        let model = |busy: f64| Model { shape, tuning, latencies, arrivals, account_rps, busy };
        let (rooms, rate) = (inputs.rooms as f64, inputs.rate);
        let alone_seconds = model(1.0).warm() + model(1.0).cold_starts();
        // How many rooms are busy at once depends on how long a round takes, and the other way round.
        let mut busy = 1.0;
        for _ in 0..SEARCHES {
            busy = (rooms * model(busy).settle(rate).busy(rate)).max(1.0);
        }
        let settled = model(busy);
        let steady = settled.settle(rate);
        let most_messages = settled.most_messages().min(quota_messages(shape, inputs, tuning));
        if rate > most_messages {
            return Err(PlanError::TooMuch {
                rate,
                members: inputs.members,
                callback_rps: tuning.callback_rps,
                size: inputs.size,
                most: most_messages,
            });
        }
        let frames = shape.frames_for(steady.messages);
        let waits = match arrivals {
            Arrivals::Random => steady.busy(rate) * steady.seconds / 2.0,
            // Such messages never meet a round, unless rounds follow each other without a pause.
            Arrivals::Even => (1.0 - steady.ends).floor() * steady.seconds / 2.0,
        };
        let everybody_seconds = settled.warm() + waits;
        let of_a_room = settled.traffic(rate, &steady);
        let budget = tuning.budget();
        let at_once = |wanted: f64, most: u32| crate::number::at_least(wanted.max(1.0)).min(u64::from(most));
        Ok(Self {
            alone_seconds,
            warm_seconds: model(1.0).warm(),
            round_seconds: steady.seconds,
            everybody_seconds,
            longest_seconds: settled.warm() + steady.seconds,
            half_seconds: everybody_seconds - settled.posting(frames).0 / 2.0,
            messages_per_round: steady.messages,
            posts_per_member_and_message: frames as f64 / steady.messages,
            page_functions: if shape.inline {
                0
            } else {
                at_once(f64::from(shape.senders()) * busy, budget.page_functions())
            },
            deliver_functions: at_once(of_a_room.deliver_seconds * rooms, budget.deliver_functions()),
            above_quota: (1.0 - account_rps / tuning.callback_rps as f64).max(0.0),
            most_messages,
            per_second: of_a_room.times(rooms),
        })
    }
}

/// Seconds from the queue's batch to the end of the broadcast, of a message to each of some rooms of this shape at the same time.
#[must_use]
pub fn broadcast_seconds(shape: &Shape, rooms: u64, tuning: &Tuning, latencies: &Latencies) -> f64 {
    let (arrivals, account_rps) = (Arrivals::Even, tuning.callback_rps as f64);
    let model = Model { shape, tuning, latencies, arrivals, account_rps, busy: rooms as f64 };
    let start = model.calls(3) + latencies.start.mean() + latencies.transition.mean();
    model.lead() + start + model.round(1) + model.calls(PLAN_CALLS)
}

/// Messages a second that the posts of all rooms together allow each of them.
fn quota_messages(shape: &Shape, inputs: &Inputs, tuning: &Tuning) -> f64 {
    let posts = tuning.callback_rps as f64 * 15.0 / 16.0;
    let of_a_post = if shape.inline { BATCH.min(shape.frame_messages as f64) } else { shape.frame_messages as f64 };
    posts / inputs.all_members() as f64 * of_a_post
}

impl Model<'_> {
    /// What a room does in a second.
    fn traffic(&self, rate: f64, steady: &Steady) -> Traffic {
        let shape = self.shape;
        let (messages, rounds) = (steady.messages, steady.rounds(rate));
        let frames = shape.frames_for(messages);
        let (pages, members) = (shape.pages.len() as f64, shape.members() as f64);
        let posts = rounds * members * frames as f64;
        let bytes = rounds * members * (shape.frame_bytes as f64 + (messages - 1.0) * shape.message_bytes as f64);
        let page_seconds = rounds * self.posting(frames).1;
        let is_large = !shape.inline || self.tuning.budget().is_large(shape.members());
        let part = hubbub_core::delivery::fan_out::part_members(crate::number::size(frames)) as f64;
        let batches =
            if shape.inline { rounds } else { rate / (rate * (self.lead() + self.calls(3))).clamp(1.0, BATCH) };
        let mut traffic = Traffic {
            seconds: 1.0,
            messages: rate,
            rounds,
            posts,
            bytes,
            rows: rounds * members,
            parts: if is_large { rounds * (members / part).max(pages) } else { 0.0 },
            delivers: batches,
            deliver_seconds: batches * (self.calls(5) + self.latencies.append.mean()),
            ..Traffic::default()
        };
        if shape.inline {
            traffic.deliver_seconds = rounds * (steady.seconds - self.latencies.queue.mean());
        } else {
            // A room that is always busy never gives its lease back.
            traffic.broadcasts = rounds * steady.ends;
            traffic.pages = rounds * pages;
            traffic.page_seconds = page_seconds;
            traffic.plans = rounds + traffic.broadcasts;
            traffic.plan_seconds = traffic.plans * self.calls(PLAN_CALLS);
            traffic.transitions = rounds * (ROUND_TRANSITIONS + pages) + traffic.broadcasts * END_TRANSITIONS;
        }
        traffic
    }
}
