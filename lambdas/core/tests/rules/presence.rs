//! Watching rooms, and announcing their users.

use futures::executor::block_on;
use hubbub_core::presence::announcer::*;
use hubbub_core::presence::watch::watch;
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::server_frame::MAX_SMALL_ROOM;

use hubbub_core::delivery::outcome::Outcome;
use hubbub_core::limits::pace::Rate;
use hubbub_core::members::membership;
use hubbub_core::ports::Presences;
use hubbub_core::ports::{Announced, Clock, Log, Members};

use hubbub_core::wire::id::ConnectionId;
use hubbub_core::wire::id::Epoch;
use hubbub_core::wire::server_frame::Presence;
use hubbub_core::wire::time::Timestamp;
use hubbub_testkit::fixtures::{Recorder, TestEnv, connection, room, user};
use hubbub_testkit::memory::MemoryStore;
use std::collections::BTreeSet;
use std::time::Duration;

const NOW: u64 = 1_000_000;

struct Stage {
    store: MemoryStore,
    poster: Recorder,
    env: TestEnv,
}

impl Stage {
    fn new() -> Self {
        Self { store: MemoryStore::default(), poster: Recorder::default(), env: TestEnv::at(NOW) }
    }

    fn join(&self, id: &str, name: &str) {
        let one = connection(id, name, NOW - 60_000);
        block_on(membership::join(&self.store, &self.env, &one, &room("a"), 2_000)).unwrap();
    }

    fn leave(&self, id: &str) {
        block_on(membership::leave(&self.store, &ConnectionId::new(id), &room("a"), self.env.now())).unwrap();
    }

    fn watch(&self, id: &str, name: &str) -> Presence {
        self.join(id, name);
        let state = block_on(self.store.open(&room("a"), &Epoch::new("E"))).unwrap();
        let one = connection(id, name, NOW - 60_000);
        block_on(watch(&self.store, &room("a"), &state, &one, &API_GATEWAY, self.env.now())).unwrap()
    }

    /// An announcer that posts one frame a second.
    fn announcer(&self) -> Announcer<MemoryStore, Recorder, TestEnv> {
        let Self { store, poster, env } = self;
        let rate = Rate { per_second: 1, burst: 1 };
        Announcer { store: store.clone(), poster: poster.clone(), env: env.clone(), rate, transport: API_GATEWAY }
    }

    fn announce(&self) {
        self.announce_within(1_000);
    }

    /// Announces with so many seconds left.
    fn announce_within(&self, seconds: u64) {
        let deadline = self.env.now().plus(Duration::from_secs(seconds));
        block_on(self.announcer().announce(&BTreeSet::from([room("a")]), deadline));
    }

    /// What a connection was posted since this was called last.
    fn told(&self, id: &str) -> Vec<String> {
        self.poster.seen().posted.remove(&ConnectionId::new(id)).unwrap_or_default()
    }

    fn requested(&self) -> usize {
        self.store.take_requested().len()
    }
}

#[test]
fn storm_of_joins_is_one_announcement() {
    let stage = Stage::new();
    let presence = stage.watch("w", "watcher");
    assert_eq!(presence, Presence::of(vec![user("watcher")]));
    for number in 0..50 {
        stage.join(&format!("c{number}"), &format!("u{number:02}"));
    }
    assert_eq!(stage.requested(), 1);
    stage.announce();
    let told = stage.told("w");
    assert_eq!(told.len(), 1);
    let frame: serde_json::Value = serde_json::from_str(&told[0]).unwrap();
    assert_eq!((&frame["type"], &frame["channel"]), (&"presence".into(), &"room:a".into()));
    assert_eq!((&frame["count"], frame["users"].as_array().unwrap().len()), (&51.into(), 51));
    assert_eq!(stage.told("c0"), Vec::<String>::new(), "who didn't ask isn't told");
    stage.leave("c0");
    assert_eq!(stage.requested(), 1, "the claim has ended");
    stage.announce();
    let told: serde_json::Value = serde_json::from_str(&stage.told("w").concat()).unwrap();
    assert_eq!((&told["at"], &told["count"]), (&1_000_001.into(), &50.into()));
    assert!(!told["users"].as_array().unwrap().contains(&"u00".into()));
}

/// The frame that tells of these users.
fn frame(at: u64, users: &[&str]) -> String {
    let (count, users) = (users.len(), serde_json::to_string(users).unwrap());
    format!(r#"{{"type":"presence","channel":"room:a","at":{at},"count":{count},"users":{users}}}"#)
}

#[test]
fn user_with_several_sockets_is_present_once() {
    let stage = Stage::new();
    stage.watch("w", "watcher");
    stage.join("a1", "alice");
    stage.join("a2", "alice");
    stage.announce();
    assert_eq!(stage.told("w"), [frame(NOW, &["alice", "watcher"])]);
    stage.leave("a1");
    stage.announce();
    assert_eq!(stage.told("w"), [frame(NOW + 1, &["alice", "watcher"])]);
    stage.leave("a2");
    stage.announce();
    assert_eq!(stage.told("w"), [frame(NOW + 2, &["watcher"])]);
}

#[test]
fn member_who_leaves_is_missing_in_the_next_frame() {
    let stage = Stage::new();
    stage.join("x", "xenia");
    assert_eq!(stage.watch("w", "watcher"), Presence::of(vec![user("watcher"), user("xenia")]));
    stage.leave("x");
    stage.announce();
    assert_eq!(stage.told("w"), [frame(NOW, &["watcher"])]);
}

#[test]
fn member_who_returns_is_in_the_next_frame() {
    let stage = Stage::new();
    stage.watch("a", "alice");
    stage.join("x", "xenia");
    stage.announce();
    stage.leave("x");
    assert_eq!(stage.watch("w", "watcher"), Presence::of(vec![user("alice"), user("watcher")]));
    stage.join("x", "xenia");
    stage.announce();
    assert_eq!(stage.told("w"), [frame(NOW + 1, &["alice", "watcher", "xenia"])]);
}

#[test]
fn crash_before_the_note_repeats_the_announcement() {
    let stage = Stage::new();
    stage.watch("w", "watcher");
    stage.join("x", "xenia");
    let last = block_on(stage.store.presence_snapshot(&room("a"), stage.env.now())).unwrap().announced;
    stage.announce();
    stage.told("w");
    // As if the announcement had not been noted.
    assert_eq!(last, None);
    let forgotten = Announced { at: Timestamp(1), paused: false, expires: Timestamp(NOW * 2) };
    assert!(block_on(stage.store.put_announced(&room("a"), Some(Timestamp(NOW)), &forgotten)).unwrap());
    stage.leave("x");
    stage.announce();
    assert_eq!(stage.told("w"), [frame(NOW, &["watcher"])]);
}

#[test]
fn announcement_tells_as_many_as_time_allows() {
    let stage = Stage::new();
    stage.watch("w", "watcher");
    stage.watch("x", "xenia");
    stage.announce_within(1);
    assert_eq!(stage.told("w").len() + stage.told("x").len(), 1);
}

#[test]
fn room_without_time_is_requested_again() {
    let stage = Stage::new();
    stage.watch("w", "watcher");
    stage.join("a", "alice");
    assert_eq!(stage.requested(), 1);
    stage.announce_within(0);
    assert_eq!((stage.told("w").len(), stage.requested()), (0, 1));
    stage.announce();
    assert_eq!((stage.told("w").len(), stage.requested()), (1, 0));
    assert_eq!(stage.poster.seen().limits, []);
}

#[test]
fn a_room_that_nobody_watches_asks_for_no_announcement() {
    let stage = Stage::new();
    stage.join("a", "alice");
    stage.leave("a");
    assert_eq!(stage.requested(), 0);
}

#[test]
fn an_announcement_that_is_lost_is_asked_for_again_later() {
    let stage = Stage::new();
    stage.watch("w", "watcher");
    stage.join("a", "alice");
    stage.join("b", "bob");
    assert_eq!(stage.requested(), 1);
    stage.env.set(NOW + 31_000);
    stage.leave("a");
    assert_eq!(stage.requested(), 1);
    stage.announce();
    assert_eq!(stage.told("w"), [frame(NOW + 31_000, &["bob", "watcher"])]);
}

#[test]
fn large_room_pauses_presence_and_resumes_when_small() {
    let stage = Stage::new();
    stage.watch("w", "watcher");
    for number in 0..99 {
        stage.join(&format!("c{number}"), &format!("u{number:02}"));
    }
    stage.announce();
    assert!(stage.told("w").concat().contains(r#""count":100"#));
    stage.requested();
    stage.join("c99", "u99");
    assert_eq!(stage.requested(), 1);
    stage.announce();
    let paused = r#"{"type":"presence","channel":"room:a","at":1000001,"count":101,"paused":true}"#;
    assert_eq!(stage.told("w"), [paused]);
    assert_eq!(stage.watch("late", "late"), Presence::paused(102));
    stage.join("c100", "more");
    stage.requested();
    stage.announce();
    assert_eq!(stage.told("w"), Vec::<String>::new(), "it has been said");
    for id in ["c100", "c99", "c98"] {
        stage.leave(id);
    }
    assert_eq!(stage.requested(), 1);
    stage.announce();
    let told: serde_json::Value = serde_json::from_str(&stage.told("w").concat()).unwrap();
    assert_eq!((&told["count"], told["users"].as_array().unwrap().len()), (&100.into(), 100));
    assert_eq!(stage.told("late").len(), 1, "who came while it was paused is told as well");
}

#[test]
fn wrong_count_is_corrected_when_members_are_read() {
    let stage = Stage::new();
    stage.watch("w", "watcher");
    let drift = MAX_SMALL_ROOM as i64 + 1;
    block_on(stage.store.add_to_count(&room("a"), 0, drift)).unwrap();
    stage.join("a", "alice");
    assert_eq!(stage.requested(), 0);
    stage.watch("x", "xenia");
    assert_eq!(block_on(stage.store.counts(&room("a"), 1)).unwrap(), [3]);
    stage.join("b", "bob");
    assert_eq!(stage.requested(), 1);
}

#[test]
fn announcement_prunes_a_gone_socket() {
    let stage = Stage::new();
    stage.watch("w", "watcher");
    stage.watch("g", "ghost");
    stage.announce();
    stage.requested();
    stage.poster.outcome("g", Outcome::Gone);
    stage.join("a", "alice");
    stage.announce();
    stage.told("w");
    assert_eq!(stage.requested(), 2, "the one for alice, and one for the ghost");
    stage.announce();
    let told = stage.told("w").concat();
    assert!(told.contains(r#""users":["alice","watcher"]"#), "{told}");
}

#[test]
fn who_leaves_or_does_not_want_to_know_any_more_is_not_told() {
    let stage = Stage::new();
    for (id, name) in [("w", "watcher"), ("x", "tired"), ("y", "away")] {
        stage.watch(id, name);
    }
    block_on(stage.store.remove_watcher(&room("a"), &ConnectionId::new("x"))).unwrap();
    stage.leave("y");
    stage.join("y", "away");
    stage.announce();
    let told = ["w", "x", "y"].map(|id| stage.told(id).len());
    assert_eq!(told, [1, 0, 0]);
}
