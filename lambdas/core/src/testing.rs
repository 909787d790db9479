//! Parts for tests: time that is set by hand, ids that count, ports that record.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::append::Arrival;
use crate::capability::Capabilities;
use crate::channel::Channel;
use crate::envelope::Envelope;
use crate::frame::Frame;
use crate::id::{ConnectionId, LeaseId, MessageId, RoomId, UserId};
use crate::member::Connection;
use crate::message::{Body, Content, Message, Seq};
use crate::metrics::{Measurements, Metric};
use crate::order::Order;
use crate::outcome::Outcome;
use crate::ports::{
    Broadcasts, Clock, DeadLetter, DeadLetters, Ids, Meter, PortError, PortResult, Poster, PublishQueue,
};
use crate::protocol::Caller;
use crate::rate::Rate;
use crate::time::Timestamp;

/// A room's channel.
///
/// # Panics
/// When the id isn't one.
#[must_use]
#[expect(clippy::expect_used, reason = "only tests call it")]
pub fn room(id: &str) -> Channel {
    Channel::Room(RoomId::parse(id).expect("an id"))
}

/// A user's id.
///
/// # Panics
/// When it isn't one.
#[must_use]
#[expect(clippy::expect_used, reason = "only tests call it")]
pub fn user(id: &str) -> UserId {
    UserId::parse(id).expect("an id")
}

/// A body that says a text.
///
/// # Panics
/// Never: a JSON string is JSON.
#[must_use]
#[expect(clippy::expect_used, reason = "only tests call it")]
pub fn body(text: &str) -> Body {
    Body::parse(serde_json::Value::from(text).to_string()).expect("a string is JSON")
}

/// The message `m-<seq>` of alice, taken at 1,000 ms and its sequence.
#[must_use]
pub fn message(seq: u64, text: &str) -> Message {
    let Envelope { id, from, body, .. } = envelope("alice", &format!("m-{seq}"));
    let body = if text.is_empty() { body } else { self::body(text) };
    Message { seq: Seq(seq), id, from, content: Content::Body(body), at: Timestamp(1_000 + seq), receipt: None }
}

/// A message to the room `lobby` that says its own id.
///
/// # Panics
/// When an id isn't one.
#[must_use]
#[expect(clippy::expect_used, reason = "only tests call it")]
pub fn envelope(from: &str, id: &str) -> Envelope {
    Envelope {
        channel: room("lobby"),
        id: MessageId::parse(id).expect("an id"),
        from: user(from),
        body: body(id),
        receipt: None,
    }
}

/// The same message, as it comes to the log.
#[must_use]
pub fn arrival(from: &str, id: &str) -> Arrival {
    Arrival::of(envelope(from, id), Timestamp(1_000))
}

/// The end of a token that doesn't end while a test runs.
pub const FOREVER: Timestamp = Timestamp(9_999_999_999_999);

/// A connection that was opened at this moment, with a token that lasts.
#[must_use]
pub fn connection(id: &str, user_id: &str, connected_at: u64) -> Connection {
    Connection { id: ConnectionId::new(id), user: user(user_id), connected_at: Timestamp(connected_at), until: FOREVER }
}

/// A user who may do what members of a chat may, on a connection of the same name.
#[must_use]
pub fn caller(name: &str) -> Caller {
    Caller {
        connection: ConnectionId::new(name),
        user: user(name),
        capabilities: Capabilities::of_a_member(),
        until: FOREVER,
    }
}

/// Time that is set by hand, ids that count, and measurements that are kept. Clones share all of it.
#[derive(Clone, Debug, Default)]
pub struct World {
    now: Arc<AtomicU64>,
    ids: Arc<AtomicU64>,
    measurements: Arc<Mutex<Measurements>>,
}

impl World {
    /// A world at this moment.
    #[must_use]
    pub fn at(now: u64) -> Self {
        let world = Self::default();
        world.set(now);
        world
    }

    /// Sets the time.
    pub fn set(&self, now: u64) {
        self.now.store(now, Ordering::SeqCst);
    }

    /// What was measured so far.
    #[must_use]
    pub fn measured(&self) -> Measurements {
        self.measurements.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }
}

impl Ids for World {
    fn fresh(&self) -> String {
        format!("{:026}", self.ids.fetch_add(1, Ordering::SeqCst))
    }
}

impl Meter for World {
    fn record(&self, metric: Metric, value: u64) {
        self.measurements.lock().unwrap_or_else(PoisonError::into_inner).record(metric, value);
    }
}

/// What the recording ports have seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Envelopes that were put on the queue.
    pub enqueued: Vec<Envelope>,
    /// Wakes that were put on the queue, with their reasons.
    pub woken: Vec<(Channel, String)>,
    /// Dead letters.
    pub buried: Vec<DeadLetter>,
    /// Starts of broadcasts.
    pub started: Vec<(Channel, LeaseId)>,
    /// The frames that each connection was posted, in order.
    pub posted: BTreeMap<ConnectionId, Vec<String>>,
    /// The rates that were set for posts, in order.
    pub limits: Vec<Rate>,
    /// Connections that were closed, with the frame before.
    pub closed: Vec<(ConnectionId, String)>,
    /// Orders that were put on the queue.
    pub ordered: Vec<Order>,
}

/// Ports that record what they were asked for. Clones share their content.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    seen: Arc<Mutex<Seen>>,
    outcomes: Arc<Mutex<BTreeMap<ConnectionId, Outcome>>>,
    refusing: Arc<Mutex<Option<&'static str>>>,
}

impl Recorder {
    /// What was seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what becomes of posts to a connection from now on; without it they are delivered.
    pub fn outcome(&self, connection: &str, outcome: Outcome) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.insert(ConnectionId::new(connection), outcome);
    }

    /// Makes an operation (`enqueue`, `wake`, `bury` or `start`) fail from now on, or none.
    pub fn refuse(&self, operation: Option<&'static str>) {
        *self.refusing.lock().unwrap_or_else(PoisonError::into_inner) = operation;
    }

    fn check(&self, operation: &'static str) -> PortResult<()> {
        if *self.refusing.lock().unwrap_or_else(PoisonError::into_inner) == Some(operation) {
            return Err(PortError { operation, detail: "refused by the test".to_owned(), retryable: true });
        }
        Ok(())
    }
}

impl PublishQueue for Recorder {
    async fn enqueue(&self, envelope: &Envelope) -> PortResult<()> {
        self.check("enqueue")?;
        self.seen().enqueued.push(envelope.clone());
        Ok(())
    }

    async fn order(&self, order: &Order, _: &str) -> PortResult<()> {
        self.check("order")?;
        self.seen().ordered.push(order.clone());
        Ok(())
    }

    async fn wake(&self, channel: &Channel, reason: &str) -> PortResult<()> {
        self.check("wake")?;
        self.seen().woken.push((channel.clone(), reason.to_owned()));
        Ok(())
    }
}

impl DeadLetters for Recorder {
    async fn bury(&self, letter: &DeadLetter) -> PortResult<()> {
        self.check("bury")?;
        self.seen().buried.push(letter.clone());
        Ok(())
    }
}

impl Broadcasts for Recorder {
    async fn start(&self, channel: &Channel, lease: &LeaseId) -> PortResult<()> {
        self.check("start")?;
        self.seen().started.push((channel.clone(), lease.clone()));
        Ok(())
    }
}

impl Poster for Recorder {
    async fn post(&self, frames: &[Frame], connections: &[ConnectionId]) -> Vec<Outcome> {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = self.seen();
        let post = |id: &ConnectionId| {
            let outcome = outcomes.get(id).copied().unwrap_or(Outcome::Delivered);
            if outcome == Outcome::Delivered {
                let texts = frames.iter().map(|frame| frame.text.clone());
                seen.posted.entry(id.clone()).or_default().extend(texts);
            }
            outcome
        };
        connections.iter().map(post).collect()
    }

    async fn try_post(&self, frame: &Frame, connections: &[ConnectionId]) -> Vec<Outcome> {
        self.post(std::slice::from_ref(frame), connections).await
    }

    fn limit(&self, rate: Rate) {
        self.seen().limits.push(rate);
    }

    async fn close(&self, connection: &ConnectionId, farewell: &Frame) {
        self.seen().closed.push((connection.clone(), farewell.text.clone()));
    }
}
