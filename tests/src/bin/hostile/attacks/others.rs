//! Other users' rooms and channels: joining, reading and publishing without the right to it, or without being a member.

use hubbub_client::Channel;
use serde_json::json;

use crate::attacker::Attacker;
use crate::kind::Kind;
use crate::socket::{Answer, Socket};
use crate::well_behaved::{CLIENTS, ROOMS, client_user, shared_room};

const KIND: Kind = Kind::OthersChannels;
const PEN: &str = "pen-others";

pub(super) async fn attack(mut attacker: Attacker) -> anyhow::Result<()> {
    loop {
        trespass(&mut attacker).await?;
        misuse_a_membership(&mut attacker).await?;
        stay_outside(&mut attacker).await?;
        if !attacker.goes_on() {
            return Ok(());
        }
    }
}

/// Opens a socket for a user with these capabilities, or notes why not.
async fn enter(attacker: &Attacker, user: &str, capabilities: serde_json::Value) -> anyhow::Result<Option<Socket>> {
    let token = attacker.forge.granting(user, capabilities);
    let socket = Socket::open(attacker, KIND, user, &token).await?;
    if let Err(why) = &socket {
        attacker.note("refused attacker", why);
    }
    Ok(socket.ok())
}

/// Rooms that the token doesn't grant, and other users' channels.
async fn trespass(attacker: &mut Attacker) -> anyhow::Result<()> {
    let user = attacker.fresh("mallory");
    let own = json!(["pen-*"]);
    let grants = json!({"join": own, "publish": own, "history": own, "who": own, "direct": ["mallory-*"]});
    let Some(mut socket) = enter(attacker, &user, grants).await? else { return Ok(()) };
    let (room, victim) = (shared_room(attacker.rng.usize(..ROOMS)), client_user(attacker.rng.usize(..CLIENTS)));
    for frame in [
        json!({"action": "join", "room": room}),
        json!({"action": "join", "room": room, "since": 0}),
        json!({"action": "join", "channel": format!("room:{room}")}),
        json!({"action": "history", "room": room}),
        json!({"action": "history", "channel": format!("room:{room}"), "before": 1_000_000, "limit": 200}),
        json!({"action": "who", "room": room}),
        json!({"action": "join", "room": room, "presence": true}),
        json!({"action": "signal", "room": room, "body": "let me in"}),
        json!({"action": "signal", "to": victim, "body": "let me in"}),
        json!({"action": "join", "channel": format!("user:{victim}"), "since": 0}),
        json!({"action": "history", "channel": format!("user:{victim}")}),
    ] {
        let text = frame.to_string();
        attacker.expect_refusal(KIND, &text, &socket.ask(text.clone()).await);
        attacker.rest().await;
    }
    // Where a field comes twice, the same one must be checked and carried out.
    for text in [
        format!(r#"{{"action":"join","room":"pen-others","room":"{room}"}}"#),
        format!(r#"{{"action":"join","channel":"room:pen-others","room":"{room}"}}"#),
        format!(r#"{{"action":"leave","action":"history","room":"{room}"}}"#),
        format!(r#"{{"action":"who","room":"pen-others","\u0072oom":"{room}"}}"#),
    ] {
        attacker.expect_refusal(KIND, &text, &socket.ask(text.clone()).await);
    }
    for (channel, action, target) in [
        (Channel::room(&room), "publish", ("room", room.clone())),
        (Channel::user(&victim), "direct", ("to", victim.clone())),
    ] {
        let id = attacker.fresh("trespass");
        attacker.refuse(KIND, &channel, &user, &id);
        let text = json!({"action": action, target.0: target.1, "id": id, "body": "let me in", "receipt": true});
        attacker.expect_refusal(KIND, &text.to_string(), &socket.ask(text.to_string()).await);
    }
    Ok(())
}

/// A member of a room with the right to join it, and with no other.
async fn misuse_a_membership(attacker: &mut Attacker) -> anyhow::Result<()> {
    let user = attacker.fresh("mallory");
    let Some(mut socket) = enter(attacker, &user, json!({"join": [PEN]})).await? else { return Ok(()) };
    if !socket.join(PEN).await {
        return Ok(());
    }
    let id = attacker.fresh("misuse");
    attacker.refuse(KIND, &Channel::room(PEN), &user, &id);
    for text in [
        json!({"action": "publish", "room": PEN, "id": id, "body": 1}),
        json!({"action": "history", "room": PEN}),
        json!({"action": "who", "room": PEN}),
        json!({"action": "join", "room": PEN, "presence": true}),
        json!({"action": "signal", "room": PEN, "body": 1}),
        json!({"action": "signal", "to": user, "body": 1}),
        json!({"action": "direct", "to": user, "body": 1}),
    ] {
        attacker.expect_refusal(KIND, &text.to_string(), &socket.ask(text.to_string()).await);
        attacker.rest().await;
    }
    Ok(())
}

/// All rights, and no membership.
async fn stay_outside(attacker: &mut Attacker) -> anyhow::Result<()> {
    let user = attacker.fresh("mallory");
    let token = attacker.forge.good(&user);
    let Ok(mut socket) = Socket::open(attacker, KIND, &user, &token).await? else { return Ok(()) };
    let room = shared_room(attacker.rng.usize(..ROOMS));
    let publish = async |attacker: &mut Attacker, socket: &mut Socket| {
        let id = attacker.fresh("outside");
        attacker.refuse(KIND, &Channel::room(&room), &user, &id);
        let text = json!({"action": "publish", "room": room, "id": id, "body": 1}).to_string();
        attacker.expect_refusal(KIND, &text, &socket.ask(text.clone()).await);
    };
    let look = async |attacker: &Attacker, socket: &mut Socket| {
        for action in ["history", "who", "signal"] {
            let text = json!({"action": action, "room": room, "body": 1}).to_string();
            attacker.expect_refusal(KIND, &text, &socket.ask(text.clone()).await);
        }
    };
    publish(attacker, &mut socket).await;
    look(attacker, &mut socket).await;
    // A room that one has left is as closed as one never joined.
    if socket.join(&room).await {
        let left = socket.ask(json!({"action": "leave", "room": room, "ref": "leave"}).to_string()).await;
        if matches!(left, Answer::CarriedOut(_)) {
            publish(attacker, &mut socket).await;
            look(attacker, &mut socket).await;
        }
    }
    Ok(())
}
