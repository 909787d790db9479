//! Giant frames: bodies, ids, references, rooms, lists and nesting above their limits, and frames that are too large as a whole.

use hubbub_client::Channel;
use hubbub_core::settings::MAX_BODY_BYTES;
use hubbub_core::wire::fields::MAX_NESTING;
use serde_json::{Value, json};

use crate::attacker::Attacker;
use crate::kind::Kind;
use crate::socket::Socket;

const KIND: Kind = Kind::GiantFrames;
const ROOM: &str = "pen-giants";

/// The largest frame of a client, in bytes (PROTOCOL.md).
const MAX_FRAME: usize = 32_768;

pub(super) async fn attack(mut attacker: Attacker) -> anyhow::Result<()> {
    loop {
        let user = attacker.fresh("giant");
        match Socket::open(&attacker, KIND, &user, &attacker.forge.good(&user)).await? {
            Ok(mut socket) => {
                if socket.join(ROOM).await {
                    throw(&mut attacker, &mut socket, &user).await;
                }
            }
            Err(why) => attacker.note("refused attacker", why),
        }
        if !attacker.goes_on() {
            return Ok(());
        }
        attacker.rest().await;
    }
}

fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

/// Above everything that the emulator's own reader stands: it gives up the socket at a thousand.
const DEEP: usize = 500;

async fn throw(attacker: &mut Attacker, socket: &mut Socket, user: &str) {
    let body_limit = usize::try_from(MAX_BODY_BYTES.default).unwrap_or(usize::MAX);
    let text = |length: usize| Value::from("g".repeat(length)).to_string();
    let publish = |id: &str, body: &str| format!(r#"{{"action":"publish","room":"{ROOM}","id":"{id}","body":{body}}}"#);
    // With ids of their own, so that they would be found in the log.
    let mut published = Vec::new();
    for body in [
        text(body_limit - 1),
        text(body_limit + 6_000),
        text(100_000),
        text(1_000_000),
        nested(MAX_NESTING + 1),
        nested(DEEP),
        format!("[{}1]", "1,".repeat(body_limit)),
    ] {
        let id = attacker.fresh("giant");
        published.push((publish(&id, &body), id));
    }
    // Small bodies in frames that are too large.
    for padding in [MAX_FRAME, 100_000] {
        let id = attacker.fresh("giant");
        let frame = publish(&id, "1");
        let padding = format!(r#","padding":"{}"}}"#, "p".repeat(padding));
        published.push((format!("{}{padding}", frame.trim_end_matches('}')), id));
    }
    attacker.rng.shuffle(&mut published);
    for (frame, id) in published {
        attacker.refuse(KIND, &Channel::room(ROOM), user, &id);
        attacker.expect_refusal(KIND, &frame, &socket.ask(frame.clone()).await);
        if !attacker.rest().await {
            return;
        }
    }
    let long = |length: usize| "a".repeat(length);
    let seen: serde_json::Map<String, Value> =
        (0..101).map(|number| (format!("room:r-{number}"), json!({"epoch": "e", "seq": 1}))).collect();
    for frame in [
        json!({"action": "ping", "ref": long(65)}),
        json!({"action": "ping", "ref": long(100_000)}),
        json!({"action": "join", "room": long(65)}),
        json!({"action": "join", "room": long(100_000)}),
        json!({"action": "join", "channel": format!("room:{}", long(65))}),
        json!({"action": "publish", "room": ROOM, "id": long(65), "body": 1}),
        json!({"action": "publish", "room": ROOM, "id": long(10_000), "body": 1}),
        json!({"action": "direct", "to": long(65), "body": 1}),
        json!({"action": long(100_000)}),
        json!({"action": "ping", "seen": seen}),
        json!({"action": "history", "room": ROOM, "limit": 201}),
    ] {
        let frame = frame.to_string();
        attacker.expect_refusal(KIND, &frame, &socket.ask(frame.clone()).await);
        if !attacker.rest().await {
            return;
        }
    }
    // At its limit a body is as good as any other.
    let frame = format!(r#"{{"action":"publish","room":"{ROOM}","body":{}}}"#, text(body_limit - 2));
    attacker.expect_answer(KIND, "the largest body", &socket.ask(frame).await);
}
