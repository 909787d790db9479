//! What a client remembers of one channel, and the rules by which frames become messages in their order.
//!
//! Deliveries are at least once and may overtake each other, so a frame is only a hint of what the log holds. The state hands out each
//! message once, the next one always being the one that follows the last; what came too early is held back until a `join` has
//! fetched what lies between. There is no I/O here and no clock: frames come in, and a [`Step`] says what to hand out and whether
//! to join.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::AddAssign;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::frames::{FrameKind, Joined, Message, Posted};

/// How far a client has come in a channel's log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The life of the log that the sequence belongs to.
    pub epoch: String,
    /// The last sequence that was handed out.
    pub seq: u64,
}

/// From where a channel is joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// From the position that is known, and from the newest message if none is.
    Known,
    /// From the newest message.
    Now,
    /// From the first message that is kept.
    Beginning,
    /// From the message after this position. Messages after it are handed out again if they had been before.
    After(Position),
}

/// What a `join` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// The last sequence that was seen.
    pub seq: Option<u64>,
    /// The epoch in which it was seen.
    pub epoch: Option<String>,
}

/// How and when a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// The frame that it came in.
    pub frame: FrameKind,
    /// When the frame was read from the socket, which may be before the message's turn came.
    pub received: Instant,
}

/// A message whose turn has come.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The channel.
    pub channel: Channel,
    /// The epoch of its sequence.
    pub epoch: String,
    /// The message.
    pub message: Message,
    /// How and when it came.
    pub arrival: NewMessage,
}

/// What was missed can't be given: the log has a new epoch, or its messages have expired. The client goes on from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// The epoch of the log now.
    pub epoch: String,
    /// Its newest sequence.
    pub head: u64,
}

/// What follows from an input.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// The log was lost sight of; comes before the deliveries.
    pub reset: Option<Reset>,
    /// Messages to hand out, in order.
    pub deliveries: Vec<Delivery>,
    /// Something is missing: join with [`Start::Known`].
    pub needs_join: bool,
    /// How many answers in a row have brought nothing new; a reason to wait before the next join.
    pub idle_joins: u32,
}

/// What has happened to a channel since the client began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// `message` and `messages` frames that came.
    pub frames: u64,
    /// Messages in them.
    pub messages: u64,
    /// Messages that had come before and were dropped.
    pub duplicates: u64,
    /// Messages that came before their turn, while a message before them was missing.
    pub early: u64,
    /// Messages that a `join` brought.
    pub recovered: u64,
    /// Answers to `join`.
    pub joins: u64,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.frames += other.frames;
        self.messages += other.messages;
        self.duplicates += other.duplicates;
        self.early += other.early;
        self.recovered += other.recovered;
        self.joins += other.joins;
    }
}

impl Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(counters: I) -> Self {
        counters.fold(Self::default(), |mut sum, counters| {
            sum += counters;
            sum
        })
    }
}

/// After so many answers in a row that brought nothing, the log is taken at its word and the client starts anew.
const PATIENCE: u32 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Messages are handed out as their turn comes.
    Open,
    /// A join is under way: everything is held back. Remembers the `since` that was asked for.
    Joining { since: Option<u64> },
    /// Not a member: nothing is handed out.
    Left,
}

struct Held {
    message: Message,
    arrival: NewMessage,
    /// How many joins had been sent when it came.
    generation: u64,
}

/// What a client remembers of a channel.
pub struct ChannelState {
    channel: Channel,
    phase: Phase,
    position: Option<Position>,
    /// Without a position, all that is kept is wanted, and nothing may be handed out before its beginning is there.
    wants_all: bool,
    /// By epoch and sequence.
    held: BTreeMap<(String, u64), Held>,
    generation: u64,
    idle_joins: u32,
    /// The log is known to be longer than what has come of it.
    is_behind: bool,
    counters: Counters,
}

impl ChannelState {
    /// A channel of which nothing is known. Without a join, the first message that comes counts as the next one: everyone is a member of
    /// their own channel and of `everyone` without asking.
    #[must_use]
    pub const fn new(channel: Channel) -> Self {
        Self {
            channel,
            phase: Phase::Open,
            position: None,
            wants_all: false,
            held: BTreeMap::new(),
            generation: 0,
            idle_joins: 0,
            is_behind: false,
            counters: Counters { frames: 0, messages: 0, duplicates: 0, early: 0, recovered: 0, joins: 0 },
        }
    }

    /// The last message that was handed out, or where the log stood at the join; nothing if that isn't known yet.
    #[must_use]
    pub const fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// What has happened so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether the connection is a member, or about to be one.
    #[must_use]
    pub const fn is_followed(&self) -> bool {
        !matches!(self.phase, Phase::Left)
    }

    /// Whether something is missing that only a join can bring.
    #[must_use]
    pub fn needs_join(&self) -> bool {
        self.phase == Phase::Open && (self.is_behind || !self.held.is_empty())
    }

    /// A join is about to be sent; gives what it must ask for. Until [`ChannelState::joined`] or [`ChannelState::join_failed`],
    /// everything that comes is held back. Joins of one channel must not overlap.
    pub fn join(&mut self, start: Start) -> Since {
        self.generation += 1;
        let is_from_head = start == Start::Now;
        match start {
            Start::Known => {}
            Start::Now => self.wants_all = false,
            Start::Beginning => (self.position, self.wants_all) = (None, true),
            Start::After(position) => (self.position, self.wants_all) = (Some(position), false),
        }
        let since = if is_from_head { Since::default() } else { self.since() };
        self.phase = Phase::Joining { since: since.seq };
        since
    }

    /// What must be asked for to go on from here.
    fn since(&self) -> Since {
        let beginning = Since { seq: self.wants_all.then_some(0), epoch: None };
        self.position
            .as_ref()
            .map_or(beginning, |position| Since { seq: Some(position.seq), epoch: Some(position.epoch.clone()) })
    }

    /// The answer to a join.
    pub fn joined(&mut self, answer: Joined, received: Instant) -> Step {
        let since = match self.phase {
            Phase::Joining { since } => since,
            Phase::Open | Phase::Left => None,
        };
        let before = self.position.clone();
        self.phase = Phase::Open;
        self.counters.joins += 1;
        // What came before the question and isn't of this epoch is of an older one. What came after it may be of a newer one.
        let generation = self.generation;
        self.held.retain(|(epoch, _), held| *epoch == answer.epoch || held.generation == generation);

        let mut reset = None;
        if self.continues(since, &answer) {
            self.position
                .get_or_insert_with(|| Position { epoch: answer.epoch.clone(), seq: since.unwrap_or_default() });
            let arrival = NewMessage { frame: FrameKind::Joined, received };
            for message in answer.messages {
                self.counters.recovered += u64::from(self.hold(&answer.epoch, message, arrival));
            }
        } else {
            self.start_anew(&answer.epoch, answer.head);
            reset = since.is_some().then(|| Reset { epoch: answer.epoch.clone(), head: answer.head });
        }
        let mut deliveries = self.drain();
        // An answer that has `more` stops short of the head, so this is all that it says.
        self.is_behind =
            self.position.as_ref().is_some_and(|position| position.epoch == answer.epoch && position.seq < answer.head);

        if self.needs_join() && self.position == before {
            self.idle_joins += 1;
            if self.idle_joins >= PATIENCE {
                self.is_behind = false;
                self.start_anew(&answer.epoch, answer.head);
                reset = Some(Reset { epoch: answer.epoch, head: answer.head });
                deliveries.extend(self.drain());
            }
        }
        if self.position != before {
            self.idle_joins = 0;
        }
        self.step(reset, deliveries)
    }

    /// Whether an answer goes on from what is known.
    fn continues(&self, since: Option<u64>, answer: &Joined) -> bool {
        since.is_some()
            && answer.recovered == Some(true)
            && self.position.as_ref().is_none_or(|position| position.epoch == answer.epoch)
    }

    /// Goes on from the head of the log, or from before it if the messages up to it have come by themselves.
    fn start_anew(&mut self, epoch: &str, head: u64) {
        let mut seq = head;
        while seq > 0 && self.held.contains_key(&(epoch.to_owned(), seq)) {
            seq -= 1;
        }
        if let Some(position) = &self.position
            && position.epoch == epoch
            && position.seq <= head
        {
            seq = seq.max(position.seq);
        }
        self.position = Some(Position { epoch: epoch.to_owned(), seq });
    }

    /// A join was not answered, or with an error: what was held back comes out as far as it goes.
    pub fn join_failed(&mut self) -> Step {
        if self.phase == Phase::Left {
            return Step::default();
        }
        self.phase = Phase::Open;
        if self.position.is_none() && !self.wants_all {
            self.position = self
                .held
                .keys()
                .next()
                .map(|(epoch, seq)| Position { epoch: epoch.clone(), seq: seq.saturating_sub(1) });
        }
        let deliveries = self.drain();
        self.step(None, deliveries)
    }

    /// The connection is not a member any more. The position is forgotten; who wants to come back to it keeps it.
    pub fn left(&mut self) {
        self.phase = Phase::Left;
        self.position = None;
        self.wants_all = false;
        self.held.clear();
        self.is_behind = false;
        self.idle_joins = 0;
    }

    /// Messages have come by themselves.
    pub fn receive(&mut self, posted: Posted, received: Instant) -> Step {
        self.counters.frames += 1;
        let arrival = NewMessage { frame: posted.kind, received };
        for message in posted.messages {
            self.counters.messages += 1;
            if self.phase == Phase::Left {
                continue;
            }
            if self.phase == Phase::Open && self.position.is_none() && !self.wants_all {
                self.position = Some(Position { epoch: posted.epoch.clone(), seq: message.seq.saturating_sub(1) });
            }
            self.hold(&posted.epoch, message, arrival);
        }
        if self.phase != Phase::Open {
            return self.step(None, Vec::new());
        }
        let deliveries = self.drain();
        self.counters.early += self.held.values().filter(|held| held.arrival == arrival).count() as u64;
        self.step(None, deliveries)
    }

    /// Keeps a message until its turn, and says whether it is new.
    fn hold(&mut self, epoch: &str, message: Message, arrival: NewMessage) -> bool {
        let is_old = |position: &Position| position.epoch == epoch && message.seq <= position.seq;
        let key = (epoch.to_owned(), message.seq);
        if self.position.as_ref().is_some_and(is_old) || self.held.contains_key(&key) {
            // A join answers with what has meanwhile come by itself: that is no fault of the deliveries.
            self.counters.duplicates += u64::from(arrival.frame != FrameKind::Joined);
            return false;
        }
        self.held.insert(key, Held { message, arrival, generation: self.generation });
        true
    }

    /// Takes out the messages whose turn has come.
    fn drain(&mut self) -> Vec<Delivery> {
        let Some(position) = &mut self.position else {
            return Vec::new();
        };
        let mut deliveries = Vec::new();
        while let Some(held) = self.held.remove(&(position.epoch.clone(), position.seq + 1)) {
            position.seq += 1;
            deliveries.push(Delivery {
                channel: self.channel.clone(),
                epoch: position.epoch.clone(),
                message: held.message,
                arrival: held.arrival,
            });
        }
        self.held.retain(|(epoch, seq), _| *epoch != position.epoch || *seq > position.seq);
        deliveries
    }

    fn step(&self, reset: Option<Reset>, deliveries: Vec<Delivery>) -> Step {
        Step { reset, deliveries, needs_join: self.needs_join(), idle_joins: self.idle_joins }
    }
}

#[cfg(test)]
mod tests;
