//! A small stack: some users, a room with a log, and the functions on its ports.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use hubbub_core::actions::Caller;
use hubbub_core::actions::ClientHandler;
use hubbub_core::broadcast::page_delivery::PageDelivery;
use hubbub_core::broadcast::planner::Planner;
use hubbub_core::delivery::deliver::Delivery;
use hubbub_core::delivery::fan_out::{FanOut, Share};
use hubbub_core::limits::budget::Budget;
use hubbub_core::limits::turns::PublishRate;
use hubbub_core::log::lease::Lease;
use hubbub_core::log::state::ChannelState;
use hubbub_core::members::membership;
use hubbub_core::ports::{Append, Bans, Log, Members, ReadLimit};
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::capabilities::Capabilities;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{ConnectionId, Epoch, LeaseId, SenderId};
use hubbub_core::wire::message::{Message, Seq};
use hubbub_core::wire::time::Timestamp;
use hubbub_testkit::fixtures::{FOREVER, Recorder, TestEnv, caller, connection, message, room, user};
use hubbub_testkit::memory::MemoryStore;

use crate::faults::Faults;
use crate::ports::Ports;

/// When everything happens.
pub const NOW: u64 = 1_000_000_000;

/// The largest body, in bytes, as the stack has it by default.
pub const MAX_BODY_BYTES: usize = 24_576;

/// The epoch of the channels that are there from the start.
pub const EPOCH: &str = "E";

/// The lease that the room's broadcast holds.
pub const LEASE: &str = "L-1";

/// How far the room's log goes.
pub const HEAD: Seq = Seq(6);

/// How far it counts as sent.
pub const SENT: Seq = Seq(2);

/// Above how many members a channel goes to the state machine.
const INLINE_LIMIT: u64 = 2;

/// Connected users. All are members of the room `lobby`.
pub const USERS: [&str; 3] = ["alice", "bob", "root"];

/// All is kept so long.
const RETENTION: Duration = Duration::from_secs(60);

/// A lease lasts so long.
const LEASE_TIME: Duration = Duration::from_secs(60);

/// No function runs out of time.
pub const NEVER: Timestamp = Timestamp(u64::MAX);

/// A small stack.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Its ports.
    pub ports: Ports,
}

impl Stage {
    /// Users in a room that has no log yet.
    #[must_use]
    pub fn new() -> Self {
        let ports = Ports {
            store: MemoryStore::default(),
            services: Recorder::default(),
            env: TestEnv::at(NOW),
            hook: Faults::default(),
        };
        let stage = Self { ports };
        let Ports { store, env, .. } = &stage.ports;
        block_on(store.open(&lobby(), &Epoch::new(EPOCH))).unwrap();
        for name in USERS {
            let one = connection(name, name, NOW - 60_000);
            block_on(membership::connect(store, env, &one, 2)).unwrap();
            block_on(membership::join(store, env, &one, &lobby(), 2)).unwrap();
        }
        stage
    }

    /// Users in a room whose log has messages of which not all are sent, more than one frame holds. A broadcast is at work in it, and
    /// alice is banned from another room.
    #[must_use]
    pub fn with_a_log() -> Self {
        let stage = Self::new();
        let store = &stage.ports.store;
        let large = "x".repeat(9_000);
        let says = |seq: u64| if (2..HEAD.0).contains(&seq) { large.as_str() } else { "hi" };
        let messages: Vec<Message> = (1..=HEAD.0).map(|seq| message(seq, says(seq))).collect();
        let (epoch, now) = (Epoch::new(EPOCH), Timestamp(NOW));
        let append = Append { epoch: &epoch, head: Seq::ZERO, messages: &messages, now, expires: now.plus(RETENTION) };
        block_on(store.append(&lobby(), &append)).unwrap();
        block_on(store.settle(&lobby(), &epoch, SENT)).unwrap();
        let lease = Lease { id: LeaseId::new(LEASE), until: now.plus(LEASE_TIME) };
        assert!(block_on(store.take_lease(&lobby(), &lease, now)).unwrap());
        block_on(store.put_ban(&user("alice"), &room("team-banned"), Timestamp(NOW + 500))).unwrap();
        stage
    }

    /// What answers clients.
    #[must_use]
    pub fn client_handler(&self) -> ClientHandler<Ports, Ports, Ports, Ports> {
        let ports = self.ports.clone();
        ClientHandler {
            store: ports.clone(),
            queue: ports.clone(),
            poster: ports.clone(),
            env: ports,
            max_body_bytes: MAX_BODY_BYTES,
            shard_members: 2,
            user_rate: PublishRate { per_second: 20, burst: 5 },
            max_rooms: 3,
            budget: share().budget,
            transport: API_GATEWAY,
        }
    }

    /// What delivers the queue's batches.
    #[must_use]
    pub fn delivery(&self) -> Delivery<Ports, Ports, Ports, Ports, Ports> {
        let ports = self.ports.clone();
        Delivery {
            fan_out: FanOut {
                store: ports.clone(),
                poster: ports.clone(),
                env: ports.clone(),
                share: share(),
                transport: API_GATEWAY,
            },
            broadcasts: ports.clone(),
            dead_letters: ports,
            max_body_bytes: MAX_BODY_BYTES,
            retention: RETENTION,
            inline_limit: INLINE_LIMIT,
            lease: LEASE_TIME,
            large: Arc::default(),
        }
    }

    /// What plans broadcasts.
    #[must_use]
    pub fn planner(&self) -> Planner<Ports, Ports, Ports, Ports> {
        let ports = self.ports.clone();
        Planner {
            store: ports.clone(),
            broadcasts: ports.clone(),
            poster: ports.clone(),
            env: ports,
            lease: LEASE_TIME,
            page_members: 2,
            round_frames: 1,
            history_events: 100,
            budget: share().budget,
            retention: RETENTION,
            transport: API_GATEWAY,
        }
    }

    /// What delivers pages of a broadcast.
    #[must_use]
    pub fn page_delivery(&self) -> PageDelivery<Ports, Ports, Ports> {
        let ports = self.ports.clone();
        let fan_out =
            FanOut { store: ports.clone(), poster: ports.clone(), env: ports, share: share(), transport: API_GATEWAY };
        PageDelivery { fan_out, lease: LEASE_TIME }
    }

    /// A channel's item; nothing where it is unused.
    #[must_use]
    pub fn state(&self, channel: &Channel) -> Option<ChannelState> {
        block_on(self.ports.store.state(channel)).unwrap()
    }

    /// All of a channel's log.
    #[must_use]
    pub fn log(&self, channel: &Channel) -> Vec<Message> {
        let Some(state) = self.state(channel) else { return Vec::new() };
        let all = ReadLimit { messages: usize::MAX, bytes: usize::MAX };
        block_on(self.ports.store.read(channel, &state.epoch, Seq::ZERO, all, Timestamp(NOW))).unwrap()
    }

    /// The channels that a connection is a member of.
    #[must_use]
    pub fn memberships(&self, connection: &ConnectionId) -> Vec<Channel> {
        let memberships = block_on(self.ports.store.memberships(connection)).unwrap();
        memberships.into_iter().map(|(channel, _)| channel).collect()
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

/// The room of all users.
#[must_use]
pub fn lobby() -> Channel {
    room("lobby")
}

/// A sender of frames: `alice` and `root`, who are members, each with capabilities of its own; `late`, whose token has ended; any other is a
/// stranger, who is not connected.
#[must_use]
pub fn sender(name: &str) -> Caller {
    let (capabilities, until) = match name {
        "alice" => (
            r#"{"join":["lobby","team-*"],"publish":["lobby","team-*"],"history":["*"],"who":["*"],"direct":["bob","c*"]}"#,
            FOREVER,
        ),
        "root" => {
            (r#"{"join":["*"],"publish":["*"],"history":["*"],"who":["*"],"direct":["*"],"admin":["*"]}"#, FOREVER)
        }
        "late" => ("{}", Timestamp(NOW)),
        _ => (r#"{"join":["lobby"],"admin":["team-*"]}"#, FOREVER),
    };
    Caller { capabilities: Capabilities::parse(capabilities).unwrap(), until, ..caller(name) }
}

fn share() -> Share {
    Share { budget: Budget::of(400), sender: SenderId::new("sender") }
}
