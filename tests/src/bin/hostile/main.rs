//! A hostile day in short: bad handshakes, forged tokens, others' rooms, floods, giant and broken frames, slow readers and garbage on the
//! queue, while honest people talk; then it is looked at what it has done.
//!
//! It runs on a local stack that is already up and that nobody else uses, which `scripts/hostile` sees to.

mod aftermath;
mod attacks;
mod book;
mod conductor;
mod field;
mod forge;
mod honest;
mod kind;
mod knock;
mod report;
mod socket;

use std::process::ExitCode;

use clap::Parser;
use hubbub_tests::stack::Stack;
use hubbub_tests::status;

/// Attacks a local stack in every way that is known, and checks in the end that nothing was let in, no function failed, and nothing that was
/// accepted is lost.
///
/// The exit code is 0 only then. What is tried follows from the seed; when it happens does not.
#[derive(Clone, Debug, Parser)]
#[command(name = "hostile")]
pub(crate) struct Arguments {
    /// How long the attacks last, in seconds; each kind has one round at least.
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// What the random choices begin with; one is made up where none is given.
    #[arg(long, value_name = "X")]
    seed: Option<u64>,
    /// The issuer of tokens that the stack names.
    #[arg(long)]
    issuer: String,
    /// The audience of tokens that the stack names.
    #[arg(long)]
    audience: String,
    /// How many rooms the stack lets a connection be a member of.
    #[arg(long, value_name = "N")]
    max_rooms: usize,
    /// How many messages a second the stack lets a user publish.
    #[arg(long, value_name = "N")]
    user_rate: u64,
    /// How many messages the stack lets a user publish at once, after a rest.
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

/// Whether the stack withstood.
async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let stack = Stack::from_environment()?;
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("seed {seed}");
    let report = Box::pin(conductor::attack(&stack, arguments, seed)).await?;
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
