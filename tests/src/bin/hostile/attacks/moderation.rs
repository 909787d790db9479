//! Moderation commands by users who are no admins, or admins of other rooms. A well-behaved client that one of them expels records it.

use serde_json::json;

use crate::attacker::Attacker;
use crate::forge::now;
use crate::kind::Kind;
use crate::socket::Socket;
use crate::well_behaved::{CLIENTS, ROOMS, client_user, shared_room};

const KIND: Kind = Kind::ForbiddenModeration;

pub(super) async fn attack(mut attacker: Attacker) -> anyhow::Result<()> {
    loop {
        for token in tokens(&mut attacker) {
            let user = attacker.fresh("usurper");
            let token = attacker.forge.granting(&user, token);
            match Socket::open(&attacker, KIND, &user, &token).await? {
                Ok(mut socket) => send_commands(&mut attacker, &mut socket).await,
                Err(why) => attacker.note("refused attacker", why),
            }
        }
        if !attacker.goes_on() {
            return Ok(());
        }
    }
}

/// Grants that do not include `admin` of the shared rooms, nor of everywhere.
fn tokens(attacker: &mut Attacker) -> Vec<serde_json::Value> {
    let everything = json!(["*"]);
    let all_but_admin = json!({"join": everything, "publish": everything, "history": everything, "who": everything, "direct": everything});
    let mut elsewhere = all_but_admin.clone();
    if let Some(grants) = elsewhere.as_object_mut() {
        grants.insert("admin".to_owned(), json!([attacker.fresh("pen"), "shared", "shared-"]));
    }
    vec![all_but_admin, elsewhere]
}

async fn send_commands(attacker: &mut Attacker, socket: &mut Socket) {
    let (room, victim) = (shared_room(attacker.rng.usize(..ROOMS)), client_user(attacker.rng.usize(..CLIENTS)));
    let until = (now() + 3_600) * 1_000;
    for command in [
        json!({"action": "kick", "room": room, "user": victim}),
        json!({"action": "ban", "room": room, "user": victim, "until": until}),
        json!({"action": "unban", "room": room, "user": victim}),
        json!({"action": "kick", "user": victim}),
        json!({"action": "ban", "user": victim, "until": until}),
        json!({"action": "unban", "user": victim}),
        json!({"action": "kick", "room": null, "user": victim}),
        json!({"action": "ban", "room": "*", "user": victim, "until": until}),
        json!({"action": "delete", "room": room, "seq": 1}),
        json!({"action": "close", "room": room}),
        json!({"action": "close", "room": room, "erase": true}),
        json!({"action": "open", "room": room}),
        json!({"action": "close", "room": "*"}),
        json!({"action": "publish", "command": "kick", "room": room, "user": victim, "body": 1}),
    ] {
        let text = command.to_string();
        attacker.expect_refusal(KIND, &text, &socket.ask(text.clone()).await);
        attacker.rest().await;
    }
}
