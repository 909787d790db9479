//! A user's device: it connects and disconnects, joins and leaves rooms, publishes, and remembers its positions.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use futures::future::join_all;
use hubbub_client::{Position, ServerFrame, Start};
use hubbub_core::members::connection::Connection;
use hubbub_core::members::membership::Admission;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{MessageId, RoomId, UserId};
use hubbub_testkit::fixtures::FOREVER;
use serde_json::json;

use super::line::{Answer, Failure, Line};
use super::{PATIENCE, body};
use crate::environment::Environment;
use crate::functions::{connect, disconnect};
use crate::record::MessageKey;
use crate::sockets::Phase;

/// A device.
pub(crate) struct Device {
    environment: Rc<Environment>,
    name: String,
    user: UserId,
    users: Vec<UserId>,
    rooms: Vec<RoomId>,
    /// The rooms that it wants to be in.
    wanted: RefCell<BTreeSet<String>>,
    /// Where it was in each channel when its last socket ended.
    positions: RefCell<BTreeMap<String, Position>>,
    line: RefCell<Option<Rc<Line>>>,
    /// What it has published and not heard of, and since when.
    unanswered: RefCell<Option<(MessageKey, serde_json::Value, u64)>>,
    published: Cell<u64>,
}

impl Device {
    pub(crate) fn new(
        environment: &Rc<Environment>,
        name: String,
        user: UserId,
        users: &[UserId],
        rooms: &[RoomId],
    ) -> Rc<Self> {
        Rc::new(Self {
            environment: Rc::clone(environment),
            name,
            user,
            users: users.to_vec(),
            rooms: rooms.to_vec(),
            wanted: RefCell::default(),
            positions: RefCell::default(),
            line: RefCell::default(),
            unanswered: RefCell::default(),
            published: Cell::new(0),
        })
    }

    pub(crate) const fn name(&self) -> &String {
        &self.name
    }

    /// Its socket, if it has one that is open.
    pub(crate) fn line(&self) -> Option<Rc<Line>> {
        self.line.borrow().clone().filter(|line| line.is_open())
    }

    pub(crate) async fn live(self: Rc<Self>) {
        let scheduler = &self.environment.scheduler;
        scheduler.sleep(scheduler.below(5_000)).await;
        for _ in 0..self.environment.scale.actions {
            match self.present_line() {
                Some(line) => self.act(&line).await,
                None => self.come().await,
            }
            let pauses = [0, 0, 300, 3_000, 3_000, 40_000];
            scheduler.sleep(scheduler.below(scheduler.pick(&pauses).copied().unwrap_or_default())).await;
        }
    }

    /// Its socket, unless that has ended meanwhile.
    fn present_line(&self) -> Option<Rc<Line>> {
        let line = self.line.borrow().clone()?;
        if line.socket.is_too_old(self.environment.scheduler.now()) || line.is_unknown.get() {
            line.socket.close();
        }
        if line.is_open() {
            return Some(line);
        }
        self.hang_up();
        None
    }

    /// Ends the socket, if there is one; `$disconnect` may come, and may not.
    fn hang_up(&self) {
        let Some(line) = self.line.borrow_mut().take() else { return };
        self.environment.scheduler.note(|| format!("{} hangs up {}", self.name, line.socket.id));
        line.socket.close();
        self.positions.borrow_mut().extend(line.positions());
        if self.environment.scheduler.below(5) < 3 {
            let environment = Rc::clone(&self.environment);
            self.environment.scheduler.spawn("gateway", async move {
                environment.scheduler.sleep(environment.scheduler.below(3_000)).await;
                disconnect(&environment, line.socket.id.clone()).end().await;
            });
        }
    }

    async fn act(self: &Rc<Self>, line: &Rc<Line>) {
        let scheduler = &self.environment.scheduler;
        match scheduler.below(20) {
            0..=8 => self.publish_somewhere(line).await,
            9..=12 => self.join_room(line).await,
            13 => self.leave_room(line).await,
            14..=16 => {
                // The next ping does what this one doesn't.
                let _ = line.ping().await;
            }
            17 => {
                let channel = scheduler.pick(&line.channels()).cloned();
                let _ = line.request(json!({"action": "history", "channel": channel, "limit": 5})).await;
            }
            18 => self.hang_up(),
            _ => {
                self.hang_up();
                let away = [10_000, 400_000, 4_000_000];
                scheduler.sleep(scheduler.below(scheduler.pick(&away).copied().unwrap_or_default())).await;
            }
        }
    }

    /// Opens a socket, goes on in each channel from where it was, and repeats what it hasn't heard of.
    async fn come(self: &Rc<Self>) {
        let environment = &self.environment;
        let scheduler = &environment.scheduler;
        let socket = environment.sockets.begin(scheduler);
        scheduler.note(|| format!("{} opens {}", self.name, socket.id));
        let connection = Connection {
            id: socket.id.clone(),
            user: self.user.clone(),
            connected_at: socket.connected_at,
            until: FOREVER,
        };
        let answer = connect(environment, connection).end().await;
        if !matches!(answer, Some(Ok(Admission::Connected))) {
            socket.close();
            return;
        }
        let handshakes = [0, 0, 500, 9_000];
        scheduler.sleep(scheduler.below(scheduler.pick(&handshakes).copied().unwrap_or_default())).await;
        if socket.phase() == Phase::Closed {
            return;
        }
        socket.open();
        let line = Line::new(environment, &self.name, &self.user, Rc::clone(&socket));
        self.line.replace(Some(Rc::clone(&line)));
        let starts = self.starts();
        for (channel, start) in &starts {
            line.follow(channel, start.clone());
        }
        scheduler.spawn(format!("{} reads", self.name), Rc::clone(&line).read());
        let joins = join_all(starts.iter().map(|(channel, start)| line.join(channel, start.clone()))).await;
        if joins.iter().any(Result::is_err) {
            self.hang_up();
            return;
        }
        self.repeat_unanswered(&line).await;
    }

    /// The channels that it follows, with where it starts in each.
    fn starts(&self) -> Vec<(String, Start)> {
        let own = Channel::User(self.user.clone()).to_string();
        let positions = self.positions.borrow();
        let rooms = self.wanted.borrow().iter().map(|room| format!("room:{room}")).collect::<Vec<_>>();
        let channels = [own.clone(), Channel::Everyone.to_string()].into_iter().chain(rooms);
        channels
            .map(|channel| {
                let start = match positions.get(&channel) {
                    Some(position) => Start::After(position.clone()),
                    None if channel == own => Start::Beginning,
                    None => Start::Now,
                };
                (channel, start)
            })
            .collect()
    }

    async fn join_room(&self, line: &Rc<Line>) {
        let Some(room) = self.environment.scheduler.pick(&self.rooms) else { return };
        let channel = format!("room:{room}");
        let start = if line.channels().contains(&channel) { Start::Known } else { Start::Now };
        if start == Start::Now {
            line.follow(&channel, start.clone());
        }
        self.wanted.borrow_mut().insert(room.to_string());
        if line.join(&channel, start).await == Err(Failure::Again) {
            // It isn't known whether it is a member, so it begins anew.
            self.hang_up();
        }
    }

    async fn leave_room(&self, line: &Rc<Line>) {
        let room = self.wanted.borrow().first().cloned();
        let Some(room) = room else { return };
        if !line.channels().contains(&format!("room:{room}")) {
            return;
        }
        self.wanted.borrow_mut().remove(&room);
        match line.leave(&room).await {
            Ok(()) => {
                self.positions.borrow_mut().remove(&format!("room:{room}"));
            }
            Err(_) => {
                self.wanted.borrow_mut().insert(room);
            }
        }
    }

    async fn publish_somewhere(&self, line: &Rc<Line>) {
        let scheduler = &self.environment.scheduler;
        let number = self.published.get() + 1;
        self.published.set(number);
        let id = format!("{}-{number}", self.name);
        let content = body(&self.environment, &id);
        let receipt = scheduler.below(4) == 0;
        let room = scheduler.pick(&self.rooms).filter(|room| self.wanted.borrow().contains(room.as_str()));
        let (channel, question) = match (room, scheduler.pick(&self.users)) {
            (Some(room), _) if scheduler.below(4) > 0 => (
                Channel::Room(room.clone()),
                json!({"action": "publish", "room": room, "id": id, "body": content, "receipt": receipt}),
            ),
            (_, Some(user)) => (
                Channel::User(user.clone()),
                json!({"action": "direct", "to": user, "id": id, "body": content, "receipt": receipt}),
            ),
            _ => return,
        };
        let Ok(id) = MessageId::parse(&id) else { return };
        let key = (channel, self.user.clone(), id);
        self.environment.record.publish(&key);
        self.publish(line, key, question, scheduler.now()).await;
    }

    /// Publishes until it is accepted, for as long as the same id is the same message; on the next socket, if this one ends.
    async fn publish(&self, line: &Rc<Line>, key: MessageKey, question: serde_json::Value, began: u64) {
        let scheduler = &self.environment.scheduler;
        while scheduler.now() - began < PATIENCE {
            match line.request(question.clone()).await {
                Ok(Answer { frame: ServerFrame::Accepted(_), .. }) => {
                    self.environment.record.accept(&self.name, &key);
                    return;
                }
                Err(Failure::Final) if !line.is_open() => {
                    self.unanswered.replace(Some((key, question, began)));
                    return;
                }
                Err(Failure::Final) => return,
                _ => scheduler.sleep(scheduler.below(3_000)).await,
            }
        }
    }

    async fn repeat_unanswered(&self, line: &Rc<Line>) {
        let unanswered = self.unanswered.take();
        if let Some((key, question, began)) = unanswered {
            self.environment.record.count("repeated");
            self.publish(line, key, question, began).await;
        }
    }

    /// At the end: comes back if it is away, asks for what it missed, and gets it.
    pub(crate) async fn recover(self: Rc<Self>) {
        for _ in 0..5 {
            match self.present_line() {
                None => self.come().await,
                Some(line) => {
                    if line.ping().await.is_ok() {
                        return;
                    }
                }
            }
        }
        self.environment.record.violate(format!("{} can't come back, though all faults have stopped", self.name));
    }
}
