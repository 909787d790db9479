//! Answering client frames.

use hubbub_core::actions::ClientHandler;
use hubbub_core::transport::API_GATEWAY;
use std::time::Duration;

use futures::executor::block_on;

use hubbub_core::actions::Caller;
use hubbub_core::limits::budget::Budget;
use hubbub_core::limits::turns::PublishRate;
use hubbub_core::log::append::{LookBack, NewMessage, append};
use hubbub_core::log::lease::Lease;
use hubbub_core::members::membership;
use hubbub_core::metrics::ACCEPTED;
use hubbub_core::ports::Presences;
use hubbub_core::ports::{Bans, Clock, Log, Members, Senders};

use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{ConnectionId, LeaseId};
use hubbub_core::wire::message::Seq;
use hubbub_core::wire::time::Timestamp;
use hubbub_testkit::fixtures::{Recorder, TestEnv, caller, connection, new_message, room, user};
use hubbub_testkit::memory::MemoryStore;

type TestHandler = ClientHandler<MemoryStore, Recorder, Recorder, TestEnv>;

const NOW: u64 = 1_000_000;

/// Alice and bob are connected, and are members of nothing but their own channels and everyone.
fn handler() -> TestHandler {
    let handler = ClientHandler {
        store: MemoryStore::default(),
        queue: Recorder::default(),
        poster: Recorder::default(),
        env: TestEnv::at(NOW),
        max_body_bytes: 24_576,
        shard_members: 2_000,
        user_rate: PublishRate { per_second: 20, burst: 3 },
        max_rooms: 2,
        budget: Budget::of(8_000),
        transport: API_GATEWAY,
    };
    for name in ["alice", "bob"] {
        let one = connection(name, name, NOW);
        block_on(membership::connect(&handler.store, &handler.env, &one, 2_000)).unwrap();
    }
    handler
}

fn say(handler: &TestHandler, name: &str, text: &str) -> serde_json::Value {
    serde_json::to_value(block_on(handler.answer(&caller(name), text))).unwrap()
}

fn publish(handler: &TestHandler, channel: &Channel, ids: impl IntoIterator<Item = String>) {
    for id in ids {
        let new_messages = [new_message("svc", &id)];
        let retention = Duration::from_secs(60);
        block_on(append(&handler.store, &handler.env, channel, &new_messages, LookBack::Newest, retention)).unwrap();
    }
}

fn ids(answer: &serde_json::Value) -> Vec<&str> {
    let messages = answer["messages"].as_array().unwrap();
    messages.iter().map(|message| message["id"].as_str().unwrap()).collect()
}

#[test]
fn accepted_message_is_on_the_queue() {
    let handler = handler();
    assert_eq!(say(&handler, "alice", r#"{"action":"join","room":"a"}"#)["type"], "joined");
    let answer = say(&handler, "alice", r#"{"action":"publish","room":"a","body":{"n":1},"id":"m","ref":"r"}"#);
    assert_eq!(answer.to_string(), r#"{"channel":"room:a","id":"m","ref":"r","type":"accepted"}"#);
    assert_eq!(handler.env.measured().total(ACCEPTED), 1);
    let envelope = handler.queue.seen().enqueued[0].to_json().unwrap();
    assert_eq!(envelope, r#"{"v":1,"channel":"room:a","id":"m","from":"alice","body":{"n":1}}"#);
}

#[test]
fn message_without_id_gets_one() {
    let handler = handler();
    let answer = say(&handler, "alice", r#"{"action":"direct","to":"bob","body":"hi"}"#);
    assert_eq!(answer["id"].as_str(), Some(handler.queue.seen().enqueued[0].id.as_str()));
    assert_eq!(answer["channel"], "user:bob");
}

#[test]
fn message_that_the_queue_refused_is_not_accepted() {
    let handler = handler();
    handler.queue.refuse(Some("enqueue"));
    let answer = say(&handler, "alice", r#"{"action":"direct","to":"bob","body":1,"id":"m","ref":"r"}"#);
    let expected = r#"{"code":"unavailable","id":"m","message":"nothing was done: try again after a moment","ref":"r","type":"error"}"#;
    assert_eq!(answer.to_string(), expected);
    assert_eq!(handler.env.measured().total(ACCEPTED), 0);
}

#[test]
fn only_members_publish_and_read() {
    let handler = handler();
    for frame in [
        r#"{"action":"publish","room":"a","body":1}"#,
        r#"{"action":"history","room":"a"}"#,
        r#"{"action":"who","room":"a"}"#,
    ] {
        let answer = say(&handler, "alice", frame);
        assert_eq!(answer["code"], "not_a_member", "{frame}");
        assert_eq!(answer["message"], "this connection is not a member of `room:a`: join first");
    }
}

#[test]
fn user_channel_is_private() {
    let handler = handler();
    for frame in [r#"{"action":"join","channel":"user:bob","since":0}"#, r#"{"action":"history","channel":"user:bob"}"#]
    {
        assert_eq!(say(&handler, "alice", frame)["code"], "not_allowed", "{frame}");
    }
}

#[test]
fn forgotten_connection_cannot_join() {
    let handler = handler();
    block_on(membership::forget(&handler.store, &ConnectionId::new("alice"), Timestamp(NOW))).unwrap();
    assert_eq!(say(&handler, "alice", r#"{"action":"join","room":"a"}"#)["code"], "not_connected");
}

#[test]
fn join_with_since_returns_missed_messages() {
    let handler = handler();
    publish(&handler, &room("a"), (1..=5).map(|number| format!("m-{number}")));
    let join = |rest: &str| say(&handler, "bob", &format!(r#"{{"action":"join","room":"a"{rest}}}"#));
    let epoch = join("")["epoch"].as_str().unwrap().to_owned();
    let answer = join(&format!(r#","since":2,"epoch":"{epoch}""#));
    assert_eq!((&answer["recovered"], &answer["more"], &answer["head"]), (&true.into(), &false.into(), &5.into()));
    assert_eq!(ids(&answer), ["m-3", "m-4", "m-5"]);
    assert_eq!(ids(&join(r#","since":0"#)).len(), 5, "without an epoch, all that is kept");
    let nothing = join(&format!(r#","since":5,"epoch":"{epoch}""#));
    assert_eq!((ids(&nothing).len(), &nothing["recovered"]), (0, &true.into()));
}

#[test]
fn lost_messages_are_reported() {
    let handler = handler();
    publish(&handler, &room("a"), ["m-1".to_owned()]);
    let join = |rest: &str| say(&handler, "bob", &format!(r#"{{"action":"join","room":"a"{rest}}}"#));
    let epoch = join("")["epoch"].as_str().unwrap().to_owned();
    for rest in [r#","since":1,"epoch":"another""#.to_owned(), format!(r#","since":2,"epoch":"{epoch}""#)] {
        let answer = join(&rest);
        assert_eq!(answer["recovered"], false, "{rest}");
        assert_eq!((&answer["head"], answer.get("messages")), (&1.into(), None));
    }
    handler.env.set(NOW + 60_000);
    publish(&handler, &room("a"), ["m-2".to_owned()]);
    assert_eq!(join(&format!(r#","since":0,"epoch":"{epoch}""#))["recovered"], false, "retention has passed");
    assert_eq!(join(&format!(r#","since":1,"epoch":"{epoch}""#))["recovered"], true);
}

#[test]
fn user_channel_is_recovered_like_a_room() {
    let handler = handler();
    publish(&handler, &Channel::User(user("bob")), ["d-1".to_owned(), "d-2".to_owned()]);
    let answer = say(&handler, "bob", r#"{"action":"join","channel":"user:bob","since":0}"#);
    assert_eq!(ids(&answer), ["d-1", "d-2"]);
}

#[test]
fn large_recovery_comes_in_parts_without_gaps() {
    let handler = handler();
    let channel = room("a");
    for number in 0..9 {
        let content = hubbub_core::wire::message::Content::Body(hubbub_testkit::fixtures::body(&"x".repeat(10_000)));
        let new_messages = [NewMessage { content, ..new_message("svc", &format!("m-{number}")) }];
        let retention = Duration::from_secs(60);
        block_on(append(&handler.store, &handler.env, &channel, &new_messages, LookBack::Newest, retention)).unwrap();
    }
    let (mut since, mut read) = (0, Vec::new());
    loop {
        let answer = say(&handler, "bob", &format!(r#"{{"action":"join","room":"a","since":{since}}}"#));
        assert!(answer.to_string().len() <= hubbub_core::transport::API_GATEWAY.max_frame_bytes);
        read.extend(ids(&answer).into_iter().map(str::to_owned));
        since = answer["messages"].as_array().unwrap().last().unwrap()["seq"].as_u64().unwrap();
        if answer["more"] == false {
            break;
        }
    }
    assert_eq!(read, (0..9).map(|number| format!("m-{number}")).collect::<Vec<_>>());
}

#[test]
fn history_pages_backwards() {
    let handler = handler();
    say(&handler, "bob", r#"{"action":"join","room":"a"}"#);
    publish(&handler, &room("a"), (1..=5).map(|number| format!("m-{number}")));
    let history = |rest: &str| say(&handler, "bob", &format!(r#"{{"action":"history","room":"a"{rest}}}"#));
    let newest = history(r#","limit":2"#);
    assert_eq!((ids(&newest), &newest["more"]), (vec!["m-4", "m-5"], &true.into()));
    let older = history(r#","limit":3,"before":4"#);
    assert_eq!((ids(&older), &older["more"]), (vec!["m-1", "m-2", "m-3"], &false.into()));
    assert_eq!(ids(&history("")).len(), 5);
    assert_eq!(ids(&history(r#","before":1"#)).len(), 0);
}

#[test]
fn who_counts_connections_and_names_users_once() {
    let handler = handler();
    let second = connection("alice-2", "alice", NOW);
    block_on(membership::connect(&handler.store, &handler.env, &second, 2_000)).unwrap();
    for (connection, name) in [("alice", "alice"), ("alice-2", "alice"), ("bob", "bob")] {
        let caller = Caller { connection: ConnectionId::new(connection), ..caller(name) };
        block_on(handler.answer(&caller, r#"{"action":"join","room":"a"}"#));
    }
    let answer = say(&handler, "bob", r#"{"action":"who","room":"a"}"#);
    assert_eq!(answer.to_string(), r#"{"channel":"room:a","count":3,"type":"members","users":["alice","bob"]}"#);
    say(&handler, "bob", r#"{"action":"leave","room":"a"}"#);
    assert_eq!(say(&handler, "alice", r#"{"action":"who","room":"a"}"#)["count"], 2);
}

#[test]
fn a_ping_is_answered_with_the_time() {
    assert_eq!(say(&handler(), "bob", r#"{"action":"ping"}"#).to_string(), r#"{"at":1000000,"type":"pong"}"#);
}

#[test]
fn ping_names_the_channels_to_rejoin() {
    let handler = handler();
    let epoch = say(&handler, "bob", r#"{"action":"join","room":"a"}"#)["epoch"].as_str().unwrap().to_owned();
    let ping = |channel: &str, epoch: &str, seq: u64| {
        let seen = serde_json::json!({ channel: { "epoch": epoch, "seq": seq } });
        let pong = say(&handler, "bob", &serde_json::json!({ "action": "ping", "seen": seen }).to_string());
        pong.get("rejoin").is_some()
    };
    assert!(!ping("room:a", &epoch, 0));
    publish(&handler, &room("a"), ["m-1".to_owned()]);
    assert!(ping("room:a", &epoch, 0), "the newest message was missed");
    assert!(!ping("room:a", &epoch, 1));
    assert!(ping("room:a", "another", 1), "another epoch");
    assert!(ping("room:b", &epoch, 1), "not a member");
    say(&handler, "bob", r#"{"action":"leave","room":"a"}"#);
    assert!(ping("room:a", &epoch, 1), "no member any more");
}

#[test]
fn members_wake_a_stalled_channel() {
    let handler = handler();
    say(&handler, "bob", r#"{"action":"join","room":"a"}"#);
    publish(&handler, &room("a"), ["m-1".to_owned()]);
    let ping = r#"{"action":"ping","seen":{"room:a":{"epoch":"E","seq":0}}}"#;
    handler.env.set(NOW + 29_999);
    say(&handler, "bob", ping);
    assert_eq!(handler.queue.seen().woken, [], "a delivery may take so long");
    handler.env.set(NOW + 30_000);
    say(&handler, "bob", ping);
    say(&handler, "alice", r#"{"action":"join","room":"a"}"#);
    let woken = handler.queue.seen().woken.clone();
    assert_eq!(woken.len(), 2);
    assert_eq!(woken[0], woken[1], "the same wake, so that the queue takes it once");
    let lease = Lease { id: LeaseId::new("L"), until: Timestamp(NOW + 40_000) };
    assert!(block_on(handler.store.take_lease(&room("a"), &lease, Timestamp(NOW + 30_000))).unwrap());
    say(&handler, "bob", ping);
    assert_eq!(handler.queue.seen().woken.len(), 2, "somebody looks after it");
    handler.env.set(NOW + 40_000);
    say(&handler, "bob", ping);
    assert_eq!(handler.queue.seen().woken.len(), 3, "and has died");
}

#[test]
fn who_wants_a_receipt_says_so_in_the_envelope() {
    let handler = handler();
    say(&handler, "alice", r#"{"action":"direct","to":"bob","body":1,"id":"m","receipt":true}"#);
    let envelope = handler.queue.seen().enqueued[0].to_json().unwrap();
    let expected =
        r#"{"v":1,"channel":"user:bob","id":"m","from":"alice","body":1,"receipt":true,"connection":"alice"}"#;
    assert_eq!(envelope, expected);
}

#[test]
fn a_user_who_publishes_too_fast_is_told_when_to_try_again() {
    let handler = handler();
    let direct = r#"{"action":"direct","to":"bob","body":1,"id":"m"}"#;
    for _ in 0..3 {
        assert_eq!(say(&handler, "alice", direct)["type"], "accepted");
    }
    let answer = say(&handler, "alice", direct);
    let expected = r#"{"code":"too_fast","id":"m","message":"`alice` may publish 20 messages a second: try again in 50 ms","retry_ms":50,"type":"error"}"#;
    assert_eq!(answer.to_string(), expected);
    assert_eq!(say(&handler, "bob", direct)["type"], "accepted", "another user isn't slowed down");
    handler.env.set(NOW + 50);
    assert_eq!(say(&handler, "alice", direct)["type"], "accepted");
    assert_eq!(handler.queue.seen().enqueued.len(), 5);
}

#[test]
fn a_connection_is_a_member_of_so_many_rooms() {
    let handler = handler();
    let join = |room: &str| say(&handler, "alice", &format!(r#"{{"action":"join","room":"{room}"}}"#));
    assert_eq!((&join("a")["type"], &join("b")["type"]), (&"joined".into(), &"joined".into()));
    assert_eq!(join("c")["code"], "too_many_rooms");
    assert_eq!(join("a")["type"], "joined", "joining again changes nothing");
    say(&handler, "alice", r#"{"action":"leave","room":"a"}"#);
    assert_eq!(join("c")["type"], "joined");
}

/// What a connection was posted.
fn posted(handler: &TestHandler, id: &str) -> Vec<String> {
    handler.poster.seen().posted.get(&ConnectionId::new(id)).cloned().unwrap_or_default()
}

/// Has so many more connections join the room, each of a user of its own.
fn crowd(handler: &TestHandler, members: usize) {
    for number in 0..members {
        let id = format!("c{number:03}");
        let one = connection(&id, &id, NOW);
        block_on(membership::join(&handler.store, &handler.env, &one, &room("a"), 2_000)).unwrap();
    }
}

#[test]
fn signal_is_posted_at_once_and_not_kept() {
    let handler = handler();
    for name in ["alice", "bob"] {
        say(&handler, name, r#"{"action":"join","room":"a"}"#);
    }
    let signal = r#"{"action":"signal","room":"a","body":{"typing":true},"ref":"r"}"#;
    let answer = say(&handler, "alice", signal);
    assert_eq!(answer.to_string(), r#"{"channel":"room:a","delivered":1,"ref":"r","type":"signalled"}"#);
    let expected = r#"{"type":"signal","channel":"room:a","from":"alice","at":1000000,"body":{"typing":true}}"#;
    assert_eq!(posted(&handler, "bob"), [expected]);
    assert_eq!(posted(&handler, "alice"), Vec::<String>::new());
    assert_eq!(block_on(handler.store.state(&room("a"))).unwrap().unwrap().head, Seq::ZERO);
    assert!(handler.queue.seen().enqueued.is_empty());
    let direct = say(&handler, "alice", r#"{"action":"signal","to":"bob","body":1}"#);
    assert_eq!((&direct["type"], &direct["delivered"]), (&"signalled".into(), &1.into()));
    let nobody = say(&handler, "alice", r#"{"action":"signal","to":"carol","body":1}"#);
    assert_eq!((&nobody["type"], &nobody["delivered"]), (&"signalled".into(), &0.into()));
}

#[test]
fn signal_needs_membership_small_room_and_small_body() {
    let handler = handler();
    let signal = |body: &str| say(&handler, "alice", &format!(r#"{{"action":"signal","room":"a","body":{body}}}"#));
    assert_eq!(signal("1")["code"], "not_a_member");
    // The refused signal cost a turn.
    handler.env.set(NOW + 1_000);
    say(&handler, "alice", r#"{"action":"join","room":"a"}"#);
    assert_eq!(signal(&format!("\"{}\"", "x".repeat(1_022)))["type"], "signalled");
    assert_eq!(signal(&format!("\"{}\"", "x".repeat(1_023)))["code"], "body_too_large");
    crowd(&handler, 99);
    assert_eq!(signal("1")["delivered"], 99);
    crowd(&handler, 100);
    assert_eq!(signal("1")["code"], "too_fast", "before the members are read");
    handler.env.set(NOW + 2_000);
    let answer = signal("1");
    assert_eq!(answer["code"], "too_many_members");
    let message = "`room:a` has more than 100 members, and signals are for fewer: publish instead";
    assert_eq!(answer["message"], message);
}

#[test]
fn signal_to_many_costs_several_turns() {
    let handler = handler();
    say(&handler, "alice", r#"{"action":"join","room":"a"}"#);
    crowd(&handler, 21);
    let signal = r#"{"action":"signal","room":"a","body":1}"#;
    assert_eq!(say(&handler, "alice", signal)["delivered"], 21);
    assert_eq!(say(&handler, "alice", signal)["code"], "too_fast", "it counted as three, and three may come at once");
    handler.env.set(NOW + 100);
    assert_eq!(say(&handler, "alice", signal)["delivered"], 21);
}

#[test]
fn signal_is_dropped_when_posts_are_short() {
    let handler = TestHandler { budget: Budget::of(500), ..handler() };
    say(&handler, "alice", r#"{"action":"join","room":"a"}"#);
    crowd(&handler, 16);
    let signal = r#"{"action":"signal","room":"a","body":1}"#;
    let sender = hubbub_core::wire::id::SenderId::new("sender");
    block_on(handler.store.at_work(&sender, Timestamp(NOW + 60_000), Timestamp(NOW))).unwrap();
    let mut delivered = Vec::new();
    for step in [0, 200] {
        handler.env.set(NOW + step);
        delivered.push(say(&handler, "alice", signal)["delivered"].as_u64().unwrap());
    }
    assert_eq!(delivered, [0, 0], "500 posts a second leave 15 to signals while a large fan-out is under way");
    block_on(handler.store.at_rest(&sender)).unwrap();
    handler.env.set(NOW + 400);
    assert_eq!(say(&handler, "alice", signal)["delivered"], 16);
    assert_eq!(posted(&handler, "c000").len(), 1);
}

#[test]
fn a_socket_that_has_gone_is_pruned_by_a_signal() {
    let handler = handler();
    for name in ["alice", "bob"] {
        say(&handler, name, r#"{"action":"join","room":"a"}"#);
    }
    handler.poster.outcome("bob", hubbub_core::delivery::outcome::Outcome::Gone);
    let signal = r#"{"action":"signal","room":"a","body":1}"#;
    assert_eq!(say(&handler, "alice", signal)["delivered"], 0);
    assert_eq!(block_on(handler.store.memberships(&ConnectionId::new("bob"))).unwrap().len(), 3, "too young");
    handler.env.set(NOW + 10_000);
    say(&handler, "alice", signal);
    assert_eq!(block_on(handler.store.memberships(&ConnectionId::new("bob"))).unwrap(), []);
}

#[test]
fn who_asks_is_told_who_is_there_and_that_others_come_and_go() {
    let handler = handler();
    say(&handler, "bob", r#"{"action":"join","room":"a"}"#);
    let answer = say(&handler, "alice", r#"{"action":"join","room":"a","presence":true}"#);
    assert_eq!(answer["presence"].to_string(), r#"{"count":2,"users":["alice","bob"]}"#);
    say(&handler, "bob", r#"{"action":"leave","room":"a"}"#);
    assert_eq!(handler.store.take_requested(), [room("a")]);
    let again = say(&handler, "alice", r#"{"action":"join","room":"a"}"#);
    assert_eq!(again.get("presence"), None);
    let watchers = || block_on(handler.store.presence_snapshot(&room("a"), Timestamp(NOW))).unwrap().watchers;
    assert_eq!(watchers(), [ConnectionId::new("alice")], "joining again changes nothing");
    say(&handler, "alice", r#"{"action":"join","room":"a","presence":false}"#);
    assert_eq!(watchers(), []);
    crowd(&handler, 100);
    let answer = say(&handler, "alice", r#"{"action":"join","room":"a","presence":true}"#);
    assert_eq!(answer["presence"].to_string(), r#"{"count":101,"paused":true}"#);
    let other = say(&handler, "alice", r#"{"action":"join","channel":"everyone","presence":true}"#);
    assert_eq!(other["code"], "wrong_field");
}

#[test]
fn an_answer_with_a_hundred_users_and_a_recovery_fits_a_frame() {
    let handler = handler();
    let long = |number: usize| format!("{number:064}");
    for number in 0..99 {
        let one = connection(&long(number), &long(number), NOW);
        block_on(membership::join(&handler.store, &handler.env, &one, &room("a"), 2_000)).unwrap();
    }
    for number in 0..4 {
        let content = hubbub_core::wire::message::Content::Body(hubbub_testkit::fixtures::body(&"x".repeat(24_574)));
        let new_messages = [NewMessage { content, ..new_message(&long(1), &long(number)) }];
        let retention = Duration::from_secs(60);
        block_on(append(&handler.store, &handler.env, &room("a"), &new_messages, LookBack::Newest, retention)).unwrap();
    }
    let join = r#"{"action":"join","room":"a","presence":true,"since":0,"ref":"REF"}"#.replace("REF", &"é".repeat(64));
    let answer = say(&handler, "alice", &join);
    assert_eq!((&answer["recovered"], &answer["more"], ids(&answer).len()), (&true.into(), &true.into(), 1));
    assert_eq!(answer["presence"]["users"].as_array().unwrap().len(), 100);
    assert!(
        answer.to_string().len() <= hubbub_core::transport::API_GATEWAY.max_frame_bytes,
        "{}",
        answer.to_string().len()
    );
}

#[test]
fn frame_after_the_tokens_end_closes_the_socket() {
    let handler = handler();
    handler.env.set(hubbub_testkit::fixtures::FOREVER.0);
    let answer = say(&handler, "alice", r#"{"action":"join","room":"a"}"#);
    assert_eq!((&answer["type"], &answer["code"]), (&"closing".into(), &"token_expired".into()));
    assert_eq!(handler.poster.seen().closed.len(), 1);
    assert_eq!(block_on(handler.store.memberships(&ConnectionId::new("alice"))).unwrap(), []);
}

#[test]
fn banned_user_cannot_join() {
    let handler = handler();
    block_on(handler.store.put_ban(&user("alice"), &room("a"), Timestamp(NOW + 500))).unwrap();
    let join = |name: &str| say(&handler, name, r#"{"action":"join","room":"a"}"#);
    let answer = join("alice");
    assert_eq!((&answer["code"], &answer["retry_ms"]), (&"banned".into(), &500.into()));
    assert_eq!(block_on(handler.store.membership(&ConnectionId::new("alice"), &room("a"))).unwrap(), None);
    assert_eq!(join("bob")["type"], "joined");
    handler.env.set(NOW + 500);
    assert_eq!(join("alice")["type"], "joined");
}

#[test]
fn closed_room_cannot_be_joined() {
    let handler = handler();
    let join = || say(&handler, "bob", r#"{"action":"join","room":"a"}"#);
    assert_eq!(join()["type"], "joined");
    block_on(handler.store.set_closed(&room("a"), true)).unwrap();
    assert_eq!(join()["code"], "room_closed");
    let publish = r#"{"action":"publish","room":"a","body":1}"#;
    assert_eq!(say(&handler, "bob", publish)["code"], "not_a_member", "who tried is no member any more");
    block_on(handler.store.set_closed(&room("a"), false)).unwrap();
    assert_eq!(join()["type"], "joined");
}

#[test]
fn only_admin_commands_reach_the_queue() {
    let handler = handler();
    let kick = r#"{"action":"kick","room":"a","user":"bob"}"#;
    assert_eq!(say(&handler, "alice", kick)["code"], "not_allowed");
    let capabilities = hubbub_core::wire::capabilities::Capabilities::parse(r#"{"admin":["*"]}"#).unwrap();
    let admin = Caller { capabilities, ..caller("alice") };
    for (text, command, user) in [
        (kick, "kick", Some("bob")),
        (r#"{"action":"ban","user":"bob","until":5}"#, "ban", Some("bob")),
        (r#"{"action":"delete","room":"a","seq":1}"#, "delete", None),
        (r#"{"action":"close","room":"a","erase":true}"#, "close", None),
        (r#"{"action":"open","room":"a"}"#, "open", None),
    ] {
        // Commands come at the user's rate, as messages do.
        handler.env.set(handler.env.now().0 + 1_000);
        let answer = serde_json::to_value(block_on(handler.answer(&admin, text))).unwrap();
        assert_eq!((&answer["type"], &answer["command"]), (&"command_accepted".into(), &command.into()), "{answer}");
        assert_eq!(answer.get("user").and_then(serde_json::Value::as_str), user, "{answer}");
    }
    let seen = handler.queue.seen();
    let channels: Vec<String> = seen.commands.iter().map(|command| command.channel.to_string()).collect();
    assert_eq!(channels, ["room:a", "user:bob", "room:a", "room:a", "room:a"]);
    assert_eq!(seen.commands[0].from, user("alice"));
}
