//! Attacks on a stack while well-behaved clients use it: bad handshakes, forged tokens, other users' rooms, floods, giant and broken frames,
//! slow readers and garbage on the queue; then a verification of what they have done.
//!
//! It runs on a local stack that is already up and that nothing else uses; `scripts/hostile` starts one.

mod attacker;
mod attacks;
mod forge;
mod http;
mod kind;
mod record;
mod report;
mod run;
mod socket;
mod verification;
mod well_behaved;

use std::process::ExitCode;

use clap::Parser;
use hubbub_tests::stack::Stack;
use hubbub_tests::status;

/// Attacks a local stack in every way that we know of, and checks that no attack succeeded, no function failed, and no accepted message is
/// lost.
///
/// The exit code is 0 only then. The seed decides what is tried, but not when.
#[derive(Clone, Debug, Parser)]
#[command(name = "hostile")]
pub(crate) struct Arguments {
    /// How long the attacks last, in seconds; each kind has one round at least.
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Seed of the random choices; a random one where none is given.
    #[arg(long, value_name = "X")]
    seed: Option<u64>,
    /// The token issuer that the stack requires.
    #[arg(long)]
    issuer: String,
    /// The token audience that the stack requires.
    #[arg(long)]
    audience: String,
    /// The stack's limit of rooms for a connection.
    #[arg(long, value_name = "N")]
    max_rooms: usize,
    /// The stack's limit of a user's messages in a second.
    #[arg(long, value_name = "N")]
    user_rate: u64,
    /// The stack's limit of a user's messages at once, after a rest.
    #[arg(long, value_name = "N")]
    user_burst: u64,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    status::of(run(&arguments).await)
}

async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let stack = Stack::from_environment()?;
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("seed {seed}");
    let report = Box::pin(run::attack(&stack, arguments, seed)).await?;
    eprintln!("{}", report.table());
    for sentence in report.sentences() {
        eprintln!("- {sentence}");
    }
    if arguments.json {
        eprintln!("{}", report.verdict());
        println!("{}", report.json()?);
    } else {
        println!("{}", report.verdict());
    }
    Ok(report.is_success())
}
