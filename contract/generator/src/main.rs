//! Writes the contract, or checks that it is written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use hubbub_contract::SCHEMAS;

/// What writes the contract, for errors to name.
const WRITE: &str = "cargo run --locked -p hubbub-contract";

/// Writes Hubbub's contract: asyncapi.json and the JSON Schemas beside it.
///
/// They are made of the types and limits that the functions use, and of examples that are played by the functions' rules. After a change of
/// a frame, run this without options at the repository's root, look at what has changed, and commit it.
#[derive(Debug, Parser)]
#[command(name = "hubbub-contract")]
struct Arguments {
    /// Write nothing: exit with 1 if a file is missing, is left over or has something else in it, and name it
    #[arg(long)]
    check: bool,
    /// The contract's folder
    #[arg(default_value = "contract")]
    folder: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(Arguments { check, folder }: &Arguments) -> Result<()> {
    if !folder.is_dir() {
        let here = env::current_dir().unwrap_or_default();
        bail!("`{}` is no folder in `{}`: run it at the repository's root", folder.display(), here.display());
    }
    let files = hubbub_contract::files()?;
    let left_over = left_over(folder, |name| files.contains_key(name))?;
    let mut differing: Vec<String> = Vec::new();
    for (name, text) in &files {
        let path = folder.join(name);
        let held = fs::read_to_string(&path).ok();
        if held.as_ref() == Some(text) {
            continue;
        }
        if *check {
            differing.push(format!("`{}` {}", path.display(), if held.is_some() { "differs" } else { "is missing" }));
        } else {
            write(&path, text)?;
        }
    }
    for path in left_over {
        if *check {
            differing.push(format!("`{}` is left over", path.display()));
        } else {
            fs::remove_file(&path).with_context(|| format!("`{}` can't be removed", path.display()))?;
        }
    }
    ensure!(
        differing.is_empty(),
        "the contract is not what the types say: {}; `{WRITE}` writes it",
        differing.join(", ")
    );
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("a file is in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("`{}` can't be made", folder.display()))?;
    fs::write(path, text).with_context(|| format!("`{}` can't be written", path.display()))
}

/// Schemas that are there and not wanted.
fn left_over(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let schemas = folder.join(SCHEMAS);
    if !schemas.exists() {
        return Ok(Vec::new());
    }
    let mut left_over = Vec::new();
    for entry in fs::read_dir(&schemas).with_context(|| format!("`{}` can't be read", schemas.display()))? {
        let entry = entry?;
        if !is_wanted(&format!("{SCHEMAS}/{}", entry.file_name().to_string_lossy())) {
            left_over.push(entry.path());
        }
    }
    Ok(left_over)
}
