//! Prints the Pulumi program that deploys Hubbub: `Pulumi.yaml` names this binary as its compiler.

use std::process::ExitCode;

#[expect(
    clippy::disallowed_methods,
    reason = "this is where the program is configured, once, at start; Pulumi hands the configuration over so"
)]
fn main() -> ExitCode {
    let config = std::env::var_os("PULUMI_CONFIG").map(|config| config.to_string_lossy().into_owned());
    match hubbub_infra::render(config.as_deref()) {
        Ok(program) => {
            println!("{program}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
