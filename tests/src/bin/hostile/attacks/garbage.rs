//! Garbage on the queue: each piece must become a dead letter with its reason, and the good message behind it must pass.

use hubbub_core::config::settings::MAX_BODY_BYTES;
use hubbub_core::object::MAX_NESTING;
use serde_json::{Value, json};

use crate::book::{Garbage, open};
use crate::field::Field;
use crate::honest::hall;
use crate::kind::Kind;

const KIND: Kind = Kind::QueueGarbage;

pub(super) async fn attack(mut field: Field) -> anyhow::Result<()> {
    let mut round = 0;
    loop {
        // A channel of its own for each round, and now and then one that honest people are in.
        let group = if round % 2 == 0 { format!("room:pen-garbage-{round}") } else { format!("room:{}", hall(0)) };
        let mut pieces = pieces(&mut field, &group);
        field.dice.shuffle(&mut pieces);
        for (group, text, reason) in pieces {
            let id = field.fresh("garbage");
            field.warden().send_raw(&group, &id, &text).await?;
            note(&field, Garbage { group, text, reason });
            if !field.rest().await {
                break;
            }
        }
        let id = field.fresh("behind");
        field.warden().send(&group, &id, &Value::from("behind the garbage")).await?;
        open(&field.book).accept(&group.parse()?, "warden", 2, &id);
        if !field.goes_on() {
            return Ok(());
        }
        round += 1;
    }
}

fn note(field: &Field, garbage: Garbage) {
    let mut book = open(&field.book);
    book.act(KIND, garbage.reason);
    book.garbage.push(garbage);
}

/// Texts that can never be delivered, each with its message group and why. Each is different from all others, so that its letter is found.
fn pieces(field: &mut Field, group: &str) -> Vec<(String, String, &'static str)> {
    let mark = field.fresh("mark");
    let good = json!({"v": 1, "channel": group, "id": mark, "from": "warden", "body": 1, "mark": mark});
    let change = |name: &str, value: Value| {
        let mut envelope = good.clone();
        if let Some(envelope) = envelope.as_object_mut() {
            envelope.insert(name.to_owned(), value);
        }
        envelope.to_string()
    };
    let without = |name: &str| {
        let mut envelope = good.clone();
        if let Some(envelope) = envelope.as_object_mut() {
            envelope.remove(name);
        }
        envelope.to_string()
    };
    let order = |fields: Value| {
        let mut order = json!({"v": 1, "channel": group, "from": "warden", "mark": mark});
        if let (Some(order), Some(fields)) = (order.as_object_mut(), fields.as_object()) {
            order.extend(fields.clone());
        }
        order.to_string()
    };
    let body_limit = usize::try_from(MAX_BODY_BYTES.default).unwrap_or(usize::MAX);
    let nested = |depth: usize| {
        let text = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        good.to_string().replace(r#""body":1"#, &format!(r#""body":{text}"#))
    };
    let noise: String = (0..field.dice.usize(1..500)).map(|_| field.dice.alphanumeric()).collect();
    let pieces = [
        (format!("{mark} {noise}"), "not_json"),
        (format!("[\"{mark}\"]"), "not_json"),
        (good.to_string().trim_end_matches('}').to_owned(), "not_json"),
        (format!("{}{mark}", "[".repeat(20_000)), "not_json"),
        (without("v"), "missing_field"),
        (change("v", 2.into()), "unknown_version"),
        (change("v", "1".into()), "wrong_field"),
        (change("v", (-1).into()), "wrong_field"),
        (without("channel"), "missing_field"),
        (change("channel", "room:somewhere-else".into()), "wrong_group"),
        (change("channel", "everyone".into()), "wrong_group"),
        (change("channel", "nobody".into()), "wrong_field"),
        (change("channel", 1.into()), "wrong_field"),
        (without("id"), "missing_field"),
        (change("id", "two words".into()), "invalid_id"),
        (change("id", "a".repeat(65).into()), "invalid_id"),
        (without("from"), "missing_field"),
        (change("from", "nobody at all".into()), "invalid_id"),
        (without("body"), "missing_field"),
        (change("body", "g".repeat(body_limit - 1).into()), "body_too_large"),
        (change("body", "g".repeat(200_000).into()), "body_too_large"),
        (nested(MAX_NESTING + 1), "wrong_field"),
        (nested(10_000), "wrong_field"),
        (change("receipt", "yes".into()), "wrong_field"),
        (change("wake", "yes".into()), "wrong_field"),
        (order(json!({"order": "promote", "user": "honest-0"})), "wrong_field"),
        (order(json!({"order": 1, "user": "honest-0"})), "wrong_field"),
        (order(json!({"order": "kick"})), "missing_field"),
        (order(json!({"order": "kick", "user": "two words"})), "invalid_id"),
        (order(json!({"order": "ban", "user": "honest-0"})), "missing_field"),
        (order(json!({"order": "ban", "user": "honest-0", "until": "tomorrow"})), "wrong_field"),
        (order(json!({"order": "kick", "user": "honest-2", "channel": "user:honest-2"})), "wrong_group"),
    ];
    let foreign = order(json!({"order": "kick", "user": "honest-0", "channel": "user:honest-1"}));
    let to_everyone = order(json!({"order": "kick", "user": "honest-0", "channel": "everyone"}));
    let mut pieces: Vec<_> = pieces.into_iter().map(|(text, reason)| (group.to_owned(), text, reason)).collect();
    // An order for everywhere goes to its user's own channel, and to no other.
    pieces.push(("user:honest-1".to_owned(), foreign, "wrong_field"));
    pieces.push(("everyone".to_owned(), to_everyone, "wrong_field"));
    pieces
}
