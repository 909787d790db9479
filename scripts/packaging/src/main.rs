//! `scripts/package`: builds the functions' binary and packs it into a zip, where the Pulumi program looks for it.

mod build;
mod elf;
mod zipped;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Parser;
use hubbub_infra::functions::{ZIP, ZIPS};
use hubbub_infra::settings::Architecture;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::build::{Compiler, Places, target};

const MIB: usize = 1 << 20;

/// The most that Lambda takes as a zip, and unpacked: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const MAX_ZIP_BYTES: usize = 50 * MIB;
const MAX_BINARY_BYTES: usize = 250 * MIB;

/// Builds the functions by cargo-lambda and packs their one binary into a zip, where `pulumi up` looks for it.
///
/// The zip goes to `target/lambda/ARCHITECTURE`, and the Pulumi program takes that of its setting `architecture`.
/// The same sources and the same rustc give the same bytes in any folder, so that `pulumi up` updates nothing if
/// nothing has changed; your own RUSTFLAGS are left out for that. The first build takes ten minutes or more.
/// cargo-lambda and zig are installed below `target`, at the versions in `scripts/packaging/requirements.txt`.
#[derive(Debug, Parser)]
#[command(
    name = "scripts/package",
    override_usage = "scripts/package [--architecture arm64|x86_64] [--json] [--quiet]",
    verbatim_doc_comment,
    after_help = "Results go to standard output, everything else to standard error. The status is 0 when the zip is made, 1 when\n\
                  something failed and the zip is as it was, and 2 when the call was wrong.\n\n\
                  Example: scripts/package && pulumi -C pulumi up"
)]
struct Arguments {
    #[command(flatten)]
    places: Places,
    /// What the functions run on [default: arm64, or x86_64 where Rust has no standard library for arm64].
    #[arg(long, value_name = "arm64|x86_64", value_parser = parse_architecture)]
    architecture: Option<Architecture>,
    /// Write a JSON object.
    #[arg(long)]
    json: bool,
    /// Print results and errors only.
    #[arg(long)]
    quiet: bool,
}

/// A zip that was made.
#[derive(Debug, Serialize)]
struct Packaged {
    architecture: &'static str,
    zip: PathBuf,
    binary_bytes: usize,
    zip_bytes: usize,
    sha256: String,
    rustc: String,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { mut places, architecture, json, quiet } = arguments;
    places.target_folder = std::path::absolute(&places.target_folder)?;
    let say = |text: &str| {
        if !quiet {
            eprintln!("{text}");
        }
    };
    let compiler = Compiler::find(&places.root)?;
    let chosen = choose(architecture, |architecture| compiler.has(architecture))?;
    let name = chosen.name();
    let default = Architecture::default();
    if architecture.is_none() && chosen != default {
        say(&format!("taking {name}: {}", missing(default)));
    }
    build::install_tools(&places)?;
    say(&format!("building the functions for {name} by {} ...", compiler.version));
    build::build(&places, &compiler, chosen, quiet)?;
    say("packing them ...");
    let packaged = pack(&places, &compiler, chosen)?;
    println!("{}", report(&packaged, json)?);
    say(&format!("the functions are in {ZIPS}/{name}, where `pulumi up` looks for them"));
    if chosen != default {
        say(&format!("for {name} the stack needs, once: `pulumi config set hubbub:architecture {name}`"));
    }
    Ok(())
}

fn parse_architecture(text: &str) -> Result<Architecture, String> {
    let found = Architecture::ALL.into_iter().find(|architecture| architecture.name() == text);
    found.ok_or_else(|| "Lambda has `arm64` and `x86_64`".to_owned())
}

/// The architecture that was asked for, or else the first that this host can build for.
fn choose(wanted: Option<Architecture>, has: impl Fn(Architecture) -> bool) -> anyhow::Result<Architecture> {
    match wanted {
        Some(wanted) if has(wanted) => Ok(wanted),
        Some(wanted) => bail!(missing(wanted)),
        None => Architecture::ALL.into_iter().find(|&architecture| has(architecture)).with_context(|| {
            let targets = Architecture::ALL.map(target).join(" or ");
            format!(
                "Rust's standard library is installed for neither architecture; run `rustup target add` with {targets}"
            )
        }),
    }
}

/// What is missing for an architecture, and what installs it.
fn missing(architecture: Architecture) -> String {
    let (name, target) = (architecture.name(), target(architecture));
    format!("Rust's standard library for {name} isn't installed; `rustup target add {target}` installs it")
}

/// Packs the binary, and replaces the zip if it is good.
fn pack(places: &Places, compiler: &Compiler, architecture: Architecture) -> anyhow::Result<Packaged> {
    let folder = Path::new(ZIPS).join(architecture.name());
    let path = places.binary(architecture);
    let binary = fs::read(&path).with_context(|| format!("`{}` can't be read", path.display()))?;
    let zip = pack_binary(&binary, architecture).with_context(|| format!("`{}`", path.display()))?;
    let packaged = Packaged {
        architecture: architecture.name(),
        zip: folder.join(ZIP),
        binary_bytes: binary.len(),
        zip_bytes: zip.len(),
        sha256: Sha256::digest(&zip).iter().map(|byte| format!("{byte:02x}")).collect(),
        rustc: compiler.version.clone(),
    };
    fs::create_dir_all(places.root.join(&folder))?;
    write_whole(&places.root.join(&packaged.zip), &zip)?;
    Ok(packaged)
}

/// The zip, if Lambda takes it.
fn pack_binary(binary: &[u8], architecture: Architecture) -> anyhow::Result<Vec<u8>> {
    if elf::architecture(binary) != Some(architecture) {
        bail!("this is not a Linux binary for {}", architecture.name());
    }
    if binary.len() > MAX_BINARY_BYTES {
        bail!("the binary has {} MiB, and Lambda takes {} at most", binary.len() / MIB, MAX_BINARY_BYTES / MIB);
    }
    let zip = zipped::zip(binary)?;
    if zip.len() > MAX_ZIP_BYTES {
        bail!("the zip has {} MiB, and Lambda takes {} at most", zip.len() / MIB, MAX_ZIP_BYTES / MIB);
    }
    Ok(zip)
}

/// Writes a file so that nobody reads half of it.
fn write_whole(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let written = fs::write(&unfinished, content).and_then(|()| fs::rename(&unfinished, path));
    written.with_context(|| format!("`{}` can't be written", path.display()))
}

fn report(packaged: &Packaged, json: bool) -> anyhow::Result<String> {
    if json {
        return Ok(serde_json::to_string(packaged)?);
    }
    let Packaged { zip, binary_bytes, zip_bytes, sha256, .. } = packaged;
    let [binary, zipped] = [*binary_bytes, *zip_bytes].map(mib);
    Ok(format!("{}: binary {binary} MiB, zip {zipped} MiB, SHA-256 {sha256}", zip.display()))
}

/// A size in MiB with two decimals.
fn mib(bytes: usize) -> String {
    let hundredths = (bytes * 100 + MIB / 2) / MIB;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arm64_comes_first_if_it_can_be_built() {
        let every = |_| true;
        let only_x86_64 = |architecture| architecture == Architecture::X86_64;
        assert_eq!(choose(None, every).unwrap(), Architecture::Arm64);
        assert_eq!(choose(None, only_x86_64).unwrap(), Architecture::X86_64);
        assert_eq!(choose(Some(Architecture::X86_64), every).unwrap(), Architecture::X86_64);
    }

    #[test]
    fn missing_target_is_refused_with_what_installs_it() {
        let refusal = |wanted, has: fn(Architecture) -> bool| choose(wanted, has).unwrap_err().to_string();
        let asked_for = refusal(Some(Architecture::Arm64), |architecture| architecture == Architecture::X86_64);
        assert!(asked_for.contains("`rustup target add aarch64-unknown-linux-gnu`"), "{asked_for}");
        let neither = refusal(None, |_| false);
        assert!(neither.contains("aarch64-unknown-linux-gnu or x86_64-unknown-linux-gnu"), "{neither}");
    }

    #[test]
    fn binary_for_another_architecture_is_not_packed() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        let own_architecture = elf::architecture(&own).unwrap();
        let other = Architecture::ALL.into_iter().find(|&architecture| architecture != own_architecture).unwrap();
        let refused = pack_binary(&own, other).unwrap_err().to_string();
        assert_eq!(refused, format!("this is not a Linux binary for {}", other.name()));
    }

    #[test]
    fn sizes_are_rounded() {
        assert_eq!([0, MIB / 100, MIB * 3 / 2, 7_340_000].map(mib), ["0.00", "0.01", "1.50", "7.00"]);
    }

    #[test]
    fn call_is_as_its_help_says() {
        Arguments::command().debug_assert();
        let call = |architecture| {
            let places = ["--root", "/r", "--target-folder", "/t", "--cargo-home", "/c"];
            Arguments::try_parse_from(["package"].into_iter().chain(places).chain(["--architecture", architecture]))
        };
        assert_eq!(call("arm64").unwrap().architecture, Some(Architecture::Arm64));
        assert!(call("arm").unwrap_err().to_string().contains("Lambda has `arm64` and `x86_64`"));
    }
}
