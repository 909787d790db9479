//! Users who were kicked or banned, or whose token has ended, and who go on as before.

use std::time::Duration;

use hubbub_client::Channel;
use hubbub_tests::stack::Stack;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::attacker::{Attacker, SERVICE};
use crate::forge::{LEEWAY, now};
use crate::kind::Kind;
use crate::socket::{Answer, Socket};

const KIND: Kind = Kind::ExpelledUsers;
const ROOM: &str = "pen-expelled";

/// How long a moderation command may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an attacker listens to a socket that must receive nothing.
const MOMENT: Duration = Duration::from_millis(300);
/// For how long a token is still good when its socket opens.
const LIFE: u64 = 3;

pub(super) async fn attack(mut attacker: Attacker) -> anyhow::Result<()> {
    loop {
        kicked(&mut attacker).await?;
        // It is larger than the others.
        Box::pin(banned(&mut attacker)).await?;
        banned_everywhere(&mut attacker).await?;
        expired(&mut attacker).await?;
        if !attacker.goes_on() {
            return Ok(());
        }
        attacker.rest().await;
    }
}

/// A user's socket, unless the stack refuses it.
async fn enter(attacker: &Attacker, user: &str, token: &str) -> anyhow::Result<Option<Socket>> {
    let socket = Socket::open(attacker, KIND, user, token).await?;
    if let Err(why) = &socket {
        attacker.note("refused attacker", why);
    }
    Ok(socket.ok())
}

/// Two sockets of one user, both members, and another user's that listens.
async fn gather(attacker: &mut Attacker, user: &str) -> anyhow::Result<Option<([Socket; 2], Socket)>> {
    let (token, witness) = (attacker.forge.good(user), attacker.fresh("witness"));
    let (Some(mut one), Some(mut two), Some(mut third)) = (
        enter(attacker, user, &token).await?,
        enter(attacker, user, &token).await?,
        enter(attacker, &witness, &attacker.forge.good(&witness)).await?,
    ) else {
        return Ok(None);
    };
    let are_members = one.join(ROOM).await && two.join(ROOM).await && third.join(ROOM).await;
    Ok(are_members.then_some(([one, two], third)))
}

/// The service gives a moderation command.
async fn moderate(
    attacker: &mut Attacker,
    channel: &str,
    command: &str,
    user: &str,
    until: Option<u64>,
) -> anyhow::Result<()> {
    let mut envelope = json!({"v": 1, "channel": channel, "from": SERVICE, "command": command, "user": user});
    if let (Some(until), Some(envelope)) = (until, envelope.as_object_mut()) {
        envelope.insert("until".to_owned(), until.into());
    }
    let id = attacker.fresh("command");
    attacker.service().send_raw(channel, &id, &envelope.to_string()).await
}

/// The service sends a message, and waits until the witness has received it. Its id, or nothing if that takes too long.
async fn send_to_witness(
    attacker: &mut Attacker,
    channel: &str,
    witness: &mut Socket,
) -> anyhow::Result<Option<String>> {
    let id = attacker.fresh("said");
    attacker.service().send(channel, &id, &Value::from("for members alone")).await?;
    attacker.accept(&channel.parse()?, SERVICE, 0, &id);
    let is_received = witness.listen_until(PATIENCE, |witness| witness.has_received(channel, &id)).await;
    Ok(is_received.then_some(id))
}

/// A socket that is no member receives nothing from the room, and may do nothing there.
async fn expect_no_rights(attacker: &mut Attacker, user: &str, socket: &mut Socket, said: Option<&str>) {
    let channel = format!("room:{ROOM}");
    socket.listen(MOMENT).await;
    if said.is_some_and(|id| socket.has_received(&channel, id)) {
        attacker.record.open().notes.breach(KIND, format!("`{user}` still receives `{channel}`"));
    }
    let id = attacker.fresh("expelled");
    attacker.refuse(KIND, &Channel::room(ROOM), user, &id);
    for text in [
        json!({"action": "publish", "room": ROOM, "id": id, "body": 1}),
        json!({"action": "history", "room": ROOM}),
        json!({"action": "who", "room": ROOM}),
    ] {
        attacker.expect_refusal(KIND, &text.to_string(), &socket.ask(text.to_string()).await);
    }
}

/// Both sockets of a user are told to leave a room.
async fn are_expelled(attacker: &Attacker, sockets: &mut [Socket; 2]) -> bool {
    for socket in sockets {
        if !socket.listen_until(PATIENCE, |socket| !socket.expelled.is_empty() || socket.is_closed).await {
            attacker.note("late moderation command", format!("from `{ROOM}`"));
            return false;
        }
    }
    true
}

async fn kicked(attacker: &mut Attacker) -> anyhow::Result<()> {
    let (user, channel) = (attacker.fresh("kicked"), format!("room:{ROOM}"));
    let Some((mut sockets, mut witness)) = gather(attacker, &user).await? else { return Ok(()) };
    moderate(attacker, &channel, "kick", &user, None).await?;
    if !are_expelled(attacker, &mut sockets).await {
        return Ok(());
    }
    let said = send_to_witness(attacker, &channel, &mut witness).await?;
    for socket in &mut sockets {
        expect_no_rights(attacker, &user, socket, said.as_deref()).await;
    }
    Ok(())
}

async fn banned(attacker: &mut Attacker) -> anyhow::Result<()> {
    let (user, channel) = (attacker.fresh("banned"), format!("room:{ROOM}"));
    let Some((mut sockets, mut witness)) = gather(attacker, &user).await? else { return Ok(()) };
    moderate(attacker, &channel, "ban", &user, Some((now() + 3_600) * 1_000)).await?;
    // One of them tries to join again while the command is carried out.
    let [persistent, waiting] = &mut sockets;
    let mut is_banned = false;
    for _ in 0..200 {
        if persistent.is_closed || is_banned {
            break;
        }
        let answer = persistent.ask(json!({"action": "join", "room": ROOM, "ref": "again"}).to_string()).await;
        is_banned = answer == Answer::Refused("banned".to_owned());
        attacker.expect_answer(KIND, "joins while it is being banned", &answer);
    }
    let is_out = waiting.listen_until(PATIENCE, |socket| !socket.expelled.is_empty() || socket.is_closed).await;
    if !is_banned || !is_out {
        attacker.note("late moderation command", format!("from `{ROOM}`"));
        return Ok(());
    }
    attacker.record.open().notes.banned.push((Channel::room(ROOM), user.clone()));
    if let Some(mut fresh) = enter(attacker, &user, &attacker.forge.good(&user)).await? {
        for socket in [&mut *persistent, waiting, &mut fresh] {
            for more in [json!({}), json!({"since": 0})] {
                let mut join = json!({"action": "join", "room": ROOM});
                if let (Some(join), Some(more)) = (join.as_object_mut(), more.as_object()) {
                    join.extend(more.clone());
                }
                attacker.expect_refusal(KIND, &join.to_string(), &socket.ask(join.to_string()).await);
            }
        }
        let said = send_to_witness(attacker, &channel, &mut witness).await?;
        expect_no_rights(attacker, &user, &mut fresh, said.as_deref()).await;
    }
    for socket in &mut sockets {
        expect_no_rights(attacker, &user, socket, None).await;
    }
    Ok(())
}

async fn banned_everywhere(attacker: &mut Attacker) -> anyhow::Result<()> {
    let user = attacker.fresh("exiled");
    let Some((mut sockets, _)) = gather(attacker, &user).await? else { return Ok(()) };
    let until = (now() + 3_600) * 1_000;
    moderate(attacker, &format!("user:{user}"), "ban", &user, Some(until)).await?;
    for socket in &mut sockets {
        if !socket.listen_until(PATIENCE, |socket| socket.is_closed).await {
            attacker.note("late moderation command", format!("`{user}` is still connected"));
            return Ok(());
        }
    }
    for _ in 0..3 {
        let again = Socket::open(attacker, KIND, &user, &attacker.forge.good(&user)).await?;
        let record = &mut *attacker.record.open();
        match again {
            Ok(_) => {
                record.notes.act(KIND, "opened");
                record.notes.breach(KIND, format!("`{user}` is banned everywhere and has connected"));
            }
            Err(why) => record.notes.act(KIND, why),
        }
    }
    Ok(())
}

/// A socket whose token ends: the first post or frame after the end closes it.
async fn expired(attacker: &mut Attacker) -> anyhow::Result<()> {
    let (user, witness) = (attacker.fresh("expired"), attacker.fresh("witness"));
    let channel = format!("room:{ROOM}");
    let Some(mut listening) = enter(attacker, &witness, &attacker.forge.good(&witness)).await? else { return Ok(()) };
    if !listening.join(ROOM).await {
        return Ok(());
    }
    let exp = now() - LEEWAY + LIFE;
    let token = attacker.forge.ending(&user, exp);
    let mut sockets = Vec::new();
    for _ in 0..2 {
        match Socket::open(attacker, KIND, &user, &token).await? {
            Ok(mut socket) => {
                if socket.join(ROOM).await {
                    sockets.push(socket);
                }
            }
            // Opening took longer than the token lasted.
            Err(why) => attacker.record.open().notes.act(KIND, why),
        }
    }
    while now() <= exp + LEEWAY {
        sleep(MOMENT).await;
    }
    let said = send_to_witness(attacker, &channel, &mut listening).await?;
    let mut sockets = sockets.into_iter();
    if let (Some(mut silent), Some(id)) = (sockets.next(), said) {
        silent.listen(MOMENT).await;
        let record = &mut *attacker.record.open();
        record.notes.act(KIND, if silent.is_closed { "closed at the end of its token" } else { "receives nothing" });
        if silent.has_received(&channel, &id) {
            record.notes.breach(KIND, format!("`{user}` receives `{channel}` after its token's end"));
        }
    }
    // The other one is closed by the same post, or by its own frame.
    if let Some(mut speaking) = sockets.next() {
        let id = attacker.fresh("expired");
        attacker.refuse(KIND, &Channel::room(ROOM), &user, &id);
        let text = json!({"action": "publish", "room": ROOM, "id": id, "body": 1}).to_string();
        attacker.expect_refusal(KIND, &text, &speaking.ask(text.clone()).await);
    }
    Ok(())
}

/// Banned users who are members all the same.
///
/// # Errors
/// Fails if the table can't be read.
pub(crate) async fn find_banned_members(
    stack: &Stack,
    banned: &[(Channel, String)],
) -> anyhow::Result<Vec<(Channel, String)>> {
    let members = hubbub_tests::inspect::members(stack, &Channel::room(ROOM).to_string().parse()?).await?;
    let is_there = |user: &str| members.iter().any(|member| member.user.as_str() == user);
    Ok(banned.iter().filter(|(_, user)| is_there(user)).cloned().collect())
}
