//! No client input makes a function fail: an error frame is an answer.

use futures::executor::block_on;
use hubbub_core::actions::NAMES;
use hubbub_core::wire::codes::{ClosingCode, ErrorCode};
use hubbub_core::wire::server_frame::{Answer, ServerFrame};
use hubbub_fuzz::faults::Fault;
use hubbub_fuzz::stage::{Stage, sender};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// Effects whose failure is nobody's business but the log's: the frame is carried out without them.
const SIDE_EFFECTS: [&str; 1] = ["wake"];

/// Any action, and one that there isn't.
fn action() -> impl Strategy<Value = &'static str> {
    select([NAMES, &["shout"]].concat())
}

/// What a field may hold, most often something that makes sense.
fn value(field: &str) -> BoxedStrategy<Value> {
    let good = match field {
        "room" => select(&["lobby", "team-a", "team-banned", "other"][..]).prop_map(Value::from).boxed(),
        "channel" => select(&["everyone", "user:alice", "user:bob", "room:lobby"][..]).prop_map(Value::from).boxed(),
        "to" | "user" => select(&["alice", "bob", "carol"][..]).prop_map(Value::from).boxed(),
        "since" | "before" | "until" => prop_oneof![0_u64..9, any::<u64>()].prop_map(Value::from).boxed(),
        "limit" => (0_u64..202).prop_map(Value::from).boxed(),
        "epoch" => select(&["E", "other"][..]).prop_map(Value::from).boxed(),
        "receipt" => any::<bool>().prop_map(Value::from).boxed(),
        "id" | "ref" => "[a-z0-9]{1,3}".prop_map(Value::from).boxed(),
        "seen" => (select(&["room:lobby", "everyone", "room:x"][..]), 0_u64..9)
            .prop_map(|(channel, seq)| json!({ channel: { "epoch": "E", "seq": seq } }))
            .boxed(),
        _ => anything().boxed(),
    };
    prop_oneof![9 => good, 1 => anything()].boxed()
}

/// Any JSON value.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

/// A frame: an action with fields, most of which belong to it.
fn frame() -> impl Strategy<Value = String> {
    let fields = |action: &'static str| {
        let (needed, maybe): (&[&'static str], &[&'static str]) = match action {
            "join" => (&["room"], &["since", "epoch", "channel"]),
            "publish" => (&["room", "body"], &["id", "receipt"]),
            "direct" => (&["to", "body"], &["id", "receipt"]),
            "signal" => (&["room", "body"], &["to"]),
            "history" => (&["room"], &["before", "limit", "channel"]),
            "kick" | "ban" | "unban" => (&["user", "until"], &["room"]),
            "delete" => (&["room", "seq"], &[]),
            "close" => (&["room"], &["erase"]),
            "ping" => (&["seen"], &[]),
            _ => (&["room"], &[]),
        };
        let field = |name: &'static str, likely: f64| {
            prop::option::weighted(likely, value(name)).prop_map(move |value| value.map(|value| (name, value)))
        };
        let needed = needed.iter().map(move |name| field(name, 0.95).boxed());
        let maybe = maybe.iter().chain(&["ref"]).map(move |name| field(name, 0.4).boxed());
        needed.chain(maybe).collect::<Vec<_>>().prop_map(move |fields| {
            let action = ("action", Value::from(action));
            let fields = fields.into_iter().flatten().chain([action]);
            let frame: Map<String, Value> = fields.map(|(name, value)| (name.to_owned(), value)).collect();
            Value::from(frame).to_string()
        })
    };
    prop_oneof![8 => action().prop_flat_map(fields), 1 => anything().prop_map(|value| value.to_string()), 1 => ".{0,200}"]
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just("alice"), 2 => Just("root"), 1 => Just("stranger"), 1 => Just("late")]
}

fn answer(stage: &Stage, name: &str, frame: &str) -> Answer {
    block_on(stage.client_handler().answer(&sender(name), frame))
}

fn is_unavailable(answer: &Answer) -> bool {
    matches!(answer.frame, ServerFrame::Error { code: ErrorCode::Unavailable, .. })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_client_input_makes_a_function_fail(name in name(), frames in prop::collection::vec(frame(), 1..6)) {
        for frame in &frames {
            hubbub_fuzz::client_frame(format!("{name}> {frame}").as_bytes());
        }
        hubbub_fuzz::client_frame(frames.join("\n").as_bytes());
    }

    #[test]
    fn outside_failure_is_answered_with_unavailable(
        name in name(),
        frame in frame(),
        number in 0_usize..30,
        fault in select(&[Fault::Refused, Fault::Lost][..]),
    ) {
        let unharmed = answer(&Stage::with_a_log(), name, &frame);
        let stage = Stage::with_a_log();
        stage.ports.hook.set([(number, fault)]);
        let answer = answer(&stage, name, &frame);
        let failed = stage.ports.hook.met().iter().any(|operation| !SIDE_EFFECTS.contains(operation));
        if let ServerFrame::Closing { code, .. } = &answer.frame {
            // There is nothing to be tried again.
            prop_assert_eq!(*code, ClosingCode::TokenExpired);
        } else if failed {
            prop_assert!(is_unavailable(&answer), "{:?}", answer);
            prop_assert_eq!(&answer.reference, &unharmed.reference);
            let seen = stage.ports.services.seen();
            prop_assert!(fault == Fault::Lost || seen.enqueued.len() + seen.commands.len() == 0, "it is on the queue");
        } else {
            prop_assert_eq!(answer, unharmed);
        }
    }
}
