//! Prints the Pulumi program that deploys Hubbub: `Pulumi.yaml` names this binary as its compiler.

use std::path::Path;
use std::process::ExitCode;

use hubbub_infra::functions;
use hubbub_infra::generated;
use hubbub_infra::settings::{Architecture, Settings};

const USAGE: &str = "\
Prints the Pulumi program that deploys Hubbub, for the configuration in PULUMI_CONFIG.

usage: hubbub-infra [--write | --check | --help]

Without an option, it prints the program. At the repository's root:
  --write  write the files that are made from the program and its tables:
           pulumi/Main.json, pulumi/stack.json and docs/settings.md
  --check  exit with 1 if one of them differs, and name it";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        [] => print(),
        ["--write"] => write(),
        ["--check"] => check(),
        ["--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is where the program is configured, once, at start; Pulumi hands the configuration over so"
)]
fn print() -> Result<(), Box<dyn std::error::Error>> {
    let config = std::env::var_os("PULUMI_CONFIG").map(|config| config.to_string_lossy().into_owned());
    let program = hubbub_infra::render(config.as_deref())?;
    // Without a stack, nothing is deployed: Pulumi asks for the program's packages, or a person reads the program.
    if config.is_some() && std::env::var_os("PULUMI_STACK").is_some() {
        check_zips(&Settings::read(config.as_deref())?)?;
    }
    println!("{program}");
    Ok(())
}

/// Checks that the functions' zips are there: Pulumi would name a missing file, but not the command that makes it. The local stack makes its
/// own.
fn check_zips(settings: &Settings) -> Result<(), String> {
    if settings.aws_endpoint.is_some() {
        return Ok(());
    }
    let is_there = |folder: &str| Path::new(&functions::zip(folder)).is_file();
    let wanted = settings.zip_folder();
    if is_there(wanted) {
        return Ok(());
    }
    let zip = functions::zip(wanted);
    let there = Architecture::ALL.into_iter().map(Architecture::name).find(|folder| is_there(folder));
    let or = there.map(|name| format!(", or `pulumi config set hubbub:architecture {name}`: those are packaged"));
    Err(format!(
        "`{zip}` is missing: the functions aren't packaged for {wanted}. Run `scripts/package --architecture {wanted}`{}",
        or.unwrap_or_default()
    ))
}

fn write() -> Result<(), Box<dyn std::error::Error>> {
    for (path, text) in generated::files()? {
        std::fs::write(path, text)
            .map_err(|error| format!("`{path}` can't be written: {error}; run it at the repository's root"))?;
    }
    Ok(())
}

fn check() -> Result<(), Box<dyn std::error::Error>> {
    let mut differing = Vec::new();
    for (path, text) in generated::files()? {
        let held = std::fs::read_to_string(path)
            .map_err(|error| format!("`{path}` can't be read: {error}; run it at the repository's root"))?;
        if held != text {
            differing.push(format!("`{path}`"));
        }
    }
    if differing.is_empty() {
        return Ok(());
    }
    let files = differing.join(", ");
    Err(format!("not as generated: {files}. `cargo run -q -p hubbub-infra -- --write` writes them").into())
}
