//! A session against a scripted server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::fake::{Server, Socket, messages, next_message, next_seqs, soon};
use hubbub_client::{Channel, CloseReason, Error, Event, Events, Session, SessionOptions, Start, Status, Tokens};
use serde_json::{Value, json};

fn options(server: &Server, tokens: Tokens) -> SessionOptions {
    let mut options = SessionOptions::new(server.options().connection.url, "ana", tokens);
    options.first_pause = Duration::from_millis(5);
    options.longest_pause = Duration::from_millis(20);
    options
}

fn open(server: &Server) -> (Session, Events) {
    Session::open(options(server, Tokens::fixed("secret")))
}

/// A session that moves to a new socket after this time.
fn open_moving(server: &Server, millis: u64) -> (Session, Events) {
    let mut options = options(server, Tokens::fixed("secret"));
    options.move_after = Duration::from_millis(millis)..=Duration::from_millis(millis);
    Session::open(options)
}

/// Answers the next frame, which must be a join, with the missed messages. Returns the join.
async fn answer_join(socket: &mut Socket, room: &str, head: u64, missed: &[u64]) -> Value {
    let join = socket.next().await;
    assert_eq!((&join["action"], &join["room"]), (&json!("join"), &json!(room)));
    let recovered = if join["since"].is_null() { "" } else { r#""recovered":true,"# };
    let missed = messages(missed);
    let fields = format!(
        r#""type":"joined","channel":"room:{room}","epoch":"E","head":{head},{recovered}"messages":[{missed}],"more":false"#
    );
    socket.answer(&join, &fields).await;
    join
}

/// Joins room `a` with a session, and returns its socket.
async fn join_room_a(server: &Server, session: &Session) -> Socket {
    let serve = async {
        let mut socket = server.accept().await;
        answer_join(&mut socket, "a", 0, &[]).await;
        socket
    };
    let (socket, joined) = tokio::join!(serve, session.join(Channel::room("a"), Start::Now));
    joined.unwrap();
    socket
}

/// Calls `who`, and returns the next action on the socket: `who`, unless the session sends something else first.
async fn next_action(session: &Session, socket: &mut Socket) -> Value {
    let asking = tokio::spawn({
        let session = session.clone();
        async move { session.who("b").await }
    });
    let next = socket.next().await["action"].take();
    asking.abort();
    next
}

async fn accept_message(socket: &mut Socket) -> Value {
    let publish = socket.next().await;
    assert_eq!(publish["action"], "publish");
    let id = publish["id"].as_str().unwrap();
    socket.answer(&publish, &format!(r#""type":"accepted","id":"{id}","channel":"room:a""#)).await;
    publish
}

async fn until(session: &Session, wanted: impl Fn(&Status) -> bool) -> Status {
    let mut status = session.status();
    let status = soon(status.wait_for(wanted)).await.unwrap();
    status.clone()
}

#[tokio::test]
async fn after_a_cut_missed_messages_come_first() {
    let server = Server::start().await;
    let (session, mut events) = open(&server);
    let mut socket = join_room_a(&server, &session).await;
    assert_eq!(*session.status().borrow(), Status::Live);
    socket.post("a", "E", &[1, 2]).await;
    assert_eq!(next_seqs(&mut events, 2).await, [1, 2]);
    drop(socket);
    let mut socket = server.accept().await;
    until(&session, |status| *status == Status::Recovering).await;
    socket.post("a", "E", &[5]).await;
    let join = answer_join(&mut socket, "a", 4, &[3, 4]).await;
    assert_eq!((&join["since"], &join["epoch"]), (&json!(2), &json!("E")));
    assert_eq!(next_seqs(&mut events, 3).await, [3, 4, 5]);
    until(&session, |status| *status == Status::Live).await;
    assert_eq!(serde_json::to_value(session.state()).unwrap(), json!({"room:a": {"epoch": "E", "seq": 5}}));
}

#[tokio::test]
async fn message_with_a_lost_answer_is_resent_before_the_next() {
    let server = Server::start().await;
    let (session, _events) = open(&server);
    let mut socket = join_room_a(&server, &session).await;
    let publish = |body: u32| {
        let session = session.clone();
        tokio::spawn(async move { session.publish("a", &body, None).await })
    };
    let first = publish(1);
    let lost = socket.next().await;
    let second = publish(2);
    drop(socket);
    let mut socket = server.accept().await;
    answer_join(&mut socket, "a", 0, &[]).await;
    let again = accept_message(&mut socket).await;
    assert_eq!((&again["id"], &again["body"]), (&lost["id"], &json!(1)));
    assert_eq!(accept_message(&mut socket).await["body"], 2);
    assert_eq!(soon(first).await.unwrap().unwrap().id, lost["id"].as_str().unwrap());
    assert_eq!(session.stats().resent, 1);
    soon(second).await.unwrap().unwrap();
}

#[tokio::test]
async fn move_to_a_new_socket_repeats_no_message() {
    let server = Server::start().await;
    let (session, mut events) = open_moving(&server, 200);
    let mut old = join_room_a(&server, &session).await;
    old.post("a", "E", &[1]).await;
    assert_eq!(next_seqs(&mut events, 1).await, [1]);
    let mut new = server.accept().await;
    let join = new.next().await;
    assert_eq!(join["since"], 1);
    // Both sockets bring what comes during the move.
    old.post("a", "E", &[2]).await;
    assert_eq!(next_seqs(&mut events, 1).await, [2]);
    let missed = messages(&[2]);
    let fields =
        format!(r#""type":"joined","channel":"room:a","epoch":"E","head":2,"recovered":true,"messages":[{missed}]"#);
    new.answer(&join, &fields).await;
    new.post("a", "E", &[3]).await;
    assert_eq!(next_seqs(&mut events, 1).await, [3]);
    assert!(old.ends_with_goodbye().await);
    assert_eq!(*session.status().borrow(), Status::Live, "a move does not change the status");
}

#[tokio::test]
async fn cut_after_a_move_repeats_no_message() {
    let server = Server::start().await;
    let (session, mut events) = open_moving(&server, 200);
    let mut old = join_room_a(&server, &session).await;
    let mut new = server.accept().await;
    let join = new.next().await;
    let fields =
        r#""type":"joined","channel":"room:a","epoch":"E","head":0,"recovered":true,"messages":[],"more":false"#;
    old.post("a", "E", &[1, 2]).await;
    assert_eq!(next_seqs(&mut events, 2).await, [1, 2]);
    new.answer(&join, fields).await;
    assert!(old.ends_with_goodbye().await);
    // The new socket is cut before it has brought them as well.
    drop(new);
    let mut new = server.accept().await;
    assert_eq!(answer_join(&mut new, "a", 3, &[3]).await["since"], 2);
    assert_eq!(next_seqs(&mut events, 1).await, [3]);
}

#[tokio::test]
async fn user_expelled_during_a_move_stays_out() {
    let server = Server::start().await;
    let (session, mut events) = open_moving(&server, 200);
    let mut old = join_room_a(&server, &session).await;
    let mut new = server.accept().await;
    let join = new.next().await;
    old.send(r#"{"type":"left","channel":"room:a","reason":"kicked"}"#).await;
    assert!(matches!(soon(events.next()).await, Some(Event::Left(_))));
    let fields =
        r#""type":"joined","channel":"room:a","epoch":"E","head":0,"recovered":true,"messages":[],"more":false"#;
    new.answer(&join, fields).await;
    assert!(new.ends_with_goodbye().await, "this socket may be a member");
    let mut new = server.accept().await;
    assert!(old.ends_with_goodbye().await);
    assert_eq!(next_action(&session, &mut new).await, "who", "the room is not joined");
}

#[tokio::test]
async fn close_does_not_wait_for_a_move() {
    let server = Server::start().await;
    let (session, mut events) = open_moving(&server, 50);
    let mut old = join_room_a(&server, &session).await;
    let mut new = server.accept().await;
    assert_eq!(new.next().await["action"], "join");
    let (goodbye, ()) = tokio::join!(old.ends_with_goodbye(), soon(session.close()));
    assert!(goodbye);
    assert!(matches!(soon(events.next()).await, Some(Event::Closed(CloseReason::ByApplication))));
    assert!(soon(events.next()).await.is_none());
}

#[tokio::test]
async fn panic_in_the_token_source_ends_the_session() {
    let server = Server::start().await;
    let tokens = Tokens::fetch(|| async { panic!("a bug of the application") });
    let (session, _events) = Session::open(options(&server, tokens));
    assert!(matches!(soon(session.who("a")).await, Err(Error::Ended(_))));
    soon(session.close()).await;
}

#[tokio::test]
async fn join_and_leave_during_a_move_use_the_new_socket() {
    let server = Server::start().await;
    let (session, _events) = open_moving(&server, 200);
    let mut old = join_room_a(&server, &session).await;
    let mut new = server.accept().await;
    let follow = new.next().await;
    let leaving = tokio::spawn({
        let session = session.clone();
        async move { session.leave("a").await }
    });
    let joining = tokio::spawn({
        let session = session.clone();
        async move { session.join(Channel::room("b"), Start::Now).await }
    });
    tokio::task::yield_now().await;
    let fields =
        r#""type":"joined","channel":"room:a","epoch":"E","head":0,"recovered":true,"messages":[],"more":false"#;
    new.answer(&follow, fields).await;
    for _ in 0..2 {
        let frame = new.next().await;
        if frame["action"] == "leave" {
            new.answer(&frame, r#""type":"left","channel":"room:a""#).await;
        } else {
            let fields = r#""type":"joined","channel":"room:b","epoch":"E","head":0,"messages":[],"more":false"#;
            assert_eq!(frame["room"], "b");
            new.answer(&frame, fields).await;
        }
    }
    soon(leaving).await.unwrap().unwrap();
    soon(joining).await.unwrap().unwrap();
    assert!(old.ends_with_goodbye().await, "nothing was sent on it");
    assert_eq!(serde_json::to_value(session.state()).unwrap(), json!({"room:b": {"epoch": "E", "seq": 0}}));
    let stats = session.stats();
    assert_eq!((stats.connections, stats.moves, stats.counters.joins), (2, 1, 3));
}

#[tokio::test]
async fn retried_join_continues_from_the_last_message() {
    let server = Server::start().await;
    let (session, mut events) = open(&server);
    let mut socket = server.accept().await;
    let joining = tokio::spawn({
        let session = session.clone();
        async move { session.join(Channel::room("a"), Start::Now).await }
    });
    let join = socket.next().await;
    socket.post("a", "E", &[5, 6]).await;
    socket.answer(&join, r#""type":"error","code":"unavailable","message":"try again""#).await;
    assert_eq!(next_seqs(&mut events, 2).await, [5, 6]);
    let again = socket.next().await;
    assert_eq!(again["since"], 6);
    // A message that is still held back when the socket ends is not handed out, so it does not move the position.
    socket.post("a", "E", &[7]).await;
    drop(socket);
    let mut socket = server.accept().await;
    assert_eq!(answer_join(&mut socket, "a", 8, &[7, 8]).await["since"], 6);
    answer_join(&mut socket, "a", 8, &[]).await;
    assert_eq!(soon(joining).await.unwrap().unwrap().head, 8);
    assert_eq!(next_seqs(&mut events, 2).await, [7, 8]);
}

#[tokio::test]
async fn channel_that_refuses_a_join_is_not_followed() {
    let server = Server::start().await;
    let (session, _events) = open(&server);
    let mut socket = server.accept().await;
    let serve = async {
        let join = socket.next().await;
        socket.answer(&join, r#""type":"error","code":"forbidden","message":"not yours""#).await;
    };
    let (joined, ()) = tokio::join!(session.join(Channel::room("a"), Start::Beginning), serve);
    assert!(matches!(joined, Err(Error::Server(_))));
    drop(socket);
    let mut socket = server.accept().await;
    assert_eq!(next_action(&session, &mut socket).await, "who");
}

#[tokio::test]
async fn left_event_follows_the_last_message() {
    let server = Server::start().await;
    let (session, mut events) = open(&server);
    let mut socket = join_room_a(&server, &session).await;
    let serve = async {
        let leave = socket.next().await;
        socket.post("a", "E", &[1, 2]).await;
        socket.answer(&leave, r#""type":"left","channel":"room:a""#).await;
        answer_join(&mut socket, "a", 5, &[]).await;
        socket.post("a", "E", &[6]).await;
    };
    let leave_and_come_back = async {
        session.leave("a").await.unwrap();
        session.join(Channel::room("a"), Start::Known).await.unwrap();
    };
    tokio::join!(serve, leave_and_come_back);
    assert_eq!(next_seqs(&mut events, 2).await, [1, 2]);
    assert!(matches!(soon(events.next()).await, Some(Event::Left(left)) if left.channel == Channel::room("a")));
    assert_eq!(next_seqs(&mut events, 1).await, [6]);
    drop(socket);
    let mut socket = server.accept().await;
    assert_eq!(
        answer_join(&mut socket, "a", 6, &[]).await["since"],
        6,
        "the end of the first membership doesn't end the second"
    );
}

#[tokio::test]
async fn pending_answer_keeps_the_old_socket_open() {
    let server = Server::start().await;
    let (session, _events) = open_moving(&server, 100);
    let mut old = join_room_a(&server, &session).await;
    let asking = tokio::spawn({
        let session = session.clone();
        async move { session.who("a").await }
    });
    let who = old.next().await;
    let mut new = server.accept().await;
    answer_join(&mut new, "a", 0, &[]).await;
    old.answer(&who, r#""type":"members","channel":"room:a","count":1,"users":["ana"]"#).await;
    assert_eq!(soon(asking).await.unwrap().unwrap().count, 1);
    assert!(old.ends_with_goodbye().await);
}

#[tokio::test]
async fn session_ends_when_told_not_to_reconnect() {
    let server = Server::start().await;
    let (session, mut events) = open(&server);
    let mut socket = join_room_a(&server, &session).await;
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { session.publish("a", &1, None).await }
    });
    socket.next().await;
    socket.send(r#"{"type":"closing","code":"banned","message":"banned by root","reconnect":false}"#).await;
    let status = until(&session, |status| matches!(status, Status::Closed(_))).await;
    assert_eq!(status, Status::Closed("banned by root".to_owned()));
    assert_eq!(soon(waiting).await.unwrap().unwrap_err().to_string(), "the session has ended: banned by root");
    assert!(matches!(soon(events.next()).await, Some(Event::Unexpected(_))));
    assert!(matches!(soon(events.next()).await, Some(Event::Closed(_))));
    assert!(soon(events.next()).await.is_none());
}

#[tokio::test]
async fn refused_token_is_fetched_again_unless_it_is_fixed() {
    let server = Server::start().await;
    let (session, _events) = open(&server);
    server.refuse(403, "no").await;
    let Status::Closed(why) = until(&session, |status| matches!(status, Status::Closed(_))).await else { panic!() };
    assert_eq!(why, "the connection was refused with HTTP status 403: `no`");
    assert!(matches!(session.who("a").await, Err(Error::Ended(_))));

    let tries = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let tokens = Tokens::fetch(move || {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        async move { if number == 0 { Err("the login is down".into()) } else { Ok(format!("token-{number}")) } }
    });
    let (session, _events) = Session::open(options(&server, tokens));
    let offline = until(&session, |status| matches!(status, Status::Offline(_))).await;
    assert_eq!(offline, Status::Offline("the token could not be fetched: the login is down".to_owned()));
    server.refuse(401, "expired").await;
    assert_eq!(server.accept().await.authorization.as_deref(), Some("Bearer token-2"));
}

#[tokio::test]
async fn room_that_expelled_the_user_is_not_rejoined() {
    let server = Server::start().await;
    let (session, mut events) = open(&server);
    let mut socket = join_room_a(&server, &session).await;
    socket.send(r#"{"type":"left","channel":"room:a","reason":"kicked"}"#).await;
    assert!(matches!(soon(events.next()).await, Some(Event::Left(left)) if left.reason.as_deref() == Some("kicked")));
    assert_eq!(serde_json::to_value(session.state()).unwrap(), json!({}));
    drop(socket);
    let mut socket = server.accept().await;
    assert_eq!(next_action(&session, &mut socket).await, "who");
}

#[tokio::test]
async fn refused_channel_is_dropped_and_others_continue() {
    let server = Server::start().await;
    let mut options = options(&server, Tokens::fixed("secret"));
    options = options.follow(Channel::room("a"), Start::Now).follow(Channel::room("b"), Start::Beginning);
    let (session, mut events) = Session::open(options);
    let mut socket = server.accept().await;
    for _ in 0..2 {
        let join = socket.next().await;
        if join["room"] == "a" {
            socket.answer(&join, r#""type":"error","code":"forbidden","message":"not yours""#).await;
        } else {
            assert_eq!(join["since"], 0);
            let missed = messages(&[1]);
            let fields = format!(
                r#""type":"joined","channel":"room:b","epoch":"E","head":1,"recovered":true,"messages":[{missed}]"#
            );
            socket.answer(&join, &fields).await;
        }
    }
    until(&session, |status| *status == Status::Live).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        match soon(events.next()).await {
            Some(Event::Dropped { channel, .. }) => seen.push(format!("dropped {channel}")),
            Some(Event::Message(delivery)) => seen.push(format!("message in {}", delivery.channel)),
            other => panic!("{other:?}"),
        }
    }
    seen.sort();
    assert_eq!(seen, ["dropped room:a", "message in room:b"]);
}

#[tokio::test]
async fn forgotten_member_rejoins_and_publishes() {
    let server = Server::start().await;
    let (session, _events) = open(&server);
    let mut socket = join_room_a(&server, &session).await;
    let serve = async {
        let publish = socket.next().await;
        socket.answer(&publish, r#""type":"error","code":"not_a_member","message":"join first""#).await;
        answer_join(&mut socket, "a", 0, &[]).await;
        assert_eq!(accept_message(&mut socket).await["id"], publish["id"]);
    };
    let (published, ()) = tokio::join!(session.publish("a", &1, None), serve);
    published.unwrap();
}

#[tokio::test]
async fn forgotten_socket_is_replaced() {
    let server = Server::start().await;
    let (session, _events) = open(&server);
    let mut socket = join_room_a(&server, &session).await;
    let serve = async {
        let publish = socket.next().await;
        socket.answer(&publish, r#""type":"error","code":"not_connected","message":"connect again""#).await;
        let mut socket = server.accept().await;
        let join = socket.next().await;
        socket.answer(&join, r#""type":"error","code":"not_connected","message":"connect again""#).await;
        let mut socket = server.accept().await;
        answer_join(&mut socket, "a", 0, &[]).await;
        assert_eq!(accept_message(&mut socket).await["id"], publish["id"]);
    };
    let (published, ()) = tokio::join!(session.publish("a", &1, None), serve);
    published.unwrap();
}

#[tokio::test]
async fn close_forwards_pending_events_and_says_goodbye() {
    let server = Server::start().await;
    let (session, mut events) = open(&server);
    let mut socket = join_room_a(&server, &session).await;
    socket.post("a", "E", &[1]).await;
    assert_eq!(next_message(&mut events).await, (Channel::room("a"), 1));
    let (goodbye, ()) = tokio::join!(socket.ends_with_goodbye(), session.close());
    assert!(goodbye);
    assert!(matches!(soon(events.next()).await, Some(Event::Closed(_))));
    assert_eq!(serde_json::to_value(session.state()).unwrap(), json!({"room:a": {"epoch": "E", "seq": 1}}));
    assert!(matches!(session.publish("a", &2, None).await, Err(Error::Ended(_))));

    let (session, _events) = open(&server);
    let mut socket = server.accept().await;
    until(&session, |status| *status == Status::Live).await;
    drop(session);
    assert!(socket.ends_with_goodbye().await, "the last handle was dropped");
}

/// Answers a join that asks for presence.
async fn answer_watch(socket: &mut Socket, users: &str, count: u64) {
    let join = socket.next().await;
    assert_eq!((&join["action"], &join["presence"]), (&json!("join"), &json!(true)));
    let fields = format!(
        r#""type":"joined","channel":"room:a","epoch":"E","head":0,"recovered":true,"messages":[],"presence":{{"count":{count},"users":[{users}]}}"#
    );
    socket.answer(&join, &fields).await;
}

async fn next_presence(events: &mut Events) -> Vec<String> {
    match soon(events.next()).await {
        Some(Event::Presence(update)) => update.users.into_iter().collect(),
        other => panic!("not a presence update: {other:?}"),
    }
}

#[tokio::test]
async fn watched_room_is_watched_again_on_a_new_socket() {
    let server = Server::start().await;
    let (session, mut events) = open(&server);
    let mut socket = join_room_a(&server, &session).await;
    let (watched, ()) = tokio::join!(session.watch("a"), answer_watch(&mut socket, r#""ana","ben""#, 2));
    assert_eq!(watched.unwrap().count, 2);
    socket.send(r#"{"type":"presence","channel":"room:a","at":5,"count":3,"users":["ana","ben","cyd"]}"#).await;
    assert_eq!(next_presence(&mut events).await, ["ana", "ben", "cyd"]);
    drop(socket);
    let mut socket = server.accept().await;
    answer_join(&mut socket, "a", 0, &[]).await;
    answer_watch(&mut socket, r#""ana","fay""#, 2).await;
    assert_eq!(next_presence(&mut events).await, ["ana", "fay"]);
}

#[tokio::test]
async fn signal_is_sent_now_or_never() {
    let server = Server::start().await;
    let (session, _events) = open(&server);
    assert_eq!(session.signal("a", &"typing").await.unwrap(), 0, "the session is not connected yet");
    let mut socket = join_room_a(&server, &session).await;
    let serve = async {
        let signal = socket.next().await;
        assert_eq!((&signal["action"], &signal["body"]), (&json!("signal"), &json!("typing")));
        socket.answer(&signal, r#""type":"signalled","channel":"room:a","delivered":2"#).await;
    };
    let (delivered, ()) = tokio::join!(session.signal("a", &"typing"), serve);
    assert_eq!(delivered.unwrap(), 2);
    let serve = async {
        socket.next().await;
        drop(socket);
    };
    let (delivered, ()) = tokio::join!(session.signal("a", &"typing"), serve);
    assert_eq!(delivered.unwrap(), 0);
    let mut socket = server.accept().await;
    answer_join(&mut socket, "a", 0, &[]).await;
    let (_, next) = tokio::join!(session.publish("a", &1, None), accept_message(&mut socket));
    assert_eq!(next["body"], 1, "the signal is not sent again");
}

#[tokio::test]
async fn join_from_the_beginning_survives_a_cut() {
    let server = Server::start().await;
    let (session, mut events) = open(&server);
    let mut socket = join_room_a(&server, &session).await;
    socket.post("a", "E", &[1]).await;
    assert_eq!(next_seqs(&mut events, 1).await, [1]);
    // The recovery of this gap holds the channel's lock, so that the join begins after the session has noted the cut.
    socket.post("a", "E", &[3]).await;
    assert_eq!(socket.next().await["since"], 1);
    let joining = tokio::spawn({
        let session = session.clone();
        async move { session.join(Channel::room("a"), Start::Beginning).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(socket);
    let mut socket = server.accept().await;
    assert_eq!(answer_join(&mut socket, "a", 3, &[1, 2, 3]).await["since"], 0);
    assert_eq!(answer_join(&mut socket, "a", 3, &[]).await["since"], 3);
    soon(joining).await.unwrap().unwrap();
    assert_eq!(next_seqs(&mut events, 3).await, [1, 2, 3]);
}

#[tokio::test]
async fn move_waits_for_an_abandoned_join() {
    let server = Server::start().await;
    let (session, _events) = open_moving(&server, 100);
    let mut old = server.accept().await;
    until(&session, |status| *status == Status::Live).await;
    let join = session.join(Channel::room("a"), Start::Now);
    assert!(tokio::time::timeout(Duration::from_millis(30), join).await.is_err());
    let join = old.next().await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    let fields = r#""type":"joined","channel":"room:a","epoch":"E","head":5"#;
    old.answer(&join, fields).await;
    let mut new = server.accept().await;
    assert_eq!(answer_join(&mut new, "a", 7, &[6, 7]).await["since"], 5, "it misses nothing");
}
