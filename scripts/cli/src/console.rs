//! Speaking to people and to programs: results on standard output, everything else on standard error.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::bail;
use serde::Serialize;
use thiserror::Error;

/// Where results go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    /// Whether results are JSON.
    pub(crate) json: bool,
    colour: bool,
}

/// A command that can't be carried out as it was called: it ends with status 2, and nothing was done.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct WrongCall(pub(crate) String);

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    Bad,
    Open,
}

impl Console {
    pub(crate) fn new(json: bool, no_color: bool) -> Self {
        Self { json, colour: !no_color && io::stdout().is_terminal() }
    }

    /// Writes a line of the result.
    ///
    /// # Errors
    /// When nobody reads it any more.
    pub(crate) fn line(self, text: impl Display) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{text}")
    }

    /// Writes a line of JSON.
    ///
    /// # Errors
    /// When nobody reads it any more.
    pub(crate) fn value(self, value: &impl Serialize) -> anyhow::Result<()> {
        Ok(self.line(serde_json::to_string(value)?)?)
    }

    /// Writes a line that is good, bad or neither.
    ///
    /// # Errors
    /// When nobody reads it any more.
    pub(crate) fn marked(self, mark: Mark, text: impl Display) -> io::Result<()> {
        let (sign, word, colour) = match mark {
            Mark::Good => ('✓', "ok", 32),
            Mark::Bad => ('✗', "FAULT", 31),
            Mark::Open => ('-', "-", 33),
        };
        if self.colour {
            self.line(format_args!("\x1b[{colour}m{sign}\x1b[0m {text}"))
        } else {
            self.line(format_args!("{word:<5} {text}"))
        }
    }
}

/// Asks before something is done that can't be undone.
///
/// # Errors
/// When the answer isn't yes.
pub(crate) fn confirm(question: &str) -> anyhow::Result<()> {
    eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was done"),
    }
}

/// A number of things, as one says it.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}
