//! One socket of a device, and the channels that it follows on it: what `hubbub-client` does, on a simulated socket.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use hubbub_client::frames::{Incoming, Joined, Messages};
use hubbub_client::channel_state::{ChannelState, Since, Step};
use hubbub_client::{Position, ServerError, ServerFrame, Start};
use hubbub_core::channel::Channel;
use hubbub_core::id::{Epoch, UserId};
use hubbub_core::message::Seq;
use serde_json::{Value, json};

use crate::functions::receive;
use crate::scheduler::Signal;
use crate::sockets::{Phase, Socket};
use crate::world::World;

/// How long a client waits for an answer, in milliseconds.
const PATIENCE: u64 = 30_000;

/// The pause after a failure, in milliseconds.
const PAUSE: u64 = 1_000;

/// A socket with its channels.
pub(crate) struct Line {
    world: Rc<World>,
    device: String,
    user: UserId,
    pub(crate) socket: Rc<Socket>,
    followed: RefCell<BTreeMap<String, Followed>>,
    /// By `ref`: the answers that are awaited, and those that are there.
    answers: RefCell<BTreeMap<String, Option<Answer>>>,
    changed: Signal,
    /// The server has said that it doesn't know the connection.
    pub(crate) is_unknown: Cell<bool>,
}

struct Followed {
    state: ChannelState,
    /// Somebody joins or leaves it.
    is_busy: bool,
    /// Somebody will look at what is missing.
    is_attended: bool,
}

/// An answer, parsed and as it came.
pub(crate) struct Answer {
    pub(crate) frame: ServerFrame,
    pub(crate) text: String,
}

/// Why a request was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Trying again may help.
    Again,
    /// It is of no use on this socket.
    Final,
}

impl Line {
    pub(crate) fn new(world: &Rc<World>, device: &str, user: &UserId, socket: Rc<Socket>) -> Rc<Self> {
        Rc::new(Self {
            world: Rc::clone(world),
            device: device.to_owned(),
            user: user.clone(),
            socket,
            followed: RefCell::default(),
            answers: RefCell::default(),
            changed: Signal::default(),
            is_unknown: Cell::new(false),
        })
    }

    pub(crate) fn is_open(&self) -> bool {
        self.socket.phase() == Phase::Open
    }

    /// Where it has come to in each channel.
    pub(crate) fn positions(&self) -> BTreeMap<String, Position> {
        let followed = self.followed.borrow();
        followed
            .iter()
            .filter_map(|(channel, followed)| Some((channel.clone(), followed.state.position()?.clone())))
            .collect()
    }

    /// The channels that it follows.
    pub(crate) fn channels(&self) -> Vec<String> {
        self.followed.borrow().keys().cloned().collect()
    }

    /// Follows a channel: what comes of it is held back until it is joined.
    pub(crate) fn follow(&self, channel: &str, start: Start) {
        let Ok(parsed) = channel.parse() else { return };
        let mut state = ChannelState::new(parsed);
        state.join(start);
        let followed = Followed { state, is_busy: false, is_attended: true };
        self.followed.borrow_mut().insert(channel.to_owned(), followed);
    }

    fn with<T>(&self, channel: &str, work: impl FnOnce(&mut Followed) -> T) -> Option<T> {
        self.followed.borrow_mut().get_mut(channel).map(work)
    }

    /// Reads what comes until the socket closes.
    pub(crate) async fn read(self: Rc<Self>) {
        while self.is_open() {
            self.world.scheduler.pause().await;
            match self.socket.pop() {
                Some(text) => self.take(text),
                None if self.is_open() => self.socket.changed.wait().await,
                None => {}
            }
        }
        self.changed.notify();
    }

    fn take(self: &Rc<Self>, text: String) {
        let Incoming { reference, frame } = Incoming::parse(&text);
        if let Some(reference) = reference {
            if let Some(answer) = self.answers.borrow_mut().get_mut(&reference) {
                *answer = Some(Answer { frame, text });
            }
            self.changed.notify();
        } else if let ServerFrame::Messages(posted) = frame {
            self.take_posted(posted);
        }
    }

    fn take_posted(self: &Rc<Self>, posted: Messages) {
        let channel = posted.channel.to_string();
        let received = self.world.instant();
        let Some((step, must_recover)) = self.with(&channel, |followed| {
            let step = followed.state.receive(posted, received);
            let must_recover = step.needs_join && !followed.is_attended;
            followed.is_attended |= must_recover;
            (step, must_recover)
        }) else {
            return;
        };
        self.hand_out(&step);
        if must_recover {
            self.world.ledger.count("gaps");
            self.world.scheduler.spawn(format!("{} recovers {channel}", self.device), Rc::clone(self).recover(channel));
        }
    }

    fn hand_out(&self, step: &Step) {
        for delivery in &step.deliveries {
            self.world.ledger.hand_out(&self.device, delivery);
        }
    }

    /// Closes a gap, for as long as the socket is open.
    async fn recover(self: Rc<Self>, channel: String) {
        while self.is_open() {
            let is_needed = self.with(&channel, |followed| {
                followed.is_attended = followed.state.needs_join();
                followed.is_attended
            });
            if is_needed != Some(true) {
                return;
            }
            match self.join(&channel, Start::Known).await {
                Ok(()) => {}
                Err(Failure::Again) => self.world.scheduler.sleep(PAUSE).await,
                Err(Failure::Final) => return,
            }
        }
    }

    /// Joins a channel that is followed, and gets all of what was missed.
    pub(crate) async fn join(&self, channel: &str, start: Start) -> Result<(), Failure> {
        self.begin_turn(channel).await;
        let result = self.catch_up(channel, start).await;
        self.end_turn(channel);
        result
    }

    async fn begin_turn(&self, channel: &str) {
        while self.with(channel, |followed| std::mem::replace(&mut followed.is_busy, true)) == Some(true) {
            self.changed.wait().await;
        }
    }

    /// What has come to be missing during the turn is looked for by a recovery, as in the client library.
    fn end_turn(&self, channel: &str) {
        self.with(channel, |followed| {
            followed.is_busy = false;
            followed.is_attended = followed.state.needs_join();
        });
        self.changed.notify();
    }

    async fn catch_up(&self, channel: &str, start: Start) -> Result<(), Failure> {
        let mut start = start;
        loop {
            let Some(since) = self.with(channel, |followed| followed.state.join(start)) else {
                return Err(Failure::Final);
            };
            let answer = self
                .request(json!({"action": "join", "channel": channel, "since": since.seq, "epoch": since.epoch}))
                .await;
            let joined = match answer {
                Ok(Answer { frame: ServerFrame::Joined(joined), .. }) => joined,
                other => {
                    if self.is_open()
                        && let Some(step) = self.with(channel, |followed| followed.state.join_failed())
                    {
                        self.hand_out(&step);
                    }
                    return Err(other.err().unwrap_or(Failure::Again));
                }
            };
            let step = self.take_joined(channel, &since, joined);
            if !step.needs_join {
                return Ok(());
            }
            if step.idle_joins > 0 {
                self.world.scheduler.sleep(u64::from(step.idle_joins) * PAUSE).await;
            }
            start = Start::Known;
        }
    }

    fn take_joined(&self, channel: &str, since: &Since, joined: Joined) -> Step {
        let ledger = &self.world.ledger;
        self.check_answer(channel, since, &joined);
        let parsed: Option<Channel> = channel.parse().ok();
        if let Some(parsed) = &parsed {
            ledger.promise(parsed, &self.socket.id, Epoch::new(joined.epoch.clone()), Seq(joined.head));
        }
        let received = self.world.instant();
        let Some((step, position)) = self.with(channel, |followed| {
            let step = followed.state.joined(joined, received);
            (step, followed.state.position().cloned())
        }) else {
            return Step::default();
        };
        if let Some(Position { epoch, seq }) = position
            && (since.epoch.is_none() || step.reset.is_some())
        {
            let begin = Position { epoch, seq: seq - step.deliveries.len() as u64 };
            if let (Some(_), Some(parsed)) = (&step.reset, &parsed) {
                ledger.reset(&self.device, parsed, since, &begin);
            }
            ledger.begin(&self.device, channel, begin);
        }
        self.hand_out(&step);
        step
    }

    /// What an answer to a join holds goes on from what was asked for, and goes up to its head unless there is more.
    fn check_answer(&self, channel: &str, since: &Since, joined: &Joined) {
        if joined.recovered != Some(true) {
            return;
        }
        self.world.ledger.count("recovered");
        let mut last = since.seq.unwrap_or_default();
        let is_in_order = joined.messages.iter().all(|message| {
            last += 1;
            message.seq == last
        });
        if !is_in_order || (last < joined.head) != joined.more {
            let seqs: Vec<u64> = joined.messages.iter().map(|message| message.seq).collect();
            let Joined { head, more, .. } = joined;
            self.world.ledger.violate(format!(
                "{} asked `{channel}` for what is behind {since:?} and was answered {seqs:?}, head {head}, more {more}",
                self.device
            ));
        }
    }

    /// Leaves a room.
    pub(crate) async fn leave(&self, room: &str) -> Result<(), Failure> {
        let channel = format!("room:{room}");
        self.begin_turn(&channel).await;
        if let Ok(parsed) = channel.parse() {
            self.world.ledger.release(&parsed, &self.socket.id);
        }
        let answer = self.request(json!({"action": "leave", "room": room})).await;
        let result = match answer {
            Ok(Answer { frame: ServerFrame::Left(_), .. }) => {
                self.followed.borrow_mut().remove(&channel);
                self.world.ledger.leave(&self.device, &channel);
                Ok(())
            }
            other => Err(other.err().unwrap_or(Failure::Again)),
        };
        self.end_turn(&channel);
        result
    }

    /// Asks in which channels it is behind, and joins them again.
    pub(crate) async fn ping(&self) -> Result<(), Failure> {
        let seen: BTreeMap<String, Value> = self
            .positions()
            .into_iter()
            .map(|(channel, Position { epoch, seq })| (channel, json!({"epoch": epoch, "seq": seq})))
            .collect();
        let Answer { text, .. } = self.request(json!({"action": "ping", "seen": seen})).await?;
        let pong: Value = serde_json::from_str(&text).unwrap_or_default();
        let behind = pong.get("behind").and_then(Value::as_array).cloned().unwrap_or_default();
        for channel in behind.iter().filter_map(Value::as_str) {
            self.world.ledger.count("behind");
            if self.with(channel, |_| ()).is_some() {
                self.join(channel, Start::Known).await?;
            }
        }
        Ok(())
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn request(&self, mut question: Value) -> Result<Answer, Failure> {
        let scheduler = &self.world.scheduler;
        scheduler.pause().await;
        if !self.is_open() {
            return Err(Failure::Final);
        }
        let reference = scheduler.fresh().to_string();
        if let Some(fields) = question.as_object_mut() {
            fields.insert("ref".to_owned(), reference.clone().into());
        }
        self.answers.borrow_mut().insert(reference.clone(), None);
        scheduler.spawn(
            "gateway",
            answer(Rc::clone(&self.world), Rc::clone(&self.socket), self.user.clone(), question.to_string()),
        );
        let waiting = async {
            while self.is_open() && self.answers.borrow().get(&reference).is_some_and(Option::is_none) {
                self.changed.wait().await;
            }
        };
        scheduler.within(PATIENCE, waiting).await;
        let answer = self.answers.borrow_mut().remove(&reference).flatten();
        match answer {
            // The device may have noted already how far it has come, so that nothing may be handed out any more.
            _ if !self.is_open() => Err(Failure::Final),
            None => Err(Failure::Again),
            Some(Answer { frame: ServerFrame::Error(error), .. }) => Err(self.take_error(&error)),
            Some(answer) => Ok(answer),
        }
    }

    fn take_error(&self, error: &ServerError) -> Failure {
        self.world.scheduler.note(|| format!("{} is answered: {}", self.device, error.code));
        match error.code.as_str() {
            ServerError::UNAVAILABLE | ServerError::TOO_FAST => Failure::Again,
            "not_connected" => {
                self.world.ledger.count("not connected");
                if self.is_open()
                    && !self.socket.is_misjudged.get()
                    && !self.socket.is_too_old(self.world.scheduler.now())
                {
                    let what = "has been forgotten while its socket is open, and no post after its tenth second was answered 410";
                    self.world.ledger.violate(format!("{} {what}", self.socket.id));
                }
                self.is_unknown.set(true);
                Failure::Final
            }
            _ => Failure::Final,
        }
    }
}

/// What API Gateway does with a frame. The answer may be lost on its way.
async fn answer(world: Rc<World>, socket: Rc<Socket>, user: UserId, text: String) {
    let scheduler = &world.scheduler;
    scheduler.pause().await;
    scheduler.note(|| format!("{} asks {text:.120}", socket.id));
    let answer = receive(&world, socket.id.clone(), user, text).end().await.flatten();
    if let Some(answer) = answer
        && !scheduler.happens(scheduler.faults().lose)
    {
        scheduler.note(|| format!("{} is answered {answer:.160}", socket.id));
        socket.push(answer);
    }
}
