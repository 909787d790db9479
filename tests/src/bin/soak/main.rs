//! A soak: for a while, random people join, leave, talk, vanish and come back, while functions are killed; then the books are balanced.
//!
//! It runs on a local stack that is already up, which `scripts/soak` sees to.

mod conductor;
mod killer;
mod ledger;
mod person;
mod report;
mod sender;
mod town;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use hubbub_tests::stack::Stack;
use hubbub_tests::status;

/// Puts random load on a local stack, and checks in the end that no message was lost, none came twice, and all came in order.
///
/// The exit code is 0 only then. What each person does follows from the seed; when it happens, and in which order the stack takes it,
/// does not.
#[derive(Clone, Debug, Parser)]
#[command(name = "soak")]
pub(crate) struct Arguments {
    /// How long the load lasts, in seconds.
    #[arg(long, value_name = "S", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// People, each with one socket at a time.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    clients: u32,
    /// Messages that are published in a second, about.
    #[arg(long, value_name = "R", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Kill a process of a function every two seconds, about.
    #[arg(long)]
    kill: bool,
    /// What the random choices begin with; one is made up where none is given.
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

/// Whether the books balance.
async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let stack = Stack::from_environment()?;
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("seed {seed}");
    let report = Box::pin(conductor::soak(&stack, arguments, seed)).await?;
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
