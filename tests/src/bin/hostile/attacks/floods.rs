//! Floods: one user publishes as fast as it can on several sockets, joins and leaves without end, and joins more rooms than it may.

use std::time::{Duration, Instant};

use futures::future::join_all;
use hubbub_client::Channel;
use hubbub_core::limits::turns::PublishRate;
use serde_json::json;

use crate::attacker::Attacker;
use crate::kind::Kind;
use crate::socket::{Answer, Frame, Socket};

const KIND: Kind = Kind::Floods;
const ROOM: &str = "pen-flood";

/// Sockets of the one user.
const SOCKETS: usize = 3;
/// Frames that are sent before the first answer is read.
const WAVE: usize = 15;
/// How long a user floods.
const TIME: Duration = Duration::from_secs(3);
/// Rooms that a storm of joins goes through.
const ROOMS: usize = 5;
/// Joins beyond the limit.
const TOO_MANY: usize = 3;

pub(super) async fn attack(mut attacker: Attacker) -> anyhow::Result<()> {
    loop {
        publish_too_fast(&mut attacker).await?;
        join_and_leave(&mut attacker).await?;
        join_too_many(&mut attacker).await?;
        if !attacker.goes_on() {
            return Ok(());
        }
        attacker.rest().await;
    }
}

async fn open_all(attacker: &mut Attacker, user: &str) -> anyhow::Result<Vec<Socket>> {
    let token = attacker.forge.good(user);
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        match Socket::open(attacker, KIND, user, &token).await? {
            Ok(socket) => sockets.push(socket),
            Err(why) => attacker.note("refused attacker", why),
        }
    }
    Ok(sockets)
}

/// No more is accepted than the burst and the rate allow, from all sockets together, and refused messages stay out of the log.
async fn publish_too_fast(attacker: &mut Attacker) -> anyhow::Result<()> {
    let user = attacker.fresh("flooder");
    let mut sockets = open_all(attacker, &user).await?;
    for socket in &mut sockets {
        socket.join(ROOM).await;
    }
    let begin = Instant::now();
    let flooding = sockets.into_iter().enumerate().map(|(thread, socket)| {
        let rng = attacker.rng.fork();
        flood(Attacker { rng, ..attacker.clone() }, socket, user.clone(), thread)
    });
    let accepted: u64 = join_all(flooding.collect::<Vec<_>>()).await.into_iter().sum();
    // The moments at which the stack decided lie between these two.
    let PublishRate { per_second, burst } = attacker.user_rate;
    // As whole seconds, so that it is a little more than that.
    let allowed = burst + per_second * (begin.elapsed().as_secs() + 1);
    for _ in allowed..accepted {
        attacker
            .record
            .open()
            .notes
            .breach(KIND, format!("`{user}` published {accepted} messages and may publish {allowed}"));
    }
    Ok(())
}

/// How many of its messages were accepted.
async fn flood(mut attacker: Attacker, mut socket: Socket, user: String, thread: usize) -> u64 {
    let room = Channel::room(ROOM);
    let (begin, mut accepted) = (Instant::now(), 0);
    while begin.elapsed() < TIME && !socket.is_closed {
        let ids: Vec<String> = (0..WAVE).map(|_| attacker.fresh("flood")).collect();
        for id in &ids {
            socket
                .send(json!({"action": "publish", "room": ROOM, "id": id, "ref": id, "body": thread}).to_string())
                .await;
        }
        for id in &ids {
            let answer = socket.answer().await;
            attacker.expect_answer(KIND, id, &answer);
            match answer {
                Answer::CarriedOut(frame) => {
                    attacker.accept(&room, &user, thread, &Frame::parse(&frame).id);
                    accepted += 1;
                }
                Answer::Refused(code) if code != "unavailable" => attacker.refuse(KIND, &room, &user, id),
                Answer::Refused(_) | Answer::Failure(_) | Answer::Closed(_) | Answer::Silence => {}
            }
        }
    }
    accepted
}

/// It is allowed, and must harm no other user.
async fn join_and_leave(attacker: &mut Attacker) -> anyhow::Result<()> {
    let user = attacker.fresh("stormer");
    let sockets = open_all(attacker, &user).await?;
    let storms =
        sockets.into_iter().map(|socket| storm(Attacker { rng: attacker.rng.fork(), ..attacker.clone() }, socket));
    join_all(storms.collect::<Vec<_>>()).await;
    Ok(())
}

async fn storm(mut attacker: Attacker, mut socket: Socket) {
    for _ in 0..2 {
        let mut expected = 0;
        for _ in 0..WAVE {
            let (action, room) = (if attacker.rng.bool() { "join" } else { "leave" }, attacker.rng.usize(..ROOMS));
            socket.send(json!({"action": action, "room": format!("pen-storm-{room}"), "ref": "s"}).to_string()).await;
            expected += 1;
        }
        for _ in 0..expected {
            let answer = socket.answer().await;
            attacker.expect_answer(KIND, "a storm of joins", &answer);
        }
    }
}

/// A connection may join only as many rooms as the limit allows.
async fn join_too_many(attacker: &mut Attacker) -> anyhow::Result<()> {
    let user = attacker.fresh("collector");
    let Ok(mut socket) = Socket::open(attacker, KIND, &user, &attacker.forge.good(&user)).await? else { return Ok(()) };
    for number in 0..attacker.max_rooms + TOO_MANY {
        let join = json!({"action": "join", "room": format!("pen-many-{number}")}).to_string();
        let answer = socket.ask(join.clone()).await;
        if number < attacker.max_rooms {
            attacker.expect_answer(KIND, &join, &answer);
        } else {
            attacker.expect_refusal(KIND, &join, &answer);
        }
    }
    Ok(())
}
