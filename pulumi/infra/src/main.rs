//! Prints the Pulumi program that deploys Hubbub: `Pulumi.yaml` names this binary as its compiler.
//!
//! It also makes the files below, and `--check FILE` says whether one of them is up to date.
//!
//! | file | made by |
//! |---|---|
//! | pulumi/Main.json, the program without configuration | no option |
//! | pulumi/stack.json, what tools in other languages need to know | `--stack` |
//! | docs/settings.md, the page of all settings | `--settings` |

use std::path::Path;
use std::process::ExitCode;

use hubbub_infra::functions;
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
        ["--stack"] => hubbub_infra::stack::json().map(|text| print!("{text}")).map_err(Into::into),
        ["--check", file] => check(Path::new(file)),
        _ => Err("usage: hubbub-infra [--check FILE | --settings | --stack]".into()),
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
    let is_there = |folder: &str| Path::new(&functions::zip(folder)).is_file();
    let wanted = settings.zip_folder();
    if is_there(wanted) {
        return Ok(());
    }
    let zip = functions::zip(wanted);
    let there = Architecture::ALL.into_iter().map(Architecture::name).find(|folder| is_there(folder));
    let or = there.map(|name| format!(", or `pulumi config set hubbub:architecture {name}`, for which they are there"));
    Err(format!(
        "the functions are to run on {wanted}, but aren't packaged for it: `{zip}` isn't there. Run `scripts/package --architecture {wanted}`{}",
        or.unwrap_or_default()
    ))
}

fn check(file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let name = file.display();
    let (made, option) = match file.file_name().and_then(|name| name.to_str()) {
        // As it is printed, with a newline at the end.
        Some("Main.json") => (format!("{}\n", hubbub_infra::render(None)?), ""),
        Some("stack.json") => (hubbub_infra::stack::json()?, " -- --stack"),
        Some("settings.md") => (hubbub_infra::settings::keys::page(), " -- --settings"),
        _ => return Err(format!("`{name}` is not made by this program").into()),
    };
    let held = std::fs::read_to_string(file).map_err(|error| format!("`{name}` can't be read: {error}"))?;
    if held == made {
        return Ok(());
    }
    Err(format!("`{name}` is out of date; write it by `cargo run -q -p hubbub-infra{option} > {name}`").into())
}
