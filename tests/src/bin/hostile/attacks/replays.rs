//! Replays: the same message again, by a client and by a service. The first one counts, and it is in the log once.

use hubbub_client::Channel;
use serde_json::json;

use crate::book::{Repeated, open};
use crate::field::Field;
use crate::kind::Kind;
use crate::socket::{Answer, Socket};

const KIND: Kind = Kind::Replays;
const ROOM: &str = "pen-replays";

/// How often each message is sent.
const TIMES: u64 = 4;

pub(super) async fn attack(mut field: Field) -> anyhow::Result<()> {
    loop {
        by_client(&mut field).await?;
        by_service(&mut field).await?;
        if !field.goes_on() {
            return Ok(());
        }
        field.rest().await;
    }
}

/// From two sockets of the user, each time with another body.
async fn by_client(field: &mut Field) -> anyhow::Result<()> {
    let user = field.fresh("parrot");
    let token = field.forge.good(&user);
    let mut sockets = Vec::new();
    for _ in 0..2 {
        if let Ok(mut socket) = Socket::open(field, KIND, &user, &token).await?
            && socket.join(ROOM).await
        {
            sockets.push(socket);
        }
    }
    let id = field.fresh("again");
    let mut is_accepted = false;
    for number in 0..TIMES {
        for socket in &mut sockets {
            let text = json!({"action": "publish", "room": ROOM, "id": id, "body": number}).to_string();
            let answer = socket.ask(text.clone()).await;
            field.may_be_anything(KIND, &text, &answer);
            if matches!(answer, Answer::CarriedOut(_)) && !is_accepted {
                is_accepted = true;
                accept(field, &user, &id, &number.to_string());
            }
        }
    }
    Ok(())
}

/// As SQS allows it: a deduplication id says what is the same.
async fn by_service(field: &mut Field) -> anyhow::Result<()> {
    let (channel, id) = (format!("room:{ROOM}"), field.fresh("again"));
    let envelope =
        |number: u64| json!({"v": 1, "channel": channel, "id": id, "from": "warden", "body": number}).to_string();
    let (warden, other) = (field.warden(), field.fresh("other"));
    for number in 0..TIMES {
        warden.send_raw(&channel, &id, &envelope(number)).await?;
        open(&field.book).act(KIND, "taken by the queue");
    }
    // Under another deduplication id the queue takes it for another message; right behind the first, `deliver` knows better.
    warden.send_raw(&channel, &other, &envelope(TIMES)).await?;
    open(&field.book).act(KIND, "taken by the queue");
    accept(field, "warden", &id, "0");
    Ok(())
}

fn accept(field: &Field, from: &str, id: &str, body: &str) {
    let channel = Channel::room(ROOM);
    let mut book = open(&field.book);
    book.accept(&channel, from, if from == "warden" { 3 } else { 0 }, id);
    book.repeated.push(Repeated { channel, from: from.to_owned(), id: id.to_owned(), body: body.to_owned() });
}
