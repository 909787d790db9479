//! The sockets, as API Gateway keeps them: a handshake, a life of two hours at most, and posts that go wrong.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use hubbub_core::delivery::outcome::Outcome;
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::id::ConnectionId;
use hubbub_core::wire::time::Timestamp;

use crate::scheduler::{Scheduler, Signal};

/// The longest that a post hangs, in milliseconds, before it counts as failed.
const POST_TIMEOUT: u64 = 3_000;

/// How far a socket is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `$connect` is not answered yet.
    Handshake,
    /// Frames go both ways.
    Open,
    /// Closed.
    Closed,
}

/// A socket.
pub(crate) struct Socket {
    /// Its id.
    pub(crate) id: ConnectionId,
    /// When it was opened.
    pub(crate) connected_at: Timestamp,
    phase: Cell<Phase>,
    /// Texts on their way to the client, in order.
    inbox: RefCell<VecDeque<String>>,
    /// Until then, every post is throttled.
    throttled_until: Cell<u64>,
    /// Notified when there is something in the inbox, and when it closes.
    pub(crate) changed: Signal,
    /// A post was answered 410 in a handshake that took longer than the rules allow for.
    pub(crate) is_misjudged: Cell<bool>,
}

impl Socket {
    /// How far it is in its life.
    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// The handshake is over.
    pub(crate) fn open(&self) {
        self.phase.set(Phase::Open);
    }

    /// Closes it; frames on their way are lost.
    pub(crate) fn close(&self) {
        self.phase.set(Phase::Closed);
        self.inbox.borrow_mut().clear();
        self.changed.notify();
    }

    /// Whether the gateway cuts it: it is too old.
    pub(crate) fn is_too_old(&self, now: u64) -> bool {
        Timestamp(now).since(self.connected_at) >= API_GATEWAY.max_connection_age
    }

    /// Puts a text on its way to the client.
    pub(crate) fn push(&self, text: String) {
        if self.phase() == Phase::Open {
            self.inbox.borrow_mut().push_back(text);
            self.changed.notify();
        }
    }

    /// The next text that the client reads.
    pub(crate) fn pop(&self) -> Option<String> {
        self.inbox.borrow_mut().pop_front()
    }

    /// One post.
    pub(crate) async fn post(&self, scheduler: &Scheduler, text: &str) -> Outcome {
        let now = scheduler.now();
        match self.phase() {
            Phase::Closed => return Outcome::Gone,
            Phase::Handshake => {
                if Timestamp(now).since(self.connected_at) >= API_GATEWAY.min_prune_age {
                    self.is_misjudged.set(true);
                }
                return Outcome::Gone;
            }
            Phase::Open => {}
        }
        if now < self.throttled_until.get() {
            return Outcome::Throttled;
        }
        if !scheduler.happens(scheduler.faults().post) {
            self.push(text.to_owned());
            return Outcome::Delivered;
        }
        match scheduler.below(5) {
            0 => Outcome::Throttled,
            1 => {
                self.throttled_until.set(now + scheduler.below(60_000));
                Outcome::Throttled
            }
            2 => Outcome::Failed,
            3 => {
                self.push(text.to_owned());
                Outcome::Failed
            }
            _ => {
                let has_arrived = scheduler.below(2) == 0;
                if has_arrived {
                    self.push(text.to_owned());
                }
                scheduler.sleep(POST_TIMEOUT).await;
                Outcome::Failed
            }
        }
    }
}

/// All sockets that there ever were.
#[derive(Default)]
pub(crate) struct Sockets(RefCell<BTreeMap<ConnectionId, Rc<Socket>>>);

impl Sockets {
    /// A handshake begins.
    pub(crate) fn begin(&self, scheduler: &Scheduler) -> Rc<Socket> {
        let id = ConnectionId::new(format!("connection-{:04}", scheduler.fresh()));
        let socket = Rc::new(Socket {
            id: id.clone(),
            connected_at: Timestamp(scheduler.now()),
            phase: Cell::new(Phase::Handshake),
            inbox: RefCell::default(),
            throttled_until: Cell::new(0),
            changed: Signal::default(),
            is_misjudged: Cell::new(false),
        });
        self.0.borrow_mut().insert(id, Rc::clone(&socket));
        socket
    }

    /// A socket, if there ever was one of this id.
    pub(crate) fn get(&self, id: &ConnectionId) -> Option<Rc<Socket>> {
        self.0.borrow().get(id).cloned()
    }

    /// Those that are open.
    pub(crate) fn all_open(&self) -> Vec<Rc<Socket>> {
        self.0.borrow().values().filter(|socket| socket.phase() == Phase::Open).cloned().collect()
    }
}
