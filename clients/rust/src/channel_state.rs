//! The state of one channel, and the rules that turn frames into messages in order, each once.
//!
//! The server delivers each message at least once, and messages may overtake each other. So a frame is only a hint of the log's
//! content. The state hands out each message once, always the one that follows the last. It holds back a message that comes early
//! until a `join` has brought those before it. There is no I/O and no clock here: frames come in, and a [`Step`] says which messages to
//! hand out and whether to join.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::AddAssign;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::frames::{FrameKind, Joined, Message, Messages};

/// A place in a channel's log: the last message that a client has handed out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The epoch of the log. A log that starts again gets a new one.
    pub epoch: String,
    /// The sequence of the message.
    pub seq: u64,
}

/// Where a client begins to read a channel that it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// After the last message that this client has handed out, or after the newest one if it has handed out none.
    Known,
    /// After the newest message.
    Now,
    /// At the oldest message that the log keeps.
    Beginning,
    /// After this position. Messages that were handed out before may be handed out again.
    After(Position),
}

/// The position that a `join` sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// The last sequence that the client has seen. `None` asks for no missed messages.
    pub seq: Option<u64>,
    /// The epoch of the sequence.
    pub epoch: Option<String>,
}

/// A message, handed out in its turn.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The channel.
    pub channel: Channel,
    /// The epoch of the message's sequence.
    pub epoch: String,
    /// The message.
    pub message: Message,
    /// The frame that brought it.
    pub frame: FrameKind,
    /// The time when the frame was read from the socket. The message may have waited for its turn since.
    pub received_at: Instant,
}

/// The missed messages can't be returned, because the log has a new epoch or no longer keeps them. The client reads on from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// The current epoch of the log.
    pub epoch: String,
    /// The newest sequence.
    pub head: u64,
}

/// What to do after an input.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Report that messages were missed for good. Do this before the deliveries.
    pub reset: Option<Reset>,
    /// Hand out these messages, in order.
    pub deliveries: Vec<Delivery>,
    /// Join again with [`Start::Known`], because messages are missing.
    pub needs_join: bool,
    /// The number of answers in a row that brought nothing new. Wait longer before the next join if it grows.
    pub idle_joins: u32,
}

/// Counts of what has happened to a channel since the client began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// `message` and `messages` frames.
    pub frames: u64,
    /// Messages in those frames.
    pub messages: u64,
    /// Messages that were dropped because they had come before.
    pub duplicates: u64,
    /// Messages that were held back because one before them was missing.
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

/// After this many answers in a row without the missing message, the client takes it for lost and reads on from the head.
const MAX_IDLE_JOINS: u32 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Messages are handed out in their turn.
    Open,
    /// A join with this `since` is not answered yet. All messages are held back.
    Joining { since: Option<u64> },
    /// The connection is not a member. Messages are dropped.
    Left,
}

struct HeldMessage {
    message: Message,
    frame: FrameKind,
    received_at: Instant,
    /// The number of joins that had been sent when it came.
    joins_sent: u64,
}

/// The state of one channel on a client.
pub struct ChannelState {
    channel: Channel,
    phase: Phase,
    position: Option<Position>,
    /// Without a position: hand out nothing before the oldest message that the log keeps.
    from_beginning: bool,
    /// By epoch and sequence.
    held: BTreeMap<(String, u64), HeldMessage>,
    joins_sent: u64,
    idle_joins: u32,
    /// The last answer to a join said that the log has more messages than have come.
    is_incomplete: bool,
    counters: Counters,
}

impl ChannelState {
    /// A channel without a position. If a message comes before any join, the state begins with that message: every user is a member of
    /// their own channel and of `everyone` without a join.
    #[must_use]
    pub const fn new(channel: Channel) -> Self {
        Self {
            channel,
            phase: Phase::Open,
            position: None,
            from_beginning: false,
            held: BTreeMap::new(),
            joins_sent: 0,
            idle_joins: 0,
            is_incomplete: false,
            counters: Counters { frames: 0, messages: 0, duplicates: 0, early: 0, recovered: 0, joins: 0 },
        }
    }

    /// The last message that was handed out, or the log's head at the join if none was. `None` before either is known.
    #[must_use]
    pub const fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Counts of what has happened so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether the connection is a member or is joining.
    #[must_use]
    pub const fn is_followed(&self) -> bool {
        !matches!(self.phase, Phase::Left)
    }

    /// Whether messages are missing that only a join can bring.
    #[must_use]
    pub fn needs_join(&self) -> bool {
        self.phase == Phase::Open && (self.is_incomplete || !self.held.is_empty())
    }

    /// Begins a join, and returns the position that it must send. Messages are held back until [`ChannelState::joined`] or
    /// [`ChannelState::join_failed`]. Joins of one channel must not overlap.
    pub fn join(&mut self, start: Start) -> Since {
        self.joins_sent += 1;
        let is_from_head = start == Start::Now;
        match start {
            Start::Known => {}
            Start::Now => self.from_beginning = false,
            Start::Beginning => (self.position, self.from_beginning) = (None, true),
            Start::After(position) => (self.position, self.from_beginning) = (Some(position), false),
        }
        let since = if is_from_head { Since::default() } else { self.since() };
        self.phase = Phase::Joining { since: since.seq };
        since
    }

    /// The position that a join must send to get the next messages.
    fn since(&self) -> Since {
        let beginning = Since { seq: self.from_beginning.then_some(0), epoch: None };
        self.position
            .as_ref()
            .map_or(beginning, |position| Since { seq: Some(position.seq), epoch: Some(position.epoch.clone()) })
    }

    /// Takes the answer to a join, which was read from the socket at `received_at`.
    pub fn joined(&mut self, answer: Joined, received_at: Instant) -> Step {
        let since = match self.phase {
            Phase::Joining { since } => since,
            Phase::Open | Phase::Left => None,
        };
        let before = self.position.clone();
        self.phase = Phase::Open;
        self.counters.joins += 1;
        // A held message of another epoch is of an older one if it came before the join was sent. If it came after, its epoch may be newer.
        let joins_sent = self.joins_sent;
        self.held.retain(|(epoch, _), held| *epoch == answer.epoch || held.joins_sent == joins_sent);

        let mut reset = None;
        if self.continues(since, &answer) {
            self.position
                .get_or_insert_with(|| Position { epoch: answer.epoch.clone(), seq: since.unwrap_or_default() });
            for message in answer.messages {
                let is_new = self.hold(&answer.epoch, message, FrameKind::Joined, received_at);
                self.counters.recovered += u64::from(is_new);
            }
        } else {
            self.restart(&answer.epoch, answer.head);
            reset = since.is_some().then(|| Reset { epoch: answer.epoch.clone(), head: answer.head });
        }
        let mut deliveries = self.take_ready();
        // This covers `more`, too: an answer with `more` ends before the head.
        self.is_incomplete =
            self.position.as_ref().is_some_and(|position| position.epoch == answer.epoch && position.seq < answer.head);

        if self.needs_join() && self.position == before {
            self.idle_joins += 1;
            if self.idle_joins >= MAX_IDLE_JOINS {
                self.is_incomplete = false;
                self.restart(&answer.epoch, answer.head);
                reset = Some(Reset { epoch: answer.epoch, head: answer.head });
                deliveries.extend(self.take_ready());
            }
        }
        if self.position != before {
            self.idle_joins = 0;
        }
        self.step(reset, deliveries)
    }

    /// Whether the messages of an answer follow the position.
    fn continues(&self, since: Option<u64>, answer: &Joined) -> bool {
        since.is_some()
            && answer.recovered == Some(true)
            && self.position.as_ref().is_none_or(|position| position.epoch == answer.epoch)
    }

    /// Moves the position to the log's head, or before it if the messages up to the head are held.
    fn restart(&mut self, epoch: &str, head: u64) {
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

    /// Takes note that a join failed. Held messages are handed out up to the first one that is missing.
    pub fn join_failed(&mut self) -> Step {
        if self.phase == Phase::Left {
            return Step::default();
        }
        self.phase = Phase::Open;
        if self.position.is_none() && !self.from_beginning {
            self.position = self
                .held
                .keys()
                .next()
                .map(|(epoch, seq)| Position { epoch: epoch.clone(), seq: seq.saturating_sub(1) });
        }
        let deliveries = self.take_ready();
        self.step(None, deliveries)
    }

    /// Takes note that the connection is no longer a member. This forgets the position.
    pub fn left(&mut self) {
        self.phase = Phase::Left;
        self.position = None;
        self.from_beginning = false;
        self.held.clear();
        self.is_incomplete = false;
        self.idle_joins = 0;
    }

    /// Takes a frame of messages, which was read from the socket at `received_at`.
    pub fn receive(&mut self, frame: Messages, received_at: Instant) -> Step {
        self.counters.frames += 1;
        for message in frame.messages {
            self.counters.messages += 1;
            if self.phase == Phase::Left {
                continue;
            }
            if self.phase == Phase::Open && self.position.is_none() && !self.from_beginning {
                self.position = Some(Position { epoch: frame.epoch.clone(), seq: message.seq.saturating_sub(1) });
            }
            self.hold(&frame.epoch, message, frame.kind, received_at);
        }
        if self.phase != Phase::Open {
            return self.step(None, Vec::new());
        }
        let deliveries = self.take_ready();
        let is_of_frame = |held: &&HeldMessage| held.frame == frame.kind && held.received_at == received_at;
        self.counters.early += self.held.values().filter(is_of_frame).count() as u64;
        self.step(None, deliveries)
    }

    /// Holds a message until its turn, and returns whether it is new.
    fn hold(&mut self, epoch: &str, message: Message, frame: FrameKind, received_at: Instant) -> bool {
        let is_old = |position: &Position| position.epoch == epoch && message.seq <= position.seq;
        let key = (epoch.to_owned(), message.seq);
        if self.position.as_ref().is_some_and(is_old) || self.held.contains_key(&key) {
            // A join also returns messages that came by themselves meanwhile. Those are not counted: nothing was delivered twice.
            self.counters.duplicates += u64::from(frame != FrameKind::Joined);
            return false;
        }
        self.held.insert(key, HeldMessage { message, frame, received_at, joins_sent: self.joins_sent });
        true
    }

    /// Removes the held messages whose turn has come.
    fn take_ready(&mut self) -> Vec<Delivery> {
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
                frame: held.frame,
                received_at: held.received_at,
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
