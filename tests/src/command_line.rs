//! The operator's command line, as an operator runs it.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::stack::{OUTPUTS, Stack};

/// What a command has said, and how it ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its status, unless it was killed.
    pub status: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Reads what has ended.
    #[must_use]
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { status: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// The lines of its result, as JSON.
    ///
    /// # Errors
    /// Fails if a line isn't JSON.
    pub fn json(&self) -> anyhow::Result<Vec<Value>> {
        let read = |line: &str| serde_json::from_str(line).with_context(|| format!("`{line}` is not JSON"));
        self.out.lines().map(read).collect()
    }
}

/// The command `hubbub` about a stack; it was built together with the stack, beside the tests.
///
/// # Errors
/// Fails if the binary isn't there.
pub fn hubbub(stack: &Stack, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(binary()?);
    command.args(arguments).env(OUTPUTS, stack.folder.join("outputs.json"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// Runs `hubbub` to its end.
///
/// # Errors
/// Fails if it can't be started.
pub fn run(stack: &Stack, arguments: &[&str]) -> anyhow::Result<Ran> {
    Ok(Ran::of(&hubbub(stack, arguments)?.output()?))
}

fn binary() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let binary = test.ancestors().nth(2).unwrap_or(&test).join("hubbub");
    ensure!(binary.exists(), "`{}` isn't there: build the whole workspace", binary.display());
    Ok(binary)
}
