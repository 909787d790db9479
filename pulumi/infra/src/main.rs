//! Prints the Pulumi program that deploys Hubbub: `Pulumi.yaml` names this binary as its compiler.
//!
//! With `--check FILE`, it prints nothing and says whether the file has the program that is printed without configuration. With `--settings`,
//! it prints the page that has every key.

use std::path::Path;
use std::process::ExitCode;

use hubbub_infra::functions::Function;
use hubbub_infra::settings::{Architecture, Settings};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        [] => print(),
        ["--settings"] => {
            print!("{}", hubbub_infra::settings::keys::page());
            Ok(())
        }
        ["--check", file] => check(Path::new(file)),
        _ => Err("usage: hubbub-infra [--check FILE | --settings]".into()),
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
    // Without a stack, Pulumi asks which packages the program needs, or somebody else looks at it: nothing is deployed.
    if config.is_some() && std::env::var_os("PULUMI_STACK").is_some() {
        check_zips(&Settings::read(config.as_deref())?)?;
    }
    println!("{program}");
    Ok(())
}

/// Whether the functions are there that the program deploys: Pulumi would say which file is missing, and not what to do. The local stack sees
/// to its own.
fn check_zips(settings: &Settings) -> Result<(), String> {
    if settings.aws_endpoint.is_some() {
        return Ok(());
    }
    let missing = |folder: &str| {
        Function::ALL.into_iter().map(|function| function.zip(folder)).find(|zip| !Path::new(zip).is_file())
    };
    let wanted = settings.zip_folder();
    let Some(zip) = missing(wanted) else { return Ok(()) };
    let there = Architecture::ALL.into_iter().map(Architecture::name).find(|folder| missing(folder).is_none());
    let or = there.map(|name| format!(", or `pulumi config set hubbub:architecture {name}`, for which they are there"));
    Err(format!(
        "the functions are to run on {wanted}, but aren't packaged for it: `{zip}` isn't there. Run `scripts/package --architecture {wanted}`{}",
        or.unwrap_or_default()
    ))
}

fn check(file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let name = file.display();
    let held = std::fs::read_to_string(file).map_err(|error| format!("`{name}` can't be read: {error}"))?;
    // As it is printed, with a line's end.
    if held == format!("{}\n", hubbub_infra::render(None)?) {
        Ok(())
    } else {
        Err(format!("`{name}` is not the program: write it anew with `cargo run -q -p hubbub-infra > {name}`").into())
    }
}
