//! A room with people in it, whose books are balanced in the end.

use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use hubbub_client::{Client, Event, Events, Start};
use hubbub_core::channel::Channel;
use hubbub_core::id::RoomId;
use hubbub_core::ports::ChannelState;
use hubbub_tests::books::{Entry, Stay, holes};
use hubbub_tests::faults;
use hubbub_tests::inspect;
use hubbub_tests::processes::Function;
use hubbub_tests::scene::Scene;
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

/// How often members ask whether they are behind.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// The faults are of the whole stack.
static TURN: Mutex<()> = Mutex::const_new(());

/// A scene that nobody else breaks meanwhile.
pub(crate) struct Stage {
    pub(crate) scene: Scene,
    pub(crate) service: Service,
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let turn = TURN.lock().await;
        let scene = Scene::set().await;
        // A test that failed may have left it so. Otherwise there is nothing to undo, which is an error that says nothing.
        let _ = faults::stop_refusing(&scene.stack, Function::Deliver).await;
        let service = Service::new(&scene.stack, "faults");
        Self { scene, service, _turn: turn }
    }

    pub(crate) fn stack(&self) -> &Stack {
        &self.scene.stack
    }
}

/// A member and what came out of its client.
pub(crate) struct Guest {
    pub(crate) user: String,
    pub(crate) client: Client,
    events: Events,
    stay: Stay,
}

/// A room with members.
pub(crate) struct Party {
    pub(crate) room: String,
    pub(crate) channel: Channel,
    pub(crate) guests: Vec<Guest>,
}

impl Party {
    /// A room that has its members from the beginning.
    pub(crate) async fn gather(stage: &Stage, name: &str, size: usize) -> Self {
        let room = stage.scene.own(name);
        let channel = Channel::Room(RoomId::parse(&room).unwrap());
        let mut party = Self { room, channel, guests: Vec::new() };
        for number in 0..size {
            party.welcome(stage, &format!("{name}-{number}"), Start::Known).await;
        }
        party
    }

    /// One more connects and joins.
    pub(crate) async fn welcome(&mut self, stage: &Stage, name: &str, start: Start) {
        let user = stage.scene.own(name);
        let mut options = stage.scene.options(&user);
        options.keep_alive = KEEP_ALIVE;
        let is_from_beginning = start == Start::Beginning;
        let (client, events) = Client::connect(options).await.unwrap();
        let caught = client.join(hubbub_client::Channel::room(&self.room), start).await.unwrap();
        let joined_at = if is_from_beginning { 0 } else { caught.head };
        let stay = Stay { joined_at: Some(joined_at), ..Stay::default() };
        self.guests.push(Guest { user, client, events, stay });
    }

    /// A service sends a message to the room; its body is its number.
    pub(crate) async fn send(&self, stage: &Stage, number: u64) {
        stage.service.send(&self.channel.to_string(), &format!("m-{number}"), &json!(number)).await.unwrap();
    }

    /// The channel's item.
    pub(crate) async fn state(&self, stage: &Stage) -> ChannelState {
        inspect::state(stage.stack(), &self.channel).await.unwrap().unwrap()
    }

    /// Writes down what has come by now, without waiting; the newest sequence that anyone has.
    pub(crate) fn listen(&mut self) -> u64 {
        self.guests.iter_mut().map(Guest::listen).max().unwrap_or_default()
    }

    /// The newest sequence that each has, of all that was posted before the call: the answer to a ping comes behind it.
    pub(crate) async fn reached(&mut self) -> Vec<u64> {
        for answer in join_all(self.guests.iter().map(|guest| guest.client.ping())).await {
            answer.unwrap();
        }
        self.guests.iter_mut().map(Guest::listen).collect()
    }

    /// Waits until all have everything up to this.
    pub(crate) async fn hear(&mut self, head: u64) {
        join_all(self.guests.iter_mut().map(|guest| guest.hear(head))).await;
    }

    /// Waits until the channel's item says that everything was posted to everyone.
    pub(crate) async fn wait_until_sent(&self, stage: &Stage) {
        watch_for("everything is sent", async || {
            let state = self.state(stage).await;
            state.sent == state.head
        })
        .await;
    }

    /// Everyone has what the log owes, once and in order, and the log has these messages, once each.
    pub(crate) async fn check(&self, stage: &Stage, messages: u64) {
        let log: Vec<Entry> =
            inspect::log(stage.stack(), &self.channel).await.unwrap().iter().map(Entry::from).collect();
        let ids: Vec<&str> = log.iter().map(|entry| entry.id.as_str()).collect();
        let sent: Vec<String> = (1..=messages).map(|number| format!("m-{number}")).collect();
        assert_eq!(ids, sent, "the log has each message once, in the order of the queue");
        assert_eq!(holes(&log), 0);
        for guest in &self.guests {
            let received = guest.stay.balance(&log);
            assert!(received.is_whole(), "{}: {received:?}", guest.user);
            assert_eq!(guest.stay.resets, 0, "{}", guest.user);
        }
    }

    /// Messages that the members' clients dropped because they had them.
    pub(crate) fn duplicates(&self) -> u64 {
        let room = hubbub_client::Channel::room(&self.room);
        self.guests.iter().map(|guest| guest.client.counters(&room).duplicates).sum()
    }
}

impl Guest {
    fn listen(&mut self) -> u64 {
        while let Some(Some(event)) = unconstrained(self.events.next()).now_or_never() {
            self.note(event);
        }
        self.newest()
    }

    async fn hear(&mut self, head: u64) {
        while self.newest() < head {
            let event = timeout(PATIENCE, self.events.next()).await;
            match event {
                Ok(Some(event)) => self.note(event),
                other => panic!("{other:?} instead of message {head} for {}, which has {}", self.user, self.newest()),
            }
        }
    }

    fn newest(&self) -> u64 {
        self.stay.last().unwrap_or_default()
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Message(delivery) if matches!(delivery.channel, hubbub_client::Channel::Room(_)) => {
                self.stay.receive(&delivery);
            }
            Event::Message(_) | Event::Unexpected(_) | Event::Receipt(_) | Event::Presence(_) | Event::Signal(_) => {}
            Event::Reset { .. } => self.stay.resets += 1,
            Event::Dropped { .. } | Event::Left(_) | Event::Closed(_) => panic!("{event:?} for {}", self.user),
        }
    }
}

/// Waits until something is so, looking often: moments are short.
pub(crate) async fn watch_for(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "still not so: {what}");
        sleep(Duration::from_millis(1)).await;
    }
}
