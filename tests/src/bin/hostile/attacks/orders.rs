//! Orders by those who are no admins, or admins of other rooms. Honest members who are expelled by one notice it themselves.

use serde_json::json;

use crate::field::Field;
use crate::forge::now;
use crate::honest::{HALLS, HONEST, hall, honest};
use crate::kind::Kind;
use crate::socket::Socket;

const KIND: Kind = Kind::ForbiddenOrders;

pub(super) async fn attack(mut field: Field) -> anyhow::Result<()> {
    loop {
        for token in tokens(&mut field) {
            let user = field.fresh("usurper");
            let token = field.forge.granting(&user, token);
            match Socket::open(&field, KIND, &user, &token).await? {
                Ok(mut socket) => order_about(&mut field, &mut socket).await,
                Err(why) => field.note("refused attacker", why),
            }
        }
        if !field.goes_on() {
            return Ok(());
        }
    }
}

/// Tokens that grant no admin of halls, and none of everywhere.
fn tokens(field: &mut Field) -> Vec<serde_json::Value> {
    let everything = json!(["*"]);
    let all_but_admin = json!({"join": everything, "publish": everything, "history": everything, "who": everything, "direct": everything});
    let mut elsewhere = all_but_admin.clone();
    if let Some(grants) = elsewhere.as_object_mut() {
        grants.insert("admin".to_owned(), json!([field.fresh("pen"), "hall", "hall-"]));
    }
    vec![all_but_admin, elsewhere]
}

async fn order_about(field: &mut Field, socket: &mut Socket) {
    let (room, victim) = (hall(field.dice.usize(..HALLS)), honest(field.dice.usize(..HONEST)));
    let until = (now() + 3_600) * 1_000;
    for order in [
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
        json!({"action": "publish", "order": "kick", "room": room, "user": victim, "body": 1}),
    ] {
        let text = order.to_string();
        field.must_refuse(KIND, &text, &socket.ask(text.clone()).await);
        field.rest().await;
    }
}
