//! Writes what `check.mjs` checks: each variant of the program as JSON and in TypeScript, and in TypeScript each fault that it has to find.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Error, Result, anyhow};
use hubbub_infra_checks::faults::Also;
use hubbub_infra_checks::program::Program;
use hubbub_infra_checks::{faults, typescript, variants};
use serde_json::{Value, json};

fn main() -> Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from).context("usage: hubbub-infra-checks FOLDER")?;
    // What an earlier run left would be compiled too.
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(folder.join("faults"))?;
    let mut names = Vec::new();
    for variant in variants::all() {
        let program = variant.program()?;
        fs::write(folder.join(format!("{}.json", variant.name)), program.to_string())?;
        write_typescript(&folder.join(format!("{}.ts", variant.name)), &read(&program)?)?;
        names.push(variant.name);
    }
    let sound = variants::all().into_iter().next().context("there are no variants")?.program()?;
    let (mut types, mut mocks) = (Vec::new(), Vec::new());
    for fault in faults::all() {
        match fault.also {
            Some(Also::Types) => types.push(fault.name),
            Some(Also::Mocks) => mocks.push(fault.name),
            None => continue,
        }
        let program = fault.seed(&sound).map_err(|error| anyhow!("{}: {error}", fault.name))?;
        let program = read(&program)?;
        // The rest of the program is as sound as it was, and takes the compiler's time.
        let program = fault.resource().map_or_else(|| program.clone(), |name| program.around(name));
        write_typescript(&folder.join("faults").join(format!("{}.ts", fault.name)), &program)?;
    }
    let contents = json!({"variants": names, "faultsOfTypes": types, "faultsOfMocks": mocks});
    fs::write(folder.join("contents.json"), contents.to_string())?;
    Ok(())
}

fn read(program: &Value) -> Result<Program> {
    Program::read(program).map_err(Error::msg)
}

fn write_typescript(file: &Path, program: &Program) -> Result<()> {
    let text = typescript::print(program).map_err(|error| anyhow!("{}: {error}", file.display()))?;
    fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}
