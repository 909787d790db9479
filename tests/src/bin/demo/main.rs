//! The demo: many clients in one room, direct messages, a broadcast to everyone, and a client that is cut off, on a real stack.
//!
//! It runs on a local stack that is already up; `scripts/demo` starts one.

mod clients;
mod executions;
mod names;
mod record;
mod report;
mod scenario;

use std::process::ExitCode;

use clap::Parser;
use hubbub_tests::stack::Stack;
use hubbub_tests::status;

/// Connects clients to a local stack, sends messages in every way, and checks that each one arrives.
///
/// The exit code is 0 if nothing is missing, nothing is out of order, and the client that was cut off was pruned.
#[derive(Clone, Debug, Parser)]
#[command(name = "demo")]
pub(crate) struct Arguments {
    /// Number of sockets; every tenth user has two.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(3..=10_000))]
    clients: u32,
    /// Number of messages to the room.
    #[arg(long, value_name = "M", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    messages: u32,
    /// The stack's `inlineLimit`, so that the demo knows what to expect.
    #[arg(long, value_name = "K", default_value_t = 100)]
    inline_limit: u32,
    /// A service sends the room's messages to the queue as fast as it can, instead of a client that waits for each acceptance.
    #[arg(long)]
    burst: bool,
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
    let report = Box::pin(scenario::run(&stack, arguments)).await?;
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
