//! Garbage on the queue: each piece must become a dead letter with its reason, and the good message after it must be delivered.

use hubbub_core::settings::MAX_BODY_BYTES;
use hubbub_core::wire::fields::MAX_NESTING;
use serde_json::{Value, json};

use crate::attacker::{Attacker, SERVICE};
use crate::kind::Kind;
use crate::record::Garbage;
use crate::well_behaved::shared_room;

const KIND: Kind = Kind::QueueGarbage;

pub(super) async fn attack(mut attacker: Attacker) -> anyhow::Result<()> {
    let mut round = 0;
    loop {
        // A channel of its own for each round, and every other time one that well-behaved clients are in.
        let group =
            if round % 2 == 0 { format!("room:pen-garbage-{round}") } else { format!("room:{}", shared_room(0)) };
        let mut pieces = pieces(&mut attacker, &group);
        attacker.rng.shuffle(&mut pieces);
        for (group, text, reason) in pieces {
            let id = attacker.fresh("garbage");
            attacker.service().send_raw(&group, &id, &text).await?;
            note(&attacker, Garbage { group, text, reason });
            if !attacker.rest().await {
                break;
            }
        }
        let id = attacker.fresh("after");
        attacker.service().send(&group, &id, &Value::from("after the garbage")).await?;
        attacker.accept(&group.parse()?, SERVICE, 2, &id);
        if !attacker.goes_on() {
            return Ok(());
        }
        round += 1;
    }
}

fn note(attacker: &Attacker, garbage: Garbage) {
    let record = &mut *attacker.record.open();
    record.notes.act(KIND, garbage.reason);
    record.notes.garbage.push(garbage);
}

/// Texts that can never be delivered, each with its message group and why. Each is different from all others, so that its letter is found.
fn pieces(attacker: &mut Attacker, group: &str) -> Vec<(String, String, &'static str)> {
    let mark = attacker.fresh("mark");
    let good = json!({"v": 1, "channel": group, "id": mark, "from": SERVICE, "body": 1, "mark": mark});
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
    let command = |fields: Value| {
        let mut command = json!({"v": 1, "channel": group, "from": SERVICE, "mark": mark});
        if let (Some(command), Some(fields)) = (command.as_object_mut(), fields.as_object()) {
            command.extend(fields.clone());
        }
        command.to_string()
    };
    let body_limit = usize::try_from(MAX_BODY_BYTES.default).unwrap_or(usize::MAX);
    let nested = |depth: usize| {
        let text = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        good.to_string().replace(r#""body":1"#, &format!(r#""body":{text}"#))
    };
    let noise: String = (0..attacker.rng.usize(1..500)).map(|_| attacker.rng.alphanumeric()).collect();
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
        (command(json!({"command": "promote", "user": "client-0"})), "wrong_field"),
        (command(json!({"command": 1, "user": "client-0"})), "wrong_field"),
        (command(json!({"command": "kick"})), "missing_field"),
        (command(json!({"command": "kick", "user": "two words"})), "invalid_id"),
        (command(json!({"command": "ban", "user": "client-0"})), "missing_field"),
        (command(json!({"command": "ban", "user": "client-0", "until": "tomorrow"})), "wrong_field"),
        (command(json!({"command": "kick", "user": "client-2", "channel": "user:client-2"})), "wrong_group"),
    ];
    let foreign = command(json!({"command": "kick", "user": "client-0", "channel": "user:client-1"}));
    let to_everyone = command(json!({"command": "kick", "user": "client-0", "channel": "everyone"}));
    let mut pieces: Vec<_> = pieces.into_iter().map(|(text, reason)| (group.to_owned(), text, reason)).collect();
    // A command for everywhere goes to its user's own channel, and to no other.
    pieces.push(("user:client-1".to_owned(), foreign, "wrong_field"));
    pieces.push(("everyone".to_owned(), to_everyone, "wrong_field"));
    pieces
}
