//! A room with members, and a ledger of what they receive.

use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use hubbub_client::{Client, Event, Events, Start};
use hubbub_core::functions::Function;
use hubbub_core::log::state::ChannelState;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::RoomId;
use hubbub_ledger::Position;
use hubbub_tests::faults;
use hubbub_tests::fixture::Fixture;
use hubbub_tests::inspect;
use hubbub_tests::record::{Ledger, logged, received};
use hubbub_tests::service::Service;
use hubbub_tests::stack::Stack;
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::unconstrained;
use tokio::time::{sleep, timeout};

/// How long anything may take: several timeouts of the queue, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);

/// How often a moment is tried for before the test fails.
pub(crate) const TRIES: u32 = 40;

/// How often members ask whether they have missed messages.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// The faults are of the whole stack.
static TURN: Mutex<()> = Mutex::const_new(());

/// A stack that no other test breaks meanwhile.
pub(crate) struct ExclusiveStack {
    pub(crate) fixture: Fixture,
    pub(crate) service: Service,
    _turn: MutexGuard<'static, ()>,
}

impl ExclusiveStack {
    pub(crate) async fn take() -> Self {
        let turn = TURN.lock().await;
        let fixture = Fixture::new().await;
        // A test that failed may have left it so. Otherwise there is nothing to undo, which is an error that says nothing.
        let _ = faults::stop_refusing(&fixture.stack, Function::Deliver).await;
        let service = Service::new(&fixture.stack, "faults");
        Self { fixture, service, _turn: turn }
    }

    pub(crate) fn stack(&self) -> &Stack {
        &self.fixture.stack
    }
}

/// A member, and the ledger of what its client received.
pub(crate) struct Member {
    pub(crate) user: String,
    pub(crate) client: Client,
    events: Events,
    channel: hubbub_client::Channel,
    ledger: Ledger<()>,
    /// The newest sequence that the client received.
    last: u64,
}

/// A room with members.
pub(crate) struct TestRoom {
    pub(crate) room: String,
    pub(crate) channel: Channel,
    pub(crate) members: Vec<Member>,
}

impl TestRoom {
    /// A room that has its members from the beginning.
    pub(crate) async fn with_members(stack: &ExclusiveStack, name: &str, size: usize) -> Self {
        let room = stack.fixture.unique(name);
        let channel = Channel::Room(RoomId::parse(&room).unwrap());
        let mut test_room = Self { room, channel, members: Vec::new() };
        for number in 0..size {
            test_room.add_member(stack, &format!("{name}-{number}"), Start::Known).await;
        }
        test_room
    }

    /// One more client connects and joins.
    pub(crate) async fn add_member(&mut self, stack: &ExclusiveStack, name: &str, start: Start) {
        let user = stack.fixture.unique(name);
        let mut options = stack.fixture.options(&user);
        options.keep_alive = KEEP_ALIVE;
        let is_from_beginning = start == Start::Beginning;
        let (client, events) = Client::connect(options).await.unwrap();
        let caught = client.join(hubbub_client::Channel::room(&self.room), start).await.unwrap();
        let after = if is_from_beginning { Position::START } else { Position::new(caught.epoch, caught.head) };
        let (channel, mut ledger) = (hubbub_client::Channel::room(&self.room), Ledger::default());
        ledger.join(&(), &channel, after);
        self.members.push(Member { user, client, events, channel, ledger, last: caught.head });
    }

    /// A service sends a message to the room; its body is its number.
    pub(crate) async fn send(&self, stack: &ExclusiveStack, number: u64) {
        stack.service.send(&self.channel.to_string(), &format!("m-{number}"), &json!(number)).await.unwrap();
    }

    /// The channel's item.
    pub(crate) async fn state(&self, stack: &ExclusiveStack) -> ChannelState {
        inspect::state(stack.stack(), &self.channel).await.unwrap().unwrap()
    }

    /// Records what has come by now, without waiting; the newest sequence that any member has.
    pub(crate) fn receive_pending(&mut self) -> u64 {
        self.members.iter_mut().map(Member::receive_pending).max().unwrap_or_default()
    }

    /// The newest sequence that each member has, of all that was posted before the call: the answer to a ping comes after it.
    pub(crate) async fn received_up_to(&mut self) -> Vec<u64> {
        for answer in join_all(self.members.iter().map(|member| member.client.ping())).await {
            answer.unwrap();
        }
        self.members.iter_mut().map(Member::receive_pending).collect()
    }

    /// Waits until all members have everything up to this.
    pub(crate) async fn wait_for(&mut self, head: u64) {
        join_all(self.members.iter_mut().map(|member| member.wait_for(head))).await;
    }

    /// Waits until the channel's item says that everything was posted to everyone.
    pub(crate) async fn wait_until_sent(&self, stack: &ExclusiveStack) {
        watch_for("everything is sent", async || {
            let state = self.state(stack).await;
            state.sent == state.head
        })
        .await;
    }

    /// Every member has what the log owes it, once and in order, and the log has these messages, once each.
    pub(crate) async fn check_complete(&self, stack: &ExclusiveStack, messages: u64) {
        let epoch = self.state(stack).await.epoch;
        let log = inspect::log(stack.stack(), &self.channel).await.unwrap();
        let log: Vec<_> = log.iter().map(|message| logged(epoch.as_str(), message)).collect();
        let ids: Vec<&str> = log.iter().map(|entry| entry.id.as_str()).collect();
        let sent: Vec<String> = (1..=messages).map(|number| format!("m-{number}")).collect();
        assert_eq!(ids, sent, "the log has each message once, in the order of the queue");
        for member in &self.members {
            let mut ledger = member.ledger.clone();
            ledger.replace_log(&member.channel, epoch.as_str(), log.clone());
            let balance = ledger.balance();
            assert_eq!(balance.faults(), 0, "{}: {balance:?}", member.user);
        }
    }

    /// Messages that the members' clients dropped because they had them.
    pub(crate) fn duplicates(&self) -> u64 {
        let room = hubbub_client::Channel::room(&self.room);
        self.members.iter().map(|member| member.client.counters(&room).duplicates).sum()
    }
}

impl Member {
    fn receive_pending(&mut self) -> u64 {
        while let Some(Some(event)) = unconstrained(self.events.next()).now_or_never() {
            self.note(event);
        }
        self.newest()
    }

    async fn wait_for(&mut self, head: u64) {
        while self.newest() < head {
            let event = timeout(PATIENCE, self.events.next()).await;
            match event {
                Ok(Some(event)) => self.note(event),
                other => panic!("{other:?} instead of message {head} for {}, which has {}", self.user, self.newest()),
            }
        }
    }

    fn newest(&self) -> u64 {
        self.last
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Message(delivery) if matches!(delivery.channel, hubbub_client::Channel::Room(_)) => {
                self.last = delivery.message.seq;
                self.ledger.receive(&(), &delivery.channel, received(&delivery));
            }
            Event::Message(_) | Event::Unexpected(_) | Event::Receipt(_) | Event::Presence(_) | Event::Signal(_) => {}
            Event::Reset { channel, .. } => self.ledger.reset(&(), &channel),
            Event::Dropped { .. } | Event::Left(_) | Event::Closed(_) => panic!("{event:?} for {}", self.user),
        }
    }
}

/// Waits until a condition holds, and looks often, because moments are short.
pub(crate) async fn watch_for(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "still not so: {what}");
        sleep(Duration::from_millis(1)).await;
    }
}
