//! The plan in closed form: what the simulation comes to where nothing is left to chance.
//!
//! It is exact enough to draw lines by and to weigh settings against each other; it knows no queues and no 429s. The simulation is held against it.

use serde::Serialize;

use crate::inputs::{Inputs, PlanError, Tuning};
use crate::latency::Latencies;
use crate::shape::Shape;
use crate::traffic::Traffic;

/// Messages of a batch of the queue (SQS, FIFO).
pub(crate) const BATCH: f64 = 10.0;

/// Transitions of a round beside its pages: PlanBroadcast, IsSettled?, FanOut.
pub(crate) const ROUND_TRANSITIONS: f64 = 3.0;

/// Transitions of an execution's end: PlanBroadcast, IsSettled?, Settled.
pub(crate) const END_TRANSITIONS: f64 = 3.0;

/// Reads and writes of a plan, one after another: it settles, reads the channel, the counts and the log, and renews the lease.
pub(crate) const PLAN_CALLS: u32 = 5;

/// Reads and writes of a page before its members are read: it renews the lease, reads the log, notes that it is at work, and looks who else is.
pub(crate) const PAGE_CALLS: u32 = 4;

/// Rounds that are looked through for one whose messages come while the one before is under way.
const SEARCHES: u32 = 64;

/// A room's plan in closed form.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Seconds from publishing a message to a room at rest until its last member has it.
    pub alone_seconds: f64,
    /// Seconds of a round, while the room is talked in.
    pub round_seconds: f64,
    /// Seconds from publishing a message until its last member has it, on average, while the room is talked in.
    pub everybody_seconds: f64,
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
    /// Rooms whose rounds are under way at the same time.
    busy: f64,
}

impl Model<'_> {
    fn calls(&self, count: u32) -> f64 {
        f64::from(count) * self.latencies.table.mean()
    }

    /// The rate of a sender while it is kept busy, its burst, and the posts a second that it could make.
    fn rate(&self) -> (f64, f64, f64) {
        let budget = self.tuning.budget();
        let Latencies { post, cpu_us_per_post, machine_rps, .. } = self.latencies;
        let senders = f64::from(self.shape.senders());
        let functions = f64::from(if self.shape.inline { budget.deliver_functions() } else { budget.page_functions() });
        let at_work = (senders * self.busy).clamp(1.0, functions.max(1.0));
        let rate = if self.shape.inline && !budget.is_large(self.shape.members()) {
            budget.small_rate()
        } else {
            budget.large_rate(u32::try_from(crate::number::at_least(at_work)).unwrap_or(u32::MAX))
        };
        let machine = machine_rps.map_or(f64::INFINITY, |rps| rps / at_work);
        let able = self.tuning.post_concurrency as f64 / post.mean();
        let able = able.min(1e6 / cpu_us_per_post).min(machine);
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
        (slots.iter().fold(0.0, |longest: f64, slot| longest.max(*slot)), seconds)
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

    /// From publishing until everybody has it, where no round is under way and functions are warm.
    fn warm(&self) -> f64 {
        let way_in = self.latencies.publish.mean();
        if self.shape.inline {
            way_in + self.round(1) - 2.0 * self.calls(1)
        } else {
            // What comes behind the last post is not waited for.
            let start = self.calls(3) + self.latencies.start.mean() + self.latencies.transition.mean();
            way_in + self.lead() + start + self.round(1) - self.calls(1) - self.latencies.transition.mean()
        }
    }

    /// Messages of a round and its seconds, where so many come each second to a room.
    fn settle(&self, rate: f64) -> (f64, f64) {
        let mut frames = 1;
        for _ in 0..SEARCHES {
            let seconds = self.round(frames);
            let messages = (rate * seconds).max(1.0);
            let messages = if self.shape.inline { messages.min(BATCH) } else { messages };
            let wanted = self.shape.frames_for(messages).min(self.shape.round_frames.max(1));
            if wanted <= frames {
                return (messages, seconds);
            }
            frames = wanted;
        }
        (rate * self.round(frames), self.round(frames))
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
    /// Plans rooms whose members are spread evenly.
    ///
    /// # Errors
    /// When more is said than can be posted.
    pub fn of(inputs: &Inputs, tuning: &Tuning, latencies: &Latencies) -> Result<Self, PlanError> {
        let shape = Shape::even(inputs.members, inputs.size, tuning)?;
        let model = |busy: f64| Model { shape: &shape, tuning, latencies, busy };
        let rooms = inputs.rooms as f64;
        let alone_seconds = model(1.0).warm() + model(1.0).cold_starts();
        // How many rooms are busy at once depends on how long a round takes, and the other way round.
        let mut busy = 1.0;
        for _ in 0..8 {
            let (messages, seconds) = model(busy).settle(inputs.rate);
            busy = (rooms * (inputs.rate / messages * seconds).min(1.0)).max(1.0);
        }
        let settled = model(busy);
        let (messages, round_seconds) = settled.settle(inputs.rate);
        let most_messages = settled.most_messages().min(quota_messages(&shape, inputs, tuning));
        if inputs.rate > most_messages {
            return Err(PlanError::TooMuch {
                rate: inputs.rate,
                members: inputs.members,
                callback_rps: tuning.callback_rps,
                size: inputs.size,
                most: most_messages,
            });
        }
        let share = whole_share(inputs.rate / messages * round_seconds);
        // Messages that come evenly never meet a round of the one before, unless rounds follow each other without a pause: then each waits for
        // the rest of a round, half of it on average.
        let waits = if share < 1.0 { 0.0 } else { round_seconds / 2.0 };
        let everybody_seconds = settled.warm() + waits;
        let per_second = settled.traffic(inputs.rate, messages, round_seconds, share).times(rooms);
        Ok(Self { alone_seconds, round_seconds, everybody_seconds, most_messages, per_second })
    }
}

/// A share of the time; rounds that follow each other without a pause are all of it, however the division ends.
fn whole_share(share: f64) -> f64 {
    if share > 0.999 { 1.0 } else { share }
}

/// Messages a second that the posts of all rooms together allow each of them.
fn quota_messages(shape: &Shape, inputs: &Inputs, tuning: &Tuning) -> f64 {
    let posts = tuning.callback_rps as f64 * 15.0 / 16.0;
    let of_a_post = if shape.inline { BATCH.min(shape.frame_messages as f64) } else { shape.frame_messages as f64 };
    posts / inputs.all_members() as f64 * of_a_post
}

impl Model<'_> {
    /// What a room does in a second.
    fn traffic(&self, rate: f64, messages: f64, round_seconds: f64, share: f64) -> Traffic {
        let shape = self.shape;
        let rounds = if rate > 0.0 { rate / messages } else { 0.0 };
        let frames = shape.frames_for(messages);
        let (pages, members) = (shape.pages.len() as f64, shape.members() as f64);
        let posts = rounds * members * frames as f64;
        let bytes = rounds * members * (shape.frame_bytes as f64 + (messages - 1.0) * shape.message_bytes as f64);
        let page_seconds = rounds * self.posting(frames).1;
        let is_large = !shape.inline || self.tuning.budget().is_large(shape.members());
        let part = hubbub_core::fan_out::part_members(crate::number::size(frames)) as f64;
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
            traffic.deliver_seconds = rounds * (round_seconds - self.latencies.queue.mean());
        } else {
            // A room that is always busy never gives its lease back.
            traffic.broadcasts = rounds * (1.0 - share);
            traffic.pages = rounds * pages;
            traffic.page_seconds = page_seconds;
            traffic.plans = rounds + traffic.broadcasts;
            traffic.plan_seconds = traffic.plans * self.calls(PLAN_CALLS);
            traffic.transitions = rounds * (ROUND_TRANSITIONS + pages) + traffic.broadcasts * END_TRANSITIONS;
        }
        traffic
    }
}
