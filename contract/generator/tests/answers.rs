//! What the functions write is what the schemas say.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use futures::executor::block_on;
use hubbub_contract::scene;
use hubbub_contract::schemas::{self, Dialect};
use hubbub_core::wire::queue_message::QueueMessage;
use hubbub_fuzz::stage::{MAX_BODY_BYTES, Stage, sender};
use jsonschema::Validator;
use schemars::Schema;
use serde_json::Value;

fn validator(schema: &Schema) -> Validator {
    jsonschema::draft202012::new(schema.as_value()).unwrap()
}

/// The inputs of a fuzz target's corpus.
fn corpus(target: &str) -> Vec<String> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("tests/fuzz/corpus").join(target);
    let inputs = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    inputs.map(|input| String::from_utf8_lossy(&input).into_owned()).collect()
}

#[test]
fn answers_and_posts_match_the_schema() {
    let examples = scene::play().unwrap();
    let frames = schemas::server_frames(Dialect::Json, |frame| examples.is_answer(frame)).unwrap();
    let names: BTreeSet<&String> = frames.names.iter().map(|(name, _)| name).collect();
    assert_eq!(names, examples.frames.keys().collect(), "the scene shows every frame");
    let schema = validator(&frames.any.into_schema().unwrap());
    let check = |frame: &Value| schema.validate(frame).unwrap_or_else(|error| panic!("{error}: {frame:.300}"));
    examples.frames.values().flatten().for_each(check);
    let mut answered = BTreeSet::new();
    for input in corpus("client_frame") {
        let stage = Stage::with_a_log();
        for line in input.lines() {
            let named = line.split_once("> ").filter(|(name, _)| ["alice", "root", "late", "stranger"].contains(name));
            let (name, frame) = named.unwrap_or(("alice", line));
            let answer = serde_json::to_value(block_on(stage.client_handler().answer(&sender(name), frame)));
            // A number without end, which no JSON value can hold, comes back as it was sent.
            let Ok(answer) = answer else { continue };
            check(&answer);
            answered.insert(answer["type"].as_str().unwrap().to_owned());
        }
    }
    assert!(answered.len() >= 9, "{answered:?}");
}

#[test]
fn queue_messages_and_dead_letters_match_the_schema() {
    let examples = scene::play().unwrap();
    let attributes = validator(&schemas::queue_attributes(Dialect::Json).unwrap().into_schema().unwrap());
    let parcels = &examples.parcels;
    for (_, headers) in parcels.messages.iter().chain(&parcels.commands).chain(&parcels.wakes) {
        attributes.validate(headers).unwrap();
    }
    for [group, id] in
        [["room:two words", "a"], ["everyone", ""], ["everyone", "two words"], ["everyone", &"x".repeat(129)]]
    {
        let headers = serde_json::json!({ "MessageGroupId": group, "MessageDeduplicationId": id });
        assert!(!attributes.is_valid(&headers), "{headers}");
    }
    let letter = validator(&schemas::dead_letter_attributes(Dialect::Json).unwrap().into_schema().unwrap());
    let (sound, _) = examples.dead_letters.first().unwrap();
    let mut seen = BTreeSet::new();
    for input in corpus("envelope") {
        for line in input.lines() {
            let (group, parcel) = line.split_once('\t').unwrap_or(("room:lobby", line));
            let Err(invalid) = QueueMessage::parse(parcel, group, MAX_BODY_BYTES) else { continue };
            let mut attributes = sound.clone();
            attributes["reason"] = invalid.reason().as_str().into();
            letter.validate(&attributes).unwrap();
            seen.insert(invalid.reason().as_str());
        }
    }
    assert_eq!(seen.len(), 7, "every reason is met: {seen:?}");
}
