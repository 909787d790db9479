//! What a test has sent that no log may have.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context;
use serde::Serialize;

use crate::stack::Stack;

/// The file in the stack's folder, which `scripts/audit` reads when the stack is down.
const FILE: &str = "secrets.json";

/// What a test has sent.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Planted {
    /// The secrets, by what they are.
    pub secrets: BTreeMap<&'static str, String>,
    /// What the logs must have, or they are not those of this run.
    pub witnesses: Vec<String>,
}

impl Planted {
    /// Writes it down.
    ///
    /// # Errors
    /// Fails if the file can't be written.
    pub fn note(&self, stack: &Stack) -> anyhow::Result<()> {
        let path = stack.folder.join(FILE);
        let text = serde_json::to_string_pretty(self)?;
        fs::write(&path, text).with_context(|| format!("`{}` can't be written", path.display()))
    }
}
