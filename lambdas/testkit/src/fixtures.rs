//! Parts for tests: time that is set by hand, ids that count, ports that record.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hubbub_core::actions::Caller;
use hubbub_core::delivery::outcome::Outcome;
use hubbub_core::limits::pace::Rate;
use hubbub_core::log::append::NewMessage;
use hubbub_core::members::connection::Connection;
use hubbub_core::metrics::{Measurements, Metric};
use hubbub_core::ports::{
    Broadcasts, Clock, DeadLetter, DeadLetters, Ids, Meter, PortError, PortResult, Poster, PublishQueue,
};
use hubbub_core::wire::capabilities::Capabilities;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::command::ModerationCommand;
use hubbub_core::wire::frame::Frame;
use hubbub_core::wire::id::{ConnectionId, LeaseId, MessageId, RoomId, UserId};
use hubbub_core::wire::message::{Body, Content, Message, Seq};
use hubbub_core::wire::queue_message::Envelope;
use hubbub_core::wire::time::Timestamp;

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
pub fn new_message(from: &str, id: &str) -> NewMessage {
    NewMessage::of(envelope(from, id), Timestamp(1_000))
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
pub struct TestEnv {
    now: Arc<AtomicU64>,
    ids: Arc<AtomicU64>,
    measurements: Arc<Mutex<Measurements>>,
}

impl TestEnv {
    /// A env at this moment.
    #[must_use]
    pub fn at(now: u64) -> Self {
        let env = Self::default();
        env.set(now);
        env
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

impl Clock for TestEnv {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }
}

impl Ids for TestEnv {
    fn fresh(&self) -> String {
        format!("{:026}", self.ids.fetch_add(1, Ordering::SeqCst))
    }
}

impl Meter for TestEnv {
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
    /// Moderation commands that were put on the queue.
    pub commands: Vec<ModerationCommand>,
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

    async fn command(&self, command: &ModerationCommand, _: &str) -> PortResult<()> {
        self.check("command")?;
        self.seen().commands.push(command.clone());
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
