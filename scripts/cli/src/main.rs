//! `hubbub`: the operator's command line.

mod dead_letters;
mod plan;
mod stack;
mod token;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Looks after a Hubbub stack.
#[derive(Debug, Parser)]
#[command(name = "hubbub", version)]
struct Arguments {
    /// The running stack's outputs, as `scripts/up` writes them.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "HUBBUB_OUTPUTS",
        default_value = "target/local/outputs.json"
    )]
    outputs: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints a token by which a user can connect.
    Token(token::Arguments),
    /// Shows messages that could not be delivered, and puts them back or drops them.
    DeadLetters(dead_letters::Arguments),
    /// Says how long a room's messages take, what they cost, and which settings they want. Needs no stack.
    Plan(plan::Arguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let stack = || stack::Stack::read(&arguments.outputs);
    match arguments.command {
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Token(arguments) => token::run(&stack()?, &arguments).await,
        Command::DeadLetters(arguments) => dead_letters::run(&stack()?, arguments).await,
    }
}
