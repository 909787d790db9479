//! Carrying out moderation commands.

use futures::executor::block_on;
use hubbub_core::moderation::moderator::*;
use hubbub_core::wire::command::Command;
use hubbub_core::wire::command::ModerationCommand;

use hubbub_core::log::append::{LookBack, NewMessage, append};
use hubbub_core::members::membership;
use hubbub_core::ports::ReadLimit;
use hubbub_core::ports::{Log, PortResult};
use hubbub_core::wire::id::Epoch;
use hubbub_core::wire::id::MessageId;
use hubbub_core::wire::message::{Content, Seq};
use hubbub_core::wire::time::Timestamp;
use hubbub_testkit::fixtures::{Recorder, TestEnv, connection, new_message, room, user};
use hubbub_testkit::memory::MemoryStore;
use std::time::Duration;

const NOW: u64 = 1_000_000;
const NEVER: Timestamp = Timestamp(u64::MAX);
const RETENTION: Duration = Duration::from_secs(60);

struct Stage {
    store: MemoryStore,
    poster: Recorder,
    env: TestEnv,
}

/// A room with a member and messages, oldest first.
fn stage(ids: &[&str]) -> Stage {
    let stage = Stage { store: MemoryStore::default(), poster: Recorder::default(), env: TestEnv::at(NOW) };
    block_on(membership::join(&stage.store, &stage.env, &connection("a", "alice", NOW), &room("lobby"), 2_000))
        .unwrap();
    let new_messages: Vec<NewMessage> = ids.iter().map(|id| new_message("alice", id)).collect();
    let channel = room("lobby");
    block_on(append(&stage.store, &stage.env, &channel, &new_messages, LookBack::Newest, RETENTION)).unwrap();
    stage
}

fn give(stage: &Stage, id: &str, command: Command, deadline: Timestamp) -> PortResult<()> {
    let command = ModerationCommand::new(room("lobby"), command, user("mod")).unwrap();
    let received = ReceivedCommand { command, id: MessageId::parse(id).unwrap(), at: Timestamp(NOW) };
    let (store, poster, env) = (&stage.store, &stage.poster, &stage.env);
    let moderator = Moderator { store, poster, env, retention: RETENTION, deadline };
    block_on(moderator.carry_out(&received))
}

/// What the log says: a body's text, or what has happened.
fn log(stage: &Stage) -> Vec<String> {
    let limit = ReadLimit { messages: usize::MAX, bytes: usize::MAX };
    let epoch: Epoch = block_on(stage.store.state(&room("lobby"))).unwrap().unwrap().epoch;
    let messages = block_on(stage.store.read(&room("lobby"), &epoch, Seq::ZERO, limit, Timestamp(NOW))).unwrap();
    let content = |content: Content| match content {
        Content::Body(body) => body.as_str().to_owned(),
        Content::Deleted(seq) => format!("deleted {seq}"),
        Content::Closed(closure) => format!("closed {closure:?}"),
    };
    messages.into_iter().map(|message| content(message.content)).collect()
}

fn is_closed(stage: &Stage) -> bool {
    block_on(stage.store.state(&room("lobby"))).unwrap().unwrap().closed
}

#[test]
fn delete_removes_the_body_and_leaves_a_notice() {
    let stage = stage(&["m-1", "m-2"]);
    give(&stage, "o-1", Command::Delete { seq: Seq(1) }, NEVER).unwrap();
    assert_eq!(log(&stage), ["deleted 1", "\"m-2\"", "deleted 1"]);
}

#[test]
fn what_is_not_there_is_not_deleted_and_nobody_is_told() {
    let stage = stage(&["m-1"]);
    give(&stage, "o-1", Command::Delete { seq: Seq(1) }, NEVER).unwrap();
    for seq in [0, 2, 3, u64::MAX] {
        give(&stage, "o-2", Command::Delete { seq: Seq(seq) }, NEVER).unwrap();
    }
    assert_eq!(log(&stage), ["deleted 1", "deleted 1"]);
}

#[test]
fn a_closed_room_keeps_its_log_or_has_it_erased_without_a_hole() {
    let kept = stage(&["m-1", "m-2"]);
    give(&kept, "o-1", Command::Close { erase: false }, NEVER).unwrap();
    assert_eq!(log(&kept), ["\"m-1\"", "\"m-2\"", "closed Kept"]);
    assert!(is_closed(&kept));
    give(&kept, "o-2", Command::Open, NEVER).unwrap();
    assert!(!is_closed(&kept));
    let erased = stage(&["m-1", "m-2"]);
    give(&erased, "o-1", Command::Close { erase: true }, NEVER).unwrap();
    assert_eq!(log(&erased), ["deleted 1", "deleted 2", "closed Erased"]);
}

#[test]
fn a_room_may_be_closed_before_anyone_has_used_it() {
    let stage = Stage { store: MemoryStore::default(), poster: Recorder::default(), env: TestEnv::at(NOW) };
    give(&stage, "o-1", Command::Close { erase: false }, NEVER).unwrap();
    assert!(is_closed(&stage));
}

#[test]
fn an_order_that_is_repeated_changes_nothing() {
    let stage = stage(&["m-1", "m-2"]);
    for _ in 0..2 {
        give(&stage, "o-1", Command::Delete { seq: Seq(2) }, NEVER).unwrap();
    }
    for _ in 0..2 {
        give(&stage, "o-2", Command::Close { erase: true }, NEVER).unwrap();
    }
    assert_eq!(log(&stage), ["deleted 1", "deleted 2", "deleted 2", "closed Erased"]);
}

#[test]
fn erasure_continues_at_the_next_delivery() {
    let ids: Vec<String> = (0..300).map(|number| format!("m-{number}")).collect();
    let stage = stage(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let close = Command::Close { erase: true };
    let error = give(&stage, "o-1", close.clone(), Timestamp(NOW)).unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let gone = |stage: &Stage| log(stage).iter().filter(|entry| entry.starts_with("deleted")).count();
    assert_eq!(
        (gone(&stage), is_closed(&stage)),
        (255, true),
        "the first 256 entries read, one of which is the notice"
    );
    give(&stage, "o-1", close, NEVER).unwrap();
    assert_eq!(gone(&stage), 300);
}
