//! PROTOCOL.md and the schemas speak of the same frames, fields and codes.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use hubbub_contract::scene;
use hubbub_contract::schemas::{self, Described, Dialect, Frames};
use serde_json::Value;

/// A table's rows, each with its cells, behind the heading that begins so.
fn table(heading: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("PROTOCOL.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with(heading)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<String>> =
        rows.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect();
    assert!(!rows.is_empty(), "PROTOCOL.md has no table `{heading}`");
    rows
}

/// The names in a cell's code, each with whether it may be left out.
fn names(cell: &str) -> BTreeMap<String, bool> {
    let spans = cell.split('`').skip(1).step_by(2).map(|span| span.split(": ").next().unwrap());
    let names = spans.filter(|span| span.trim_end_matches('?').bytes().all(|it| it.is_ascii_lowercase() || it == b'_'));
    // A channel, and no field.
    let names = names.filter(|name| *name != "everyone");
    names.map(|name| (name.trim_end_matches('?').to_owned(), name.ends_with('?'))).collect()
}

/// The fields of a schema, each with whether it may be left out; one that only a choice needs may not.
fn fields(described: &Described, schema: &Value) -> BTreeMap<String, bool> {
    let required = |schema: &Value| -> BTreeSet<String> {
        schema["required"].as_array().into_iter().flatten().map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    let needed = required(schema);
    let own = schema["properties"].as_object().into_iter().flatten();
    let mut fields: BTreeMap<String, bool> = own.map(|(name, _)| (name.clone(), !needed.contains(name))).collect();
    for choice in ["oneOf", "anyOf"].iter().flat_map(|word| schema[*word].as_array().into_iter().flatten()) {
        fields.extend(required(choice).into_iter().map(|name| (name, false)));
    }
    if let Some(reference) = schema["$ref"].as_str() {
        fields.extend(self::fields(described, &described.definitions[reference.rsplit('/').next().unwrap()]));
    }
    fields
}

fn check_frames(heading: &str, frames: &Frames, tag: &str) {
    let rows: BTreeMap<String, String> =
        table(heading).into_iter().map(|row| (row[0].trim_matches('`').to_owned(), row[1].clone())).collect();
    let known: BTreeSet<&String> = frames.names.iter().map(|(name, _)| name).collect();
    assert_eq!(rows.keys().collect::<BTreeSet<_>>(), known);
    for (name, definition) in &frames.names {
        let mut fields = fields(&frames.any, &frames.any.definitions[definition]);
        fields.remove(tag);
        let mut documented = names(&rows[name]);
        if tag == "action" {
            // The document says it once for all.
            fields.remove("ref");
            documented.remove("ref");
        }
        assert_eq!(documented, fields, "`{name}`");
    }
}

/// The values of an enum.
fn values(described: &Described, definition: &str) -> BTreeSet<String> {
    let choices = described.definitions[definition]["oneOf"].as_array().unwrap();
    choices.iter().map(|choice| choice["const"].as_str().unwrap().to_owned()).collect()
}

/// What is named in the first cells of a table.
fn first_names(heading: &str) -> BTreeSet<String> {
    table(heading).iter().flat_map(|row| names(&row[0]).into_keys()).collect()
}

#[test]
fn every_frame_has_the_fields_that_the_document_names() {
    let examples = scene::play().unwrap();
    check_frames("| `action` |", &schemas::client_frames(Dialect::Json).unwrap(), "action");
    let frames = schemas::server_frames(Dialect::Json, |frame| examples.is_answer(frame)).unwrap();
    check_frames("| `type` |", &frames, "type");
}

#[test]
fn every_action_is_answered_as_the_document_says() {
    let answers = scene::play().unwrap().answers;
    let documented: BTreeMap<String, BTreeSet<String>> = table("| `action` |")
        .iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), names(&row[2]).into_keys().collect()))
        .collect();
    assert_eq!(answers, documented);
}

#[test]
fn the_envelope_has_the_fields_that_the_document_names() {
    let parcels = schemas::queue_messages(Dialect::Json).unwrap();
    let mut fields = fields(&parcels, &parcels.definitions["Envelope"]);
    // These make something else of it.
    fields.retain(|name, _| name != "command" && name != "wake");
    let rows = table("| field |").into_iter();
    let documented = rows.map(|row| (row[0].trim_matches('`').to_owned(), row[1].starts_with("optional"))).collect();
    assert_eq!(fields, documented);
}

#[test]
fn every_code_is_documented() {
    let frames = schemas::server_frames(Dialect::Json, |_| true).unwrap().any;
    assert_eq!(values(&frames, "ErrorCode"), first_names("| `code` | what to do |"));
    assert_eq!(values(&frames, "ClosingCode"), first_names("| `closing.code` |"));
    let letters = schemas::dead_letter_attributes(Dialect::Json).unwrap();
    assert_eq!(values(&letters, "DeadLetterReason"), first_names("| `reason` |"));
}
