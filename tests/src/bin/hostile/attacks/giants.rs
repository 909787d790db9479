//! Giant frames: bodies, ids, references, rooms, lists and nesting above their limits, and frames that are too large as a whole.

use hubbub_client::Channel;
use hubbub_core::config::settings::MAX_BODY_BYTES;
use hubbub_core::object::MAX_NESTING;
use serde_json::{Value, json};

use crate::field::Field;
use crate::kind::Kind;
use crate::socket::Socket;

const KIND: Kind = Kind::GiantFrames;
const ROOM: &str = "pen-giants";

/// The largest frame of a client, in bytes (PROTOCOL.md).
const MAX_FRAME: usize = 32_768;

pub(super) async fn attack(mut field: Field) -> anyhow::Result<()> {
    loop {
        let user = field.fresh("giant");
        match Socket::open(&field, KIND, &user, &field.forge.good(&user)).await? {
            Ok(mut socket) => {
                if socket.join(ROOM).await {
                    throw(&mut field, &mut socket, &user).await;
                }
            }
            Err(why) => field.note("refused attacker", why),
        }
        if !field.goes_on() {
            return Ok(());
        }
        field.rest().await;
    }
}

fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

/// Above everything that the emulator's own reader stands: it gives up the socket at a thousand.
const DEEP: usize = 500;

async fn throw(field: &mut Field, socket: &mut Socket, user: &str) {
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
        let id = field.fresh("giant");
        published.push((publish(&id, &body), id));
    }
    // Small bodies in frames that are too large.
    for padding in [MAX_FRAME, 100_000] {
        let id = field.fresh("giant");
        let frame = publish(&id, "1");
        let padding = format!(r#","padding":"{}"}}"#, "p".repeat(padding));
        published.push((format!("{}{padding}", frame.trim_end_matches('}')), id));
    }
    field.dice.shuffle(&mut published);
    for (frame, id) in published {
        field.refuse(KIND, &Channel::room(ROOM), user, &id);
        field.must_refuse(KIND, &frame, &socket.ask(frame.clone()).await);
        if !field.rest().await {
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
        field.must_refuse(KIND, &frame, &socket.ask(frame.clone()).await);
        if !field.rest().await {
            return;
        }
    }
    // At its limit a body is as good as any other.
    let frame = format!(r#"{{"action":"publish","room":"{ROOM}","body":{}}}"#, text(body_limit - 2));
    field.may_be_anything(KIND, "the largest body", &socket.ask(frame).await);
}
