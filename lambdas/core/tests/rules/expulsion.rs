//! Kicks and bans.

use futures::executor::block_on;
use hubbub_core::moderation::expulsion::*;

use hubbub_core::members::membership;
use hubbub_core::ports::{Bans, Members};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::ConnectionId;
use hubbub_core::wire::time::Timestamp;
use hubbub_testkit::fixtures::{Recorder, TestEnv, connection, room, user};
use hubbub_testkit::memory::MemoryStore;

const NOW: u64 = 1_000_000;

struct Stage {
    store: MemoryStore,
    poster: Recorder,
    env: TestEnv,
}

/// Alice with two connections and bob with one, all in a room.
fn stage() -> Stage {
    let stage = Stage { store: MemoryStore::default(), poster: Recorder::default(), env: TestEnv::at(NOW) };
    for (id, name) in [("a1", "alice"), ("a2", "alice"), ("b1", "bob")] {
        let one = connection(id, name, NOW);
        block_on(membership::connect(&stage.store, &stage.env, &one, 2_000)).unwrap();
        block_on(membership::join(&stage.store, &stage.env, &one, &room("lobby"), 2_000)).unwrap();
    }
    stage
}

fn give(stage: &Stage, channel: &Channel, expulsion: Expulsion) {
    block_on(expel(&stage.store, &stage.poster, &stage.env, channel, &user("alice"), expulsion)).unwrap();
}

fn everywhere() -> Channel {
    Channel::User(user("alice"))
}

fn members(stage: &Stage, channel: &Channel) -> Vec<String> {
    let page = block_on(stage.store.member_page(channel, 0, None, 10, Timestamp(NOW))).unwrap();
    page.members.into_iter().map(|member| member.id.to_string()).collect()
}

fn is_banned(stage: &Stage, channel: &Channel, now: u64) -> bool {
    block_on(stage.store.ban(&user("alice"), channel, Timestamp(now))).unwrap().is_some()
}

#[test]
fn kicked_user_leaves_with_every_socket() {
    let stage = stage();
    give(&stage, &room("lobby"), Expulsion::Kick);
    assert_eq!(members(&stage, &room("lobby")), ["b1"]);
    assert_eq!(members(&stage, &Channel::Everyone), ["a1", "a2", "b1"], "the sockets stay open");
    let seen = stage.poster.seen();
    assert!(seen.closed.is_empty());
    let told: Vec<&str> = seen.posted.keys().map(ConnectionId::as_str).collect();
    assert_eq!(told, ["a1", "a2"]);
    let expected = r#"{"type":"left","channel":"room:lobby","reason":"kicked"}"#;
    assert_eq!(seen.posted[&ConnectionId::new("a1")], [expected]);
}

#[test]
fn who_is_kicked_everywhere_is_disconnected_with_a_last_word() {
    let stage = stage();
    give(&stage, &everywhere(), Expulsion::Kick);
    assert_eq!(members(&stage, &Channel::Everyone), ["b1"]);
    assert_eq!(members(&stage, &room("lobby")), ["b1"]);
    let seen = stage.poster.seen();
    assert_eq!(seen.closed.len(), 2);
    assert!(seen.closed[0].1.starts_with(r#"{"type":"closing","code":"kicked""#), "{:?}", seen.closed);
    assert!(seen.closed[0].1.ends_with(r#""reconnect":true}"#), "{:?}", seen.closed);
}

#[test]
fn ban_lasts_until_its_end_or_unban() {
    let stage = stage();
    let ban = Expulsion::Ban { until: Timestamp(NOW + 10) };
    give(&stage, &room("lobby"), ban);
    assert_eq!(members(&stage, &room("lobby")), ["b1"]);
    assert!(is_banned(&stage, &room("lobby"), NOW + 9) && !is_banned(&stage, &room("lobby"), NOW + 10));
    assert!(!is_banned(&stage, &room("other"), NOW) && !is_banned(&stage, &everywhere(), NOW));
    give(&stage, &room("lobby"), Expulsion::Unban);
    assert!(!is_banned(&stage, &room("lobby"), NOW));
    give(&stage, &everywhere(), ban);
    assert!(is_banned(&stage, &everywhere(), NOW));
    assert!(stage.poster.seen().closed[0].1.contains(r#""code":"banned""#));
}

#[test]
fn an_expulsion_that_is_repeated_changes_nothing() {
    let stage = stage();
    for _ in 0..2 {
        give(&stage, &everywhere(), Expulsion::Kick);
    }
    assert_eq!(stage.poster.seen().closed.len(), 2);
}
