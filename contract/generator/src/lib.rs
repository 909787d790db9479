//! The contract: what goes through Hubbub's doors, for people and machines of any language.
//!
//! All of it is made of what the functions use: schemas of their types with their limits ([`schemas`]), and examples that are played by
//! their rules ([`scene`]). [`asyncapi`] puts both into one document; [`files`] are what is committed.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

pub mod asyncapi;
pub mod scene;
pub mod schemas;

use schemas::Dialect;

/// The folder of the schemas, in which there is nothing else.
pub const SCHEMAS: &str = "schemas";

/// The files of the contract, by their paths in its folder.
///
/// # Errors
/// When the rules and the scene don't fit together, which a test would have found.
pub fn files() -> Result<BTreeMap<String, String>> {
    let examples = scene::play()?;
    let dialect = Dialect::Json;
    let schemas = [
        ("client-frame", schemas::client_frames(dialect)?.any),
        ("server-frame", schemas::server_frames(dialect, |frame| examples.is_answer(frame))?.any),
        ("queue-message", schemas::queue_messages(dialect)?),
        ("queue-attributes", schemas::queue_attributes(dialect)?),
        ("dead-letter-attributes", schemas::dead_letter_attributes(dialect)?),
    ];
    let mut files = BTreeMap::from([("asyncapi.json".to_owned(), write(&asyncapi::document(&examples)?)?)]);
    for (name, schema) in schemas {
        files.insert(format!("{SCHEMAS}/{name}.json"), write(&schema.into_schema()?)?);
    }
    Ok(files)
}

fn write(value: &impl Serialize) -> Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}
