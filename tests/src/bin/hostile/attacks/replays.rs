//! Replays: the same message again, by a client and by a service. The first one counts, and it is in the log once.

use hubbub_client::Channel;
use serde_json::json;

use crate::attacker::{Attacker, SERVICE};
use crate::kind::Kind;
use crate::record::Repeated;
use crate::socket::{Answer, Socket};

const KIND: Kind = Kind::Replays;
const ROOM: &str = "pen-replays";

/// How often each message is sent.
const TIMES: u64 = 4;

pub(super) async fn attack(mut attacker: Attacker) -> anyhow::Result<()> {
    loop {
        by_client(&mut attacker).await?;
        by_service(&mut attacker).await?;
        if !attacker.goes_on() {
            return Ok(());
        }
        attacker.rest().await;
    }
}

/// From two sockets of the user, each time with another body.
async fn by_client(attacker: &mut Attacker) -> anyhow::Result<()> {
    let user = attacker.fresh("parrot");
    let token = attacker.forge.good(&user);
    let mut sockets = Vec::new();
    for _ in 0..2 {
        if let Ok(mut socket) = Socket::open(attacker, KIND, &user, &token).await?
            && socket.join(ROOM).await
        {
            sockets.push(socket);
        }
    }
    let id = attacker.fresh("again");
    let mut is_accepted = false;
    for number in 0..TIMES {
        for socket in &mut sockets {
            let text = json!({"action": "publish", "room": ROOM, "id": id, "body": number}).to_string();
            let answer = socket.ask(text.clone()).await;
            attacker.expect_answer(KIND, &text, &answer);
            if matches!(answer, Answer::CarriedOut(_)) && !is_accepted {
                is_accepted = true;
                accept(attacker, &user, &id, &number.to_string());
            }
        }
    }
    Ok(())
}

/// SQS takes messages with the same deduplication id for one.
async fn by_service(attacker: &mut Attacker) -> anyhow::Result<()> {
    let (channel, id) = (format!("room:{ROOM}"), attacker.fresh("again"));
    let envelope =
        |number: u64| json!({"v": 1, "channel": channel, "id": id, "from": SERVICE, "body": number}).to_string();
    let (service, other) = (attacker.service(), attacker.fresh("other"));
    for number in 0..TIMES {
        service.send_raw(&channel, &id, &envelope(number)).await?;
        attacker.record.open().notes.act(KIND, "taken by the queue");
    }
    // Under another deduplication id it is another message for the queue. `deliver` still knows the first one, because it is recent.
    service.send_raw(&channel, &other, &envelope(TIMES)).await?;
    attacker.record.open().notes.act(KIND, "taken by the queue");
    accept(attacker, SERVICE, &id, "0");
    Ok(())
}

fn accept(attacker: &Attacker, from: &str, id: &str, body: &str) {
    let channel = Channel::room(ROOM);
    attacker.accept(&channel, from, if from == SERVICE { 3 } else { 0 }, id);
    attacker.record.open().notes.repeated.push(Repeated {
        channel,
        from: from.to_owned(),
        id: id.to_owned(),
        body: body.to_owned(),
    });
}
