//! No envelope on the queue is lost: it is in its channel's log, or a dead letter.

use hubbub_fuzz::batch::{FAULTS_WITHOUT_DEAD, Sent, deliver_all};
use hubbub_fuzz::faults::Fault;
use hubbub_fuzz::stage::Stage;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

const CHANNELS: [&str; 4] = ["room:lobby", "room:quiet", "everyone", "user:bob"];

fn channel() -> impl Strategy<Value = &'static str> {
    select(&CHANNELS[..])
}

fn sent(group: &str, body: &Value) -> Sent {
    Sent { group: group.to_owned(), body: body.to_string() }
}

/// A message; now and then one that was there before.
fn message() -> impl Strategy<Value = Sent> {
    let from = select(&["alice", "orders"][..]);
    (channel(), from, 0_u8..12, any::<u8>(), prop::option::of(any::<bool>())).prop_map(
        |(channel, from, id, body, receipt)| {
            let id = format!("m-{id}");
            sent(
                channel,
                &json!({"v": 1, "channel": channel, "id": id, "from": from, "body": body, "receipt": receipt}),
            )
        },
    )
}

fn command() -> impl Strategy<Value = Sent> {
    let command = select(&["kick", "ban", "unban"][..]);
    (command, select(&["alice", "bob"][..]), any::<bool>(), 0_u64..2_000_000_000).prop_map(
        |(command, user, is_everywhere, until)| {
            let channel = if is_everywhere { format!("user:{user}") } else { "room:lobby".to_owned() };
            let body =
                json!({"v": 1, "channel": channel, "from": "mod", "command": command, "user": user, "until": until});
            sent(&channel, &body)
        },
    )
}

/// What takes something away; the rooms have a few messages each, so that many of these hit one.
fn taking_away() -> impl Strategy<Value = Sent> {
    let command = select(&["delete", "close", "open"][..]);
    (command, 0_u64..6, any::<bool>()).prop_map(|(command, seq, erase)| {
        let channel = "room:lobby";
        let body = json!({"v": 1, "channel": channel, "from": "mod", "command": command, "seq": seq, "erase": erase});
        sent(channel, &body)
    })
}

fn wake() -> impl Strategy<Value = Sent> {
    channel().prop_map(|channel| sent(channel, &json!({"v": 1, "channel": channel, "wake": true})))
}

/// What can never be delivered.
fn garbage() -> impl Strategy<Value = Sent> {
    let good = [
        ("v", json!(1)),
        ("channel", json!("room:lobby")),
        ("id", json!("m")),
        ("from", json!("orders")),
        ("body", json!(1)),
    ];
    let good: Map<String, Value> = good.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let broken = (select(&["v", "channel", "id", "from", "body"][..]), prop::option::of(Just(json!(["x"]))));
    let broken = broken.prop_filter("a body may be anything", |(field, value)| *field != "body" || value.is_none());
    let broken = broken.prop_map(move |(field, value)| {
        let mut envelope = good.clone();
        envelope.remove(field);
        envelope.extend(value.map(|value| (field.to_owned(), value)));
        sent("room:lobby", &Value::from(envelope))
    });
    let foreign = message().prop_map(|message| Sent { group: "room:another".to_owned(), ..message });
    let text = (channel(), "[^{]{0,40}").prop_map(|(group, body)| Sent { group: group.to_owned(), body });
    prop_oneof![broken, foreign, text]
}

fn batch() -> impl Strategy<Value = Vec<Sent>> {
    let any = prop_oneof![5 => message(), 2 => command(), 2 => taking_away(), 1 => wake(), 2 => garbage()];
    // So few that a message that is there twice is still among the newest of the log.
    prop::collection::vec(any, 1..25)
}

fn faults(most: usize) -> impl Strategy<Value = Vec<(usize, Fault)>> {
    prop::collection::vec((0_usize..80, select(&[Fault::Refused, Fault::Lost][..])), 0..=most)
}

fn check(records: &[Sent], faults: Vec<(usize, Fault)>, size: usize) {
    let stage = Stage::new();
    stage.ports.hook.set(faults);
    deliver_all(&stage, records, size);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_queue_message_is_lost(records in batch(), faults in faults(FAULTS_WITHOUT_DEAD), size in 1_usize..=10) {
        check(&records, faults, size);
    }

    #[test]
    fn repeated_failure_is_a_dead_letter_and_loses_nothing_else(
        records in batch(),
        faults in faults(60),
        size in 1_usize..=10,
    ) {
        check(&records, faults, size);
    }

    #[test]
    fn undeliverable_message_becomes_a_dead_letter(records in prop::collection::vec(garbage(), 1..12)) {
        let stage = Stage::new();
        deliver_all(&stage, &records, 10);
        prop_assert_eq!(stage.ports.services.seen().buried.len(), records.len());
    }
}
