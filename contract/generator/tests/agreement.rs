//! The schemas and the functions' readers take the same.
//!
//! What is tried: everything that fuzzing has kept, PROTOCOL.md's examples, the contract's, and these with each field replaced by each of many
//! values. What a reader takes, its schema takes, without exception. What a reader refuses, the schema refuses too, but for what a schema
//! can't say: [`EXCEPTIONS`].
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hubbub_contract::scene::{self, Examples};
use hubbub_contract::schemas::{self, Dialect};
use hubbub_core::actions::ClientFrame;
use hubbub_core::actions::ping::MAX_SEEN;
use hubbub_core::settings;
use hubbub_core::transport::MAX_FRAME_BYTES;
use hubbub_core::wire::queue_message::QueueMessage;
use hubbub_core::wire::server_frame::MAX_REF_CHARS;
use jsonschema::Validator;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// What a reader refuses and a schema can't.
struct Exception {
    /// What it is.
    what: &'static str,
    /// Whether a refusal is of this kind.
    applies: fn(&Refusal) -> bool,
}

/// All that a schema can't say.
const EXCEPTIONS: [Exception; 9] = [
    Exception { what: "how many bytes a body has, as sent", applies: |it| it.code == "body_too_large" },
    Exception { what: "how many bytes a frame has", applies: |it| it.code == "frame_too_large" },
    Exception { what: "how deep a body is nested", applies: |it| it.says("`body` must be nested") },
    Exception {
        what: "that the queue's message group is the envelope's channel",
        applies: |it| it.code == "wrong_group",
    },
    Exception {
        what: "that an order for everywhere is in its own user's channel",
        applies: |it| it.says("`channel` must be a room, or `user:<id>` of the order's user"),
    },
    Exception {
        what: "that a whole number is written without a point or an exponent",
        applies: |it| it.is_about_a_point(),
    },
    Exception {
        what: "the field `connection`, by which `receive` says who gets a receipt",
        applies: |it| it.says("`connection` must be"),
    },
    Exception {
        what: "that only rooms tell who comes and goes",
        applies: |it| it.says("only rooms tell who comes and goes"),
    },
    Exception {
        what: "half of a character outside the first plane, alone",
        applies: |it| it.case.has_half_a_character,
    },
];

/// A text, and what a schema is asked about.
struct Case {
    text: String,
    /// The queue's message group, for parcels.
    group: String,
    value: Value,
    has_half_a_character: bool,
}

/// A reader has refused a text.
struct Refusal<'a> {
    code: &'a str,
    detail: &'a str,
    case: &'a Case,
}

impl Refusal<'_> {
    fn says(&self, part: &str) -> bool {
        self.detail.contains(part)
    }

    /// `1.0` is a whole number for a schema.
    fn is_about_a_point(&self) -> bool {
        let field = self.detail.split('`').nth(1).and_then(|field| self.case.value.get(field));
        let has_point = |value: &Value| value.as_f64().is_some_and(|number| number.fract() == 0.0) && !value.is_u64();
        let within =
            |value: &Value| value.as_object().is_some_and(|seen| seen.values().any(|it| has_point(&it["seq"])));
        field.is_some_and(|value| has_point(value) || within(value))
    }
}

impl Case {
    /// Nothing if it is no JSON object: then there is nothing to ask a schema about.
    fn read(text: &str, group: Option<&str>) -> Option<Self> {
        let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).ok()?;
        let mut value = json!({});
        let mut has_half_a_character = false;
        for (name, raw) in fields {
            // A body is kept as the text that it is, even where no JSON value can hold it: a number without end, half of a character.
            let field = serde_json::from_str(raw.get()).unwrap_or_else(|_| {
                has_half_a_character |= name != "body";
                if name == "body" { Value::Null } else { json!(raw.get()) }
            });
            value[name] = field;
        }
        let channel = value["channel"].as_str().unwrap_or("room:lobby").to_owned();
        let group = group.map_or(channel, str::to_owned);
        Some(Self { text: text.to_owned(), group, value, has_half_a_character })
    }
}

/// A door: its reader and its schema, and how often they said what.
struct Door {
    schema: Validator,
    read: fn(&Case) -> Result<(), (String, String)>,
    taken: usize,
    refused: usize,
    met: BTreeSet<&'static str>,
}

impl Door {
    fn new(schema: &schemars::Schema, read: fn(&Case) -> Result<(), (String, String)>) -> Self {
        let schema = jsonschema::draft202012::new(schema.as_value()).unwrap();
        Self { schema, read, taken: 0, refused: 0, met: BTreeSet::new() }
    }

    fn of_clients() -> Self {
        Self::new(&schemas::client_frames(Dialect::Json).unwrap().any.into_schema().unwrap(), |case| {
            let code = |code| serde_json::to_value(code).unwrap().as_str().unwrap().to_owned();
            let frame = ClientFrame::parse(&case.text, max_body_bytes());
            frame.map(drop).map_err(|refused| (code(refused.code), refused.message))
        })
    }

    fn of_the_queue() -> Self {
        Self::new(&schemas::parcels(Dialect::Json).unwrap().into_schema().unwrap(), |case| {
            let parcel = QueueMessage::parse(&case.text, &case.group, max_body_bytes());
            parcel.map(drop).map_err(|invalid| (invalid.code().to_owned(), invalid.to_string()))
        })
    }

    fn check(&mut self, text: &str, group: Option<&str>) {
        let Some(case) = Case::read(text, group) else { return };
        let schema = self.schema.validate(&case.value).map_err(|error| error.to_string());
        match ((self.read)(&case), schema) {
            (Ok(()), Ok(())) => self.taken += 1,
            (Err(_), Err(_)) => self.refused += 1,
            (Ok(()), Err(error)) => panic!("the reader takes and the schema refuses: {error}: {text:.300}"),
            (Err((code, detail)), Ok(())) => {
                let refusal = Refusal { code: &code, detail: &detail, case: &case };
                let exception = EXCEPTIONS.iter().find(|exception| (exception.applies)(&refusal));
                let exception = exception.unwrap_or_else(|| panic!("the schema takes, and `{detail}`: {text:.300}"));
                self.met.insert(exception.what);
            }
        }
    }

    /// Tries a text with each of its fields replaced by each of many values, and left out.
    fn check_seeded(&mut self, text: &str, fields: &BTreeSet<String>) {
        let sound: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).unwrap();
        for field in fields {
            let with = |value: Option<&str>| {
                let mut seeded = sound.clone();
                match value {
                    Some(value) => seeded.insert(field.clone(), RawValue::from_string(value.to_owned()).unwrap()),
                    None => seeded.remove(field),
                };
                serde_json::to_string(&seeded).unwrap()
            };
            self.check(&with(None), None);
            for value in values() {
                self.check(&with(Some(&value)), None);
            }
        }
    }
}

fn max_body_bytes() -> usize {
    usize::try_from(settings::MAX_BODY_BYTES.default).unwrap()
}

/// What a field may be seeded with, as JSON texts.
fn values() -> Vec<String> {
    let many = |count: usize| {
        let seen: BTreeMap<String, Value> =
            (0..count).map(|number| (format!("room:{number}"), json!({ "epoch": "E", "seq": number }))).collect();
        serde_json::to_string(&seen).unwrap()
    };
    let plain = [
        "null",
        "true",
        "false",
        "0",
        "1",
        "2",
        "-1",
        "200",
        "201",
        "1.5",
        "1.0",
        "1e2",
        "18446744073709551615",
        "18446744073709551616",
        "[]",
        "{}",
        r#""""#,
        r#""a""#,
        r#""two words""#,
        r#""a\n""#,
        r#""ä""#,
        r#""1""#,
        r#"["a"]"#,
        r#""room:a""#,
        r#""room:two words""#,
        r#""room:""#,
        r#""user:bob""#,
        r#""user:al""#,
        r#""everyone""#,
        r#""everyone:""#,
        r#""team:a""#,
        r#""kick""#,
        r#""ban""#,
        r#""delete""#,
        r#""close""#,
        r#""shout""#,
        r#""join""#,
        r#""publish""#,
        r#""ping""#,
        r#""\ud800""#,
        r#"{"a":null}"#,
        r#"{"room:a":{"epoch":"E","seq":1}}"#,
        r#"{"room:a":{"epoch":"E","seq":1,"later":true}}"#,
        r#"{"room:a":{"epoch":"E"}}"#,
        r#"{"room:a":{"epoch":1,"seq":1}}"#,
        r#"{"room:a":{"epoch":"E","seq":1.0}}"#,
        r#"{"a":{"epoch":"E","seq":1}}"#,
        r#"{"room:a":null}"#,
    ];
    let text = |letter: &str, count: usize| format!("\"{}\"", letter.repeat(count));
    let made = [
        text("x", 64),
        text("x", 65),
        text("ä", MAX_REF_CHARS),
        text("😀", MAX_REF_CHARS),
        text("😀", MAX_REF_CHARS + 1),
        format!("\"room:{}\"", "x".repeat(64)),
        format!("\"room:{}\"", "x".repeat(65)),
        text("x", max_body_bytes() - 2),
        text("x", max_body_bytes() - 1),
        text("x", MAX_FRAME_BYTES),
        format!("{}{}", "[".repeat(64), "]".repeat(64)),
        format!("{}{}", "[".repeat(65), "]".repeat(65)),
        many(MAX_SEEN),
        many(MAX_SEEN + 1),
    ];
    plain.into_iter().map(str::to_owned).chain(made).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The lines of a fuzz target's corpus.
fn corpus(target: &str) -> Vec<String> {
    let folder = root().join("tests/fuzz/corpus").join(target);
    let inputs = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    inputs.flat_map(|input| String::from_utf8_lossy(&input).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The JSON objects of PROTOCOL.md with this field, in its code.
fn documented(field: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("PROTOCOL.md")).unwrap();
    let spans = text.split('`').map(|span| span.trim_start_matches("json").trim());
    let objects =
        spans.filter(|span| serde_json::from_str::<Value>(span).is_ok_and(|value| value.get(field).is_some()));
    objects.map(str::to_owned).collect()
}

/// All fields that any of these have, and one that nobody knows.
fn fields<'a>(objects: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    let names = objects.flat_map(|object| object.as_object().unwrap().keys().cloned());
    names.chain(["later".to_owned(), "connection".to_owned(), "channel".to_owned()]).collect()
}

fn parcels(examples: &Examples) -> Vec<&Value> {
    let parcels = &examples.parcels;
    parcels.messages.iter().chain(&parcels.orders).chain(&parcels.wakes).map(|(parcel, _)| parcel).collect()
}

#[test]
fn the_readers_and_the_schemas_take_the_same() {
    let examples = scene::play().unwrap();

    let mut clients = Door::of_clients();
    for line in corpus("client_frame") {
        let frame = line.split_once("> ").filter(|(name, _)| name.bytes().all(|it| it.is_ascii_lowercase()));
        clients.check(frame.map_or(line.as_str(), |(_, frame)| frame), None);
    }
    let documented_frames = documented("action");
    assert!(!documented_frames.is_empty(), "PROTOCOL.md has no example of a client's frame");
    for text in documented_frames {
        let own_id = text.replace("<own id>", "alice");
        let before = clients.taken;
        clients.check(&own_id, None);
        assert_eq!(clients.taken, before + 1, "PROTOCOL.md: {text}");
    }
    let requests: Vec<&Value> = examples.requests.values().flatten().collect();
    for request in &requests {
        clients.check_seeded(&request.to_string(), &fields(requests.iter().copied()));
    }

    let mut queue = Door::of_the_queue();
    for line in corpus("envelope") {
        let (group, parcel) = line.split_once('\t').unwrap_or(("room:lobby", &line));
        queue.check(parcel, Some(group));
    }
    let documented_parcels: Vec<String> = documented("v").into_iter().filter(|text| !text.contains('…')).collect();
    assert!(documented_parcels.len() >= 2, "{documented_parcels:?}");
    for text in documented_parcels {
        let before = queue.taken;
        queue.check(&text, None);
        assert_eq!(queue.taken, before + 1, "PROTOCOL.md: {text}");
    }
    for parcel in parcels(&examples) {
        queue.check_seeded(&parcel.to_string(), &fields(parcels(&examples).into_iter()));
    }

    for door in [&clients, &queue] {
        assert!(door.taken > 1_000 && door.refused > 1_000, "{} taken, {} refused", door.taken, door.refused);
    }
    for Exception { what, .. } in EXCEPTIONS {
        assert!(clients.met.contains(what) || queue.met.contains(what), "no case needs the exception `{what}`");
    }
}
