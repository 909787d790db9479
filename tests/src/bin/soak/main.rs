//! A soak: random clients join, leave, send, vanish and come back for a while, and functions are killed; then every message is accounted for.
//!
//! It runs on a local stack that is already up; `scripts/soak` starts one.

mod client;
mod killer;
mod load;
mod record;
mod report;
mod run;
mod sending_service;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use hubbub_tests::stack::Stack;
use hubbub_tests::status;

/// Puts random load on a local stack, and checks that no message was lost, none came twice, and all came in order.
///
/// The exit code is 0 only then. The seed decides what each client does, but not when it happens, nor in which order the stack takes it.
#[derive(Clone, Debug, Parser)]
#[command(name = "soak")]
pub(crate) struct Arguments {
    /// How long the load lasts, in seconds.
    #[arg(long, value_name = "S", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Number of clients, each with one socket at a time.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    clients: u32,
    /// Messages a second, about.
    #[arg(long, value_name = "R", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Kill a function's process about every two seconds.
    #[arg(long)]
    kill: bool,
    /// Seed of the random choices; a random one where none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) const fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    status::of(run(&arguments).await)
}

/// Whether every message is accounted for.
async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let stack = Stack::from_environment()?;
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("seed {seed}");
    let report = Box::pin(run::soak(&stack, arguments, seed)).await?;
    println!("{}", report.table());
    for sentence in report.surprises() {
        println!("- {sentence}");
    }
    println!("{}", report.verdict());
    if arguments.json {
        println!("{}", report.json()?);
    }
    Ok(report.is_success())
}
