//! Users who were kicked or banned, or whose token has ended, and who go on as if nothing had been.

use std::time::Duration;

use hubbub_client::Channel;
use hubbub_tests::stack::Stack;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::book::open;
use crate::field::Field;
use crate::forge::{LEEWAY, now};
use crate::kind::Kind;
use crate::socket::{Answer, Socket};

const KIND: Kind = Kind::ExpelledUsers;
const ROOM: &str = "pen-expelled";

/// How long an order may take until it is carried out.
const ORDER: Duration = Duration::from_secs(30);
/// How long a socket is listened to that should hear nothing.
const A_MOMENT: Duration = Duration::from_millis(300);
/// For how long a token is still good when its socket opens.
const LIFE: u64 = 3;

pub(super) async fn attack(mut field: Field) -> anyhow::Result<()> {
    loop {
        kicked(&mut field).await?;
        // It is larger than the others.
        Box::pin(banned(&mut field)).await?;
        banned_everywhere(&mut field).await?;
        expired(&mut field).await?;
        if !field.goes_on() {
            return Ok(());
        }
        field.rest().await;
    }
}

/// A user's socket, if the door is open.
async fn enter(field: &Field, user: &str, token: &str) -> anyhow::Result<Option<Socket>> {
    let socket = Socket::open(field, KIND, user, token).await?;
    if let Err(why) = &socket {
        field.note("refused attacker", why);
    }
    Ok(socket.ok())
}

/// Two sockets of one user, both members, and somebody else who listens.
async fn gather(field: &mut Field, user: &str) -> anyhow::Result<Option<([Socket; 2], Socket)>> {
    let (token, witness) = (field.forge.good(user), field.fresh("witness"));
    let (Some(mut one), Some(mut two), Some(mut third)) = (
        enter(field, user, &token).await?,
        enter(field, user, &token).await?,
        enter(field, &witness, &field.forge.good(&witness)).await?,
    ) else {
        return Ok(None);
    };
    let are_members = one.join(ROOM).await && two.join(ROOM).await && third.join(ROOM).await;
    Ok(are_members.then_some(([one, two], third)))
}

/// Has the warden give an order.
async fn order(field: &mut Field, channel: &str, order: &str, user: &str, until: Option<u64>) -> anyhow::Result<()> {
    let mut envelope = json!({"v": 1, "channel": channel, "from": "warden", "order": order, "user": user});
    if let (Some(until), Some(envelope)) = (until, envelope.as_object_mut()) {
        envelope.insert("until".to_owned(), until.into());
    }
    let id = field.fresh("order");
    field.warden().send_raw(channel, &id, &envelope.to_string()).await
}

/// Has the warden say something, and waits until the witness has heard it. Its id, or nothing if it takes too long.
async fn say(field: &mut Field, channel: &str, witness: &mut Socket) -> anyhow::Result<Option<String>> {
    let id = field.fresh("said");
    field.warden().send(channel, &id, &Value::from("behind their backs")).await?;
    open(&field.book).accept(&channel.parse()?, "warden", 0, &id);
    let is_heard = witness.listen_until(ORDER, |witness| witness.has_heard(channel, &id)).await;
    Ok(is_heard.then_some(id))
}

/// No longer a member: hears nothing, and may do nothing there.
async fn must_be_out(field: &mut Field, user: &str, socket: &mut Socket, said: Option<&str>) {
    let channel = format!("room:{ROOM}");
    socket.listen(A_MOMENT).await;
    if said.is_some_and(|id| socket.has_heard(&channel, id)) {
        open(&field.book).breach(KIND, format!("`{user}` still hears `{channel}`"));
    }
    let id = field.fresh("expelled");
    field.refuse(KIND, &Channel::room(ROOM), user, &id);
    for text in [
        json!({"action": "publish", "room": ROOM, "id": id, "body": 1}),
        json!({"action": "history", "room": ROOM}),
        json!({"action": "who", "room": ROOM}),
    ] {
        field.must_refuse(KIND, &text.to_string(), &socket.ask(text.to_string()).await);
    }
}

/// Both sockets of a user are told to leave a room.
async fn are_expelled(field: &Field, sockets: &mut [Socket; 2]) -> bool {
    for socket in sockets {
        if !socket.listen_until(ORDER, |socket| !socket.expelled.is_empty() || socket.is_closed).await {
            field.note("late order", format!("from `{ROOM}`"));
            return false;
        }
    }
    true
}

async fn kicked(field: &mut Field) -> anyhow::Result<()> {
    let (user, channel) = (field.fresh("kicked"), format!("room:{ROOM}"));
    let Some((mut sockets, mut witness)) = gather(field, &user).await? else { return Ok(()) };
    order(field, &channel, "kick", &user, None).await?;
    if !are_expelled(field, &mut sockets).await {
        return Ok(());
    }
    let said = say(field, &channel, &mut witness).await?;
    for socket in &mut sockets {
        must_be_out(field, &user, socket, said.as_deref()).await;
    }
    Ok(())
}

async fn banned(field: &mut Field) -> anyhow::Result<()> {
    let (user, channel) = (field.fresh("banned"), format!("room:{ROOM}"));
    let Some((mut sockets, mut witness)) = gather(field, &user).await? else { return Ok(()) };
    order(field, &channel, "ban", &user, Some((now() + 3_600) * 1_000)).await?;
    // One of them tries to slip in again while the order is carried out.
    let [slippery, waiting] = &mut sockets;
    let mut is_banned = false;
    for _ in 0..200 {
        if slippery.is_closed || is_banned {
            break;
        }
        let answer = slippery.ask(json!({"action": "join", "room": ROOM, "ref": "again"}).to_string()).await;
        is_banned = answer == Answer::Refused("banned".to_owned());
        field.may_be_anything(KIND, "joins while it is being banned", &answer);
    }
    let is_out = waiting.listen_until(ORDER, |socket| !socket.expelled.is_empty() || socket.is_closed).await;
    if !is_banned || !is_out {
        field.note("late order", format!("from `{ROOM}`"));
        return Ok(());
    }
    open(&field.book).banned.push((Channel::room(ROOM), user.clone()));
    if let Some(mut fresh) = enter(field, &user, &field.forge.good(&user)).await? {
        for socket in [&mut *slippery, waiting, &mut fresh] {
            for more in [json!({}), json!({"since": 0})] {
                let mut join = json!({"action": "join", "room": ROOM});
                if let (Some(join), Some(more)) = (join.as_object_mut(), more.as_object()) {
                    join.extend(more.clone());
                }
                field.must_refuse(KIND, &join.to_string(), &socket.ask(join.to_string()).await);
            }
        }
        let said = say(field, &channel, &mut witness).await?;
        must_be_out(field, &user, &mut fresh, said.as_deref()).await;
    }
    for socket in &mut sockets {
        must_be_out(field, &user, socket, None).await;
    }
    Ok(())
}

async fn banned_everywhere(field: &mut Field) -> anyhow::Result<()> {
    let user = field.fresh("exiled");
    let Some((mut sockets, _)) = gather(field, &user).await? else { return Ok(()) };
    let until = (now() + 3_600) * 1_000;
    order(field, &format!("user:{user}"), "ban", &user, Some(until)).await?;
    for socket in &mut sockets {
        if !socket.listen_until(ORDER, |socket| socket.is_closed).await {
            field.note("late order", format!("`{user}` is still connected"));
            return Ok(());
        }
    }
    for _ in 0..3 {
        let again = Socket::open(field, KIND, &user, &field.forge.good(&user)).await?;
        let mut book = open(&field.book);
        match again {
            Ok(_) => {
                book.act(KIND, "opened");
                book.breach(KIND, format!("`{user}` is banned everywhere and has connected"));
            }
            Err(why) => book.act(KIND, why),
        }
    }
    Ok(())
}

/// A socket whose token ends: the first post or frame behind the end closes it.
async fn expired(field: &mut Field) -> anyhow::Result<()> {
    let (user, witness) = (field.fresh("expired"), field.fresh("witness"));
    let channel = format!("room:{ROOM}");
    let Some(mut listening) = enter(field, &witness, &field.forge.good(&witness)).await? else { return Ok(()) };
    if !listening.join(ROOM).await {
        return Ok(());
    }
    let exp = now() - LEEWAY + LIFE;
    let token = field.forge.ending(&user, exp);
    let mut sockets = Vec::new();
    for _ in 0..2 {
        match Socket::open(field, KIND, &user, &token).await? {
            Ok(mut socket) => {
                if socket.join(ROOM).await {
                    sockets.push(socket);
                }
            }
            // Opening took longer than the token lasted.
            Err(why) => open(&field.book).act(KIND, why),
        }
    }
    while now() <= exp + LEEWAY {
        sleep(A_MOMENT).await;
    }
    let said = say(field, &channel, &mut listening).await?;
    let mut sockets = sockets.into_iter();
    if let (Some(mut silent), Some(id)) = (sockets.next(), said) {
        silent.listen(A_MOMENT).await;
        let mut book = open(&field.book);
        book.act(KIND, if silent.is_closed { "closed at the end of its token" } else { "hears nothing" });
        if silent.has_heard(&channel, &id) {
            book.breach(KIND, format!("`{user}` hears `{channel}` behind its token's end"));
        }
    }
    // The other one is closed by the same post, or by its own frame.
    if let Some(mut speaking) = sockets.next() {
        let id = field.fresh("expired");
        field.refuse(KIND, &Channel::room(ROOM), &user, &id);
        let text = json!({"action": "publish", "room": ROOM, "id": id, "body": 1}).to_string();
        field.must_refuse(KIND, &text, &speaking.ask(text.clone()).await);
    }
    Ok(())
}

/// Who is banned and stands among the members all the same.
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
