//! A client against a scripted server.

use std::time::Duration;

use crate::fake::{Server, Socket, messages, next_message, next_seqs, soon};
use hubbub_client::{Channel, Client, CloseReason, Error, Event, Options, Position, ServerFrame, Start, State};
use serde_json::json;

fn with_request_timeout(milliseconds: u64, mut options: Options) -> Options {
    options.connection.request_timeout = Duration::from_millis(milliseconds);
    options
}

#[tokio::test]
async fn token_is_sent_in_the_handshake() {
    let server = Server::start().await;
    let (_client, _events, socket) = server.connect().await;
    assert_eq!(socket.authorization.as_deref(), Some("Bearer secret"));
}

#[tokio::test]
async fn refused_handshake_reports_status_and_text() {
    let server = Server::start().await;
    let (refused, ()) = tokio::join!(Client::connect(server.options()), server.refuse(403, "no entry"));
    match refused {
        Err(Error::Refused { status: 403, body }) => assert_eq!(body, "no entry"),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn unreachable_server_is_retryable() {
    let options = {
        let server = Server::start().await;
        server.options()
    };
    let error = Client::connect(options).await.unwrap_err();
    assert!(matches!(error, Error::Connect(_)) && error.is_retryable(), "{error}");
}

#[tokio::test]
async fn failed_tls_handshake_is_retryable() {
    let server = Server::start().await;
    let mut options = server.options();
    options.connection.url = options.connection.url.replace("ws://", "wss://");
    let (connected, ()) = tokio::join!(Client::connect(options), server.hang_up());
    let error = connected.unwrap_err();
    assert!(matches!(error, Error::Connect(_)) && error.is_retryable(), "{error}");
}

#[tokio::test]
async fn invalid_address_and_token_are_reported() {
    let error = Client::connect(Options::new("ftp://example.org", "ana", "t")).await.unwrap_err();
    assert!(!matches!(error, Error::Refused { .. }), "{error}");
    let error = Client::connect(Options::new("ws://127.0.0.1:9/", "ana", "a\nb")).await.unwrap_err();
    assert!(matches!(error, Error::InvalidToken), "{error}");
}

#[tokio::test]
async fn answers_match_requests_in_any_order() {
    let server = Server::start().await;
    let (client, _events, mut socket) = server.connect().await;
    let serve = async {
        let first = socket.next().await;
        let second = socket.next().await;
        for question in [second, first] {
            let room = question["room"].as_str().unwrap();
            let fields = format!(r#""type":"members","channel":"room:{room}","count":1,"users":["{room}"]"#);
            socket.answer(&question, &fields).await;
        }
    };
    let (a, b, ()) = tokio::join!(client.who("a"), client.who("b"), serve);
    assert_eq!(a.unwrap().users, ["a"]);
    assert_eq!(b.unwrap().users, ["b"]);
}

#[tokio::test]
async fn each_request_takes_only_its_own_answer_type() {
    let server = Server::start().await;
    let (client, _events, mut socket) = server.connect().await;
    let serve = async {
        for (action, fields) in [
            ("publish", r#""type":"accepted","id":"m","channel":"room:a""#),
            ("direct", r#""type":"accepted","id":"n","channel":"user:ben""#),
            ("history", r#""type":"history","channel":"room:a","epoch":"E","messages":[],"more":false"#),
            ("ping", r#""type":"pong","at":5"#),
            ("leave", r#""type":"left","channel":"room:a""#),
            ("ping", r#""type":"left","channel":"room:a""#),
        ] {
            let question = socket.next().await;
            assert_eq!(question["action"], action);
            socket.answer(&question, fields).await;
        }
    };
    let ask = async {
        assert_eq!(client.publish("a", &json!({"n": 1}), Some("m")).await.unwrap().id, "m");
        assert_eq!(client.direct("ben", "hello", None).await.unwrap().channel, Channel::user("ben"));
        assert!(client.history(Channel::room("a"), Some(9), Some(5)).await.unwrap().messages.is_empty());
        assert_eq!(client.ping().await.unwrap().at, 5);
        assert_eq!(client.leave("a").await.unwrap().channel, Channel::room("a"));
        let error = client.ping().await.unwrap_err();
        assert_eq!(error.to_string(), "`ping` was answered with `left`");
    };
    tokio::join!(ask, serve);
}

#[tokio::test]
async fn messages_to_one_room_are_sent_one_after_another() {
    let server = Server::start().await;
    let (client, _events, mut socket) = server.connect().await;
    let serve = async {
        for id in ["1", "2", "3"] {
            let question = socket.next().await;
            assert_eq!(question["id"], id);
            socket.answer(&question, &format!(r#""type":"accepted","id":"{id}","channel":"room:a""#)).await;
        }
    };
    let (one, two, three, ()) = tokio::join!(
        client.publish("a", &1, Some("1")),
        client.publish("a", &2, Some("2")),
        client.publish("a", &3, Some("3")),
        serve
    );
    assert_eq!([one, two, three].map(|accepted| accepted.unwrap().id), ["1", "2", "3"]);
}

#[tokio::test]
async fn error_frame_becomes_an_error_with_its_code() {
    let server = Server::start().await;
    let (client, _events, mut socket) = server.connect().await;
    let serve = async {
        let question = socket.next().await;
        socket.answer(&question, r#""type":"error","code":"not_a_member","message":"join first""#).await;
        let question = socket.next().await;
        socket.answer(&question, r#""type":"error","code":"unavailable","message":"try again""#).await;
    };
    let ask = async {
        let error = client.publish("a", &1, None).await.unwrap_err();
        assert_eq!(error.to_string(), "join first (`not_a_member`)");
        assert!(!error.is_retryable());
        assert!(client.publish("a", &1, None).await.unwrap_err().is_retryable());
    };
    tokio::join!(ask, serve);
}

#[tokio::test]
async fn late_answer_after_a_timeout_is_dropped() {
    let server = Server::start().await;
    let options = with_request_timeout(100, server.options());
    let (connected, mut socket) = tokio::join!(Client::connect(options), server.accept());
    let (client, mut events) = connected.unwrap();
    let error = client.ping().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { action: "ping", .. }), "{error}");

    let question = socket.next().await;
    let serve = async {
        socket.answer(&question, r#""type":"pong","at":1"#).await;
        assert_eq!(socket.next_text().await, "hello");
        socket.send(r#"{"type":"error","code":"not_json","message":"it is not"}"#).await;
    };
    let (answer, ()) = tokio::join!(client.raw("hello"), serve);
    assert_eq!(answer.unwrap().frame.kind(), "error");
    drop(client);
    assert!(socket.ends_with_goodbye().await);
    assert!(matches!(soon(events.next()).await, Some(Event::Closed(CloseReason::ByApplication))));
}

#[tokio::test]
async fn unexpected_frame_becomes_an_event() {
    let server = Server::start().await;
    let (_client, mut events, mut socket) = server.connect().await;
    socket.send(r#"{"message":"Internal server error","connectionId":"c","requestId":"r"}"#).await;
    match soon(events.next()).await {
        Some(Event::Unexpected(ServerFrame::Other { text })) => assert!(text.contains("Internal server error")),
        other => panic!("not an unexpected frame: {other:?}"),
    }
}

#[tokio::test]
async fn messages_are_held_until_the_join_is_answered() {
    let server = Server::start().await;
    let (client, mut events, mut socket) = server.connect().await;
    let serve = async {
        let question = socket.next().await;
        assert_eq!((&question["action"], &question["room"]), (&json!("join"), &json!("a")));
        socket.post("a", "E1", &[5, 6]).await;
        socket.answer(&question, r#""type":"joined","channel":"room:a","epoch":"E1","head":5"#).await;
    };
    let (caught, ()) = tokio::join!(client.join_room("a"), serve);
    assert_eq!(caught.unwrap().head, 5);
    assert_eq!(next_seqs(&mut events, 2).await, [5, 6]);
}

#[tokio::test]
async fn gap_is_closed_by_joins_and_order_holds() {
    let server = Server::start().await;
    let (client, mut events, mut socket) = server.connect().await;
    let serve = async {
        let question = socket.next().await;
        socket.answer(&question, r#""type":"joined","channel":"room:a","epoch":"E1","head":0"#).await;
        socket.post("a", "E1", &[1]).await;
        socket.post("a", "E1", &[4]).await;

        let question = socket.next().await;
        assert_eq!((&question["since"], &question["epoch"]), (&json!(1), &json!("E1")));
        socket.post("a", "E1", &[5]).await;
        let fields = format!(
            r#""type":"joined","channel":"room:a","epoch":"E1","head":4,"recovered":true,"messages":[{}],"more":true"#,
            messages(&[2])
        );
        socket.answer(&question, &fields).await;

        let question = socket.next().await;
        assert_eq!(question["since"], 2);
        let fields = format!(
            r#""type":"joined","channel":"room:a","epoch":"E1","head":4,"recovered":true,"messages":[{}]"#,
            messages(&[3, 4])
        );
        socket.answer(&question, &fields).await;
    };
    let (caught, ()) = tokio::join!(client.join_room("a"), serve);
    caught.unwrap();
    assert_eq!(next_seqs(&mut events, 5).await, [1, 2, 3, 4, 5]);
    let counters = client.counters(&Channel::room("a"));
    assert_eq!((counters.recovered, counters.duplicates, counters.joins), (2, 0, 3));
}

#[tokio::test]
async fn recovery_is_retried_when_the_server_is_busy() {
    let server = Server::start().await;
    let (_client, mut events, mut socket) = server.connect().await;
    let serve = async {
        socket.post("a", "E1", &[1]).await;
        socket.post("a", "E1", &[3]).await;
        let question = socket.next().await;
        socket.answer(&question, r#""type":"error","code":"unavailable","message":"try again""#).await;
        let question = socket.next().await;
        let fields = format!(
            r#""type":"joined","channel":"room:a","epoch":"E1","head":3,"recovered":true,"messages":[{}]"#,
            messages(&[2, 3])
        );
        socket.answer(&question, &fields).await;
    };
    let (seqs, ()) = tokio::join!(next_seqs(&mut events, 3), serve);
    assert_eq!(seqs, [1, 2, 3]);
}

#[tokio::test]
async fn channel_that_refuses_a_rejoin_is_dropped() {
    let server = Server::start().await;
    let (client, mut events, mut socket) = server.connect().await;
    socket.post("a", "E1", &[1]).await;
    socket.post("a", "E1", &[3]).await;
    assert_eq!(next_seqs(&mut events, 1).await, [1]);
    let question = socket.next().await;
    socket.answer(&question, r#""type":"error","code":"not_allowed","message":"not yours""#).await;
    match soon(events.next()).await {
        Some(Event::Dropped { channel, error: Error::Server(error) }) => {
            assert_eq!((channel, error.code.as_str()), (Channel::room("a"), "not_allowed"));
        }
        other => panic!("not dropped: {other:?}"),
    }
    assert_eq!(client.state(), State::default());
}

#[tokio::test]
async fn unrecoverable_messages_are_reported() {
    let server = Server::start().await;
    let options = server.options().inbox(Start::After(Position { epoch: "E1".to_owned(), seq: 3 }));
    let serve = async {
        let mut socket = server.accept().await;
        let question = socket.next().await;
        assert_eq!(question["channel"], "user:ana");
        socket
            .answer(&question, r#""type":"joined","channel":"user:ana","epoch":"E2","head":9,"recovered":false"#)
            .await;
        socket
    };
    let (connected, _socket) = tokio::join!(Client::connect(options), serve);
    let (_client, mut events) = connected.unwrap();
    match soon(events.next()).await {
        Some(Event::Reset { channel, epoch, head }) => {
            assert_eq!((channel, epoch.as_str(), head), (Channel::user("ana"), "E2", 9));
        }
        other => panic!("not a reset: {other:?}"),
    }
}

#[tokio::test]
async fn new_socket_continues_after_a_cut() {
    let server = Server::start().await;
    let (client, mut events, mut socket) = server.connect().await;
    let serve = async {
        let question = socket.next().await;
        socket.answer(&question, r#""type":"joined","channel":"room:a","epoch":"E1","head":0"#).await;
        socket.post("a", "E1", &[1, 2]).await;
    };
    let (caught, ()) = tokio::join!(client.join_room("a"), serve);
    caught.unwrap();
    assert_eq!(next_seqs(&mut events, 2).await, [1, 2]);
    client.cut().await;
    assert!(!socket.ends_with_goodbye().await, "a cut has no close frame");
    assert!(matches!(soon(events.next()).await, Some(Event::Closed(CloseReason::Cut))));
    assert!(matches!(client.ping().await, Err(Error::Closed(CloseReason::Cut))));

    let kept = serde_json::to_string(&client.state()).unwrap();
    assert_eq!(kept, r#"{"room:a":{"epoch":"E1","seq":2}}"#);
    let state: State = serde_json::from_str(&kept).unwrap();
    let serve = async {
        let mut socket = server.accept().await;
        // A new message may come before the missed ones.
        socket.post("a", "E1", &[5]).await;
        let question = socket.next().await;
        assert_eq!((&question["since"], &question["epoch"]), (&json!(2), &json!("E1")));
        let fields = format!(
            r#""type":"joined","channel":"room:a","epoch":"E1","head":4,"recovered":true,"messages":[{}]"#,
            messages(&[3, 4])
        );
        socket.answer(&question, &fields).await;
        socket
    };
    let (resumed, _socket) = tokio::join!(Client::resume(server.options(), state), serve);
    let (_client, mut events) = resumed.unwrap();
    assert_eq!(next_seqs(&mut events, 3).await, [3, 4, 5]);
}

#[tokio::test]
async fn ping_rejoins_channels_with_missing_messages() {
    let server = Server::start().await;
    let (client, mut events, mut socket) = server.connect().await;
    let serve = async {
        let join = socket.next().await;
        socket.answer(&join, r#""type":"joined","channel":"room:a","epoch":"E","head":4"#).await;
        let ping = socket.next().await;
        assert_eq!(ping["seen"], json!({"room:a": {"epoch": "E", "seq": 4}}));
        socket.answer(&ping, r#""type":"pong","at":5,"rejoin":["room:a"]"#).await;
        let join = socket.next().await;
        assert_eq!((&join["action"], &join["since"], &join["epoch"]), (&json!("join"), &json!(4), &json!("E")));
        let missed = r#"{"seq":5,"id":"m","from":"ben","body":1,"at":1}"#;
        let fields = format!(
            r#""type":"joined","channel":"room:a","epoch":"E","head":5,"recovered":true,"messages":[{missed}],"more":false"#
        );
        socket.answer(&join, &fields).await;
    };
    let ask = async {
        client.join_room("a").await.unwrap();
        assert_eq!(client.ping().await.unwrap().rejoin, [Channel::room("a")]);
        match events.next().await {
            Some(Event::Message(delivery)) => assert_eq!(delivery.message.seq, 5),
            other => panic!("{other:?}"),
        }
    };
    tokio::join!(ask, serve);
}

#[tokio::test]
async fn requested_receipt_becomes_an_event() {
    let server = Server::start().await;
    let (client, mut events, mut socket) = server.connect().await;
    let serve = async {
        let question = socket.next().await;
        assert_eq!((&question["action"], &question["receipt"]), (&json!("publish"), &json!(true)));
        socket.answer(&question, r#""type":"accepted","id":"m","channel":"room:a""#).await;
        socket
            .send(r#"{"type":"receipt","channel":"room:a","id":"m","seq":1,"members":3,"delivered":2,"gone":1,"failed":0,"ms":9}"#)
            .await;
    };
    let ask = async {
        client.publish_for_receipt(&Channel::room("a"), &1, Some("m")).await.unwrap();
        match events.next().await {
            Some(Event::Receipt(receipt)) => assert_eq!((receipt.id.as_str(), receipt.delivered), ("m", 2)),
            other => panic!("{other:?}"),
        }
    };
    tokio::join!(ask, serve);
    let refused = client.publish_for_receipt(&Channel::Everyone, &1, None).await.unwrap_err();
    assert_eq!(refused.to_string(), "only services can publish to everyone");
}

#[tokio::test]
async fn close_and_last_drop_send_a_close_frame() {
    let server = Server::start().await;
    let (client, _events, mut socket) = server.connect().await;
    let (goodbye, ()) = tokio::join!(socket.ends_with_goodbye(), client.close());
    assert!(goodbye);

    let (client, _events, mut socket) = server.connect().await;
    let other = client.clone();
    drop(client);
    let serve = async {
        let question = socket.next().await;
        socket.answer(&question, r#""type":"pong","at":1"#).await;
    };
    let (pong, ()) = tokio::join!(other.ping(), serve);
    pong.unwrap();
    drop(other);
    assert!(socket.ends_with_goodbye().await);
}

#[tokio::test]
async fn close_by_the_server_ends_events_and_requests() {
    let server = Server::start().await;
    let (client, mut events, mut socket) = server.connect().await;
    let serve = async {
        socket.next().await;
        socket.close().await;
    };
    let (asked, ()) = tokio::join!(client.ping(), serve);
    assert!(matches!(asked, Err(Error::Closed(CloseReason::ByServer { .. }))), "{asked:?}");
    assert!(matches!(soon(events.next()).await, Some(Event::Closed(CloseReason::ByServer { .. }))));
    drop(client);
    assert!(soon(events.next()).await.is_none());
}

#[tokio::test]
async fn idle_socket_is_kept_alive() {
    let server = Server::start().await;
    let mut options = server.options();
    options.keep_alive = Duration::from_millis(20);
    let (connected, mut socket) = tokio::join!(Client::connect(options), server.accept());
    let _client = connected.unwrap();
    assert_eq!(socket.next().await["action"], "ping");
}

#[tokio::test]
async fn late_messages_of_a_left_room_are_dropped() {
    let server = Server::start().await;
    let (client, mut events, mut socket) = server.connect().await;
    let serve = async {
        let question = socket.next().await;
        socket.answer(&question, r#""type":"left","channel":"room:a""#).await;
        socket.post("a", "E1", &[1]).await;
        socket.post("b", "E1", &[7]).await;
    };
    let (left, ()) = tokio::join!(client.leave("a"), serve);
    left.unwrap();
    assert!(matches!(soon(events.next()).await, Some(Event::Left(left)) if left.channel == Channel::room("a")));
    assert_eq!(next_message(&mut events).await, (Channel::room("b"), 7));
}

async fn join_room_a(client: &Client, socket: &mut Socket) {
    let serve = async {
        let join = socket.next().await;
        socket.answer(&join, r#""type":"joined","channel":"room:a","epoch":"E1","head":0"#).await;
    };
    let (joined, ()) = tokio::join!(client.join_room("a"), serve);
    joined.unwrap();
}

#[tokio::test]
async fn user_expelled_during_a_recovery_stays_out() {
    let server = Server::start().await;
    let (client, mut events, mut socket) = server.connect().await;
    join_room_a(&client, &mut socket).await;
    socket.post("a", "E1", &[2]).await;
    let join = socket.next().await;
    socket.send(r#"{"type":"left","channel":"room:a","reason":"kicked"}"#).await;
    let missed = messages(&[1, 2]);
    let fields =
        format!(r#""type":"joined","channel":"room:a","epoch":"E1","head":2,"recovered":true,"messages":[{missed}]"#);
    socket.answer(&join, &fields).await;
    let leave = socket.next().await;
    assert_eq!((&leave["action"], &leave["room"]), (&"leave".into(), &"a".into()));
    socket.answer(&leave, r#""type":"left","channel":"room:a""#).await;
    socket.post("a", "E1", &[3]).await;
    socket.post("b", "E1", &[7]).await;
    assert!(matches!(soon(events.next()).await, Some(Event::Left(left)) if left.reason.as_deref() == Some("kicked")));
    assert_eq!(next_message(&mut events).await, (Channel::room("b"), 7), "no message of the room follows");
}

#[tokio::test]
async fn ping_does_not_rejoin_a_left_room() {
    let server = Server::start().await;
    let (client, _events, mut socket) = server.connect().await;
    join_room_a(&client, &mut socket).await;
    let serve = async {
        let ping = socket.next().await;
        let leave = socket.next().await;
        assert_eq!((&ping["action"], &leave["action"]), (&"ping".into(), &"leave".into()));
        // The rejoin waits until `leave` is answered.
        socket.answer(&ping, r#""type":"pong","at":1,"rejoin":["room:a"]"#).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        socket.answer(&leave, r#""type":"left","channel":"room:a""#).await;
    };
    let (ponged, left, ()) = tokio::join!(client.ping(), client.leave("a"), serve);
    ponged.unwrap();
    left.unwrap();
    // A rejoin that waited would be sent by now.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let (_, next) = tokio::join!(tokio::time::timeout(Duration::from_millis(50), client.who("b")), socket.next());
    assert_eq!(next["action"], "who");
}

#[tokio::test]
async fn abandoned_join_is_still_completed() {
    let server = Server::start().await;
    let (client, mut events, mut socket) = server.connect().await;
    let waited = tokio::time::timeout(Duration::from_millis(50), client.join_room("a")).await;
    assert!(waited.is_err());
    let question = socket.next().await;
    socket.answer(&question, r#""type":"joined","channel":"room:a","epoch":"E1","head":0"#).await;
    socket.post("a", "E1", &[1]).await;
    assert_eq!(next_seqs(&mut events, 1).await, [1]);
}

#[tokio::test]
async fn watch_returns_users_and_reports_changes() {
    let server = Server::start().await;
    let (client, mut events, mut socket) = server.connect().await;
    let serve = async {
        let question = socket.next().await;
        assert_eq!((&question["action"], &question["presence"]), (&"join".into(), &true.into()));
        let answer =
            r#""type":"joined","channel":"room:a","epoch":"E","head":0,"presence":{"count":1,"users":["ana"]}"#;
        socket.answer(&question, answer).await;
        socket.send(r#"{"type":"presence","channel":"room:a","at":5,"count":2,"users":["ana","ben"]}"#).await;
    };
    let (present, ()) = tokio::join!(client.watch("a"), serve);
    let mut present = present.unwrap();
    assert_eq!((present.count, present.users.len(), present.paused), (1, 1, false));
    let Some(Event::Presence(update)) = soon(events.next()).await else { panic!("not a presence update") };
    assert_eq!(update.channel, Channel::room("a"));
    assert_eq!(present.apply(&update), (vec!["ben".to_owned()], Vec::new()));
    let serve = async {
        let question = socket.next().await;
        assert_eq!((&question["presence"], &question["since"]), (&false.into(), &0.into()));
        socket.answer(&question, r#""type":"joined","channel":"room:a","epoch":"E","head":0,"recovered":true"#).await;
    };
    let (unwatched, ()) = tokio::join!(client.unwatch("a"), serve);
    unwatched.unwrap();
}

#[tokio::test]
async fn signal_is_an_event_and_returns_a_count() {
    let server = Server::start().await;
    let (client, mut events, mut socket) = server.connect().await;
    let serve = async {
        let question = socket.next().await;
        assert_eq!(
            (&question["action"], &question["room"], &question["body"]),
            (&"signal".into(), &"a".into(), &1.into())
        );
        socket.answer(&question, r#""type":"signalled","channel":"room:a","delivered":3"#).await;
        let question = socket.next().await;
        assert_eq!((&question["action"], &question["to"]), (&"signal".into(), &"ben".into()));
        let fields = r#""type":"error","code":"too_many_members","message":"`user:ben` has more than 100""#;
        socket.answer(&question, fields).await;
        socket.send(r#"{"type":"signal","channel":"room:a","from":"ben","at":5,"body":{"typing":true}}"#).await;
    };
    let ask = async { (client.signal("a", &1).await, client.signal_user("ben", &1).await) };
    let ((reached, refused), ()) = tokio::join!(ask, serve);
    assert_eq!(reached.unwrap(), 3);
    assert!(matches!(refused, Err(Error::Server(error)) if error.code == "too_many_members"));
    let Some(Event::Signal(signal)) = soon(events.next()).await else { panic!("no signal") };
    assert_eq!(
        (signal.from.as_str(), signal.read::<serde_json::Value>().unwrap()["typing"].as_bool()),
        ("ben", Some(true))
    );
}

#[tokio::test]
async fn rejoin_asks_for_presence_again_and_reports_changes() {
    let server = Server::start().await;
    let (client, mut events, mut socket) = server.connect().await;
    let serve = async {
        for users in [r#""ana","ben""#, r#""ana","cyd""#] {
            let join = socket.next().await;
            assert_eq!((&join["action"], &join["presence"]), (&"join".into(), &true.into()));
            let fields = format!(
                r#""type":"joined","channel":"room:a","epoch":"E","head":0,"recovered":true,"presence":{{"count":2,"users":[{users}]}}"#
            );
            socket.answer(&join, &fields).await;
            if users.contains("ben") {
                let ping = socket.next().await;
                socket.answer(&ping, r#""type":"pong","at":1,"rejoin":["room:a"]"#).await;
            }
        }
    };
    let ask = async {
        let mut presence = client.watch("a").await.unwrap();
        client.ping().await.unwrap();
        let Some(Event::Presence(update)) = soon(events.next()).await else { panic!("not a presence update") };
        assert_eq!(presence.apply(&update), (vec!["cyd".to_owned()], vec!["ben".to_owned()]));
    };
    tokio::join!(ask, serve);
}
