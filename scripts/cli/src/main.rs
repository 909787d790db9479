//! `hubbub`: the operator's command line.

mod body;
mod console;
mod dead_letters;
mod doctor;
mod history;
mod load;
mod moderation;
mod moment;
mod plan;
mod publish;
mod restored;
mod rooms;
mod stack;
mod tail;
mod token;
mod who;

use std::io;
use std::process::ExitCode;

use clap::builder::FalseyValueParser;
use clap::{Parser, Subcommand};

use crate::console::{Console, WrongCall};
use crate::stack::Stack;

/// The status of a command that failed.
const FAILED: u8 = 1;

/// The status of a command that can't be carried out as it was called; clap's own.
const WRONG_CALL: u8 = 2;

/// Looks after a Hubbub stack.
#[derive(Debug, Parser)]
#[command(
    name = "hubbub",
    version,
    after_help = "The stack is looked for in this order: --stack in Pulumi; the file that --outputs or HUBBUB_OUTPUTS names; the running \
                  local stack's target/local/outputs.json; the stack that is selected in Pulumi.\n\n\
                  Results go to standard output, everything else to standard error. The status is 0 when all is well, 1 when something \
                  failed, and 2 when the call was wrong and nothing was done.\n\n\
                  Example: hubbub publish lobby '{\"text\": \"hello\"}'"
)]
struct Arguments {
    #[command(flatten)]
    place: stack::Place,
    /// Write results as JSON, one object a line.
    #[arg(long, global = true)]
    json: bool,
    /// Write no colours. The variable NO_COLOR does the same.
    #[arg(long, global = true, env = "NO_COLOR", hide_env = true, value_parser = FalseyValueParser::new())]
    no_color: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sends a message to a room.
    Publish(publish::Publish),
    /// Sends a message to a user.
    Direct(publish::Direct),
    /// Sends a message to everyone.
    Broadcast(publish::Broadcast),
    /// Shows a channel's messages as they come.
    Tail(tail::Arguments),
    /// Shows a page of a channel's log.
    History(history::Arguments),
    /// Shows a room's members.
    Who(who::Arguments),
    #[command(flatten)]
    Order(moderation::Arguments),
    /// Lists channels, with their members and how far they are delivered.
    Rooms(rooms::Arguments),
    /// Shows messages that could not be delivered, and puts them back or drops them.
    DeadLetters(dead_letters::Arguments),
    /// Puts the logs of a restored table ahead of what clients have seen.
    Restored(restored::Arguments),
    /// Says how long a room's messages take, what they cost, and which settings they want. Needs no stack.
    Plan(plan::Arguments),
    /// Prints a token by which a user can connect.
    Token(token::Arguments),
    /// Checks the whole deployment, and says what is wrong and what to do.
    Doctor(doctor::Arguments),
    /// Measures how long messages take with so many clients at such a rate.
    Load(load::Arguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments { place, json, no_color, command } = Arguments::parse();
    match run(place, Console::new(json, no_color), command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        // Whoever read the result has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<WrongCall>() { WRONG_CALL } else { FAILED })
        }
    }
}

/// Whether what was asked for is well.
async fn run(place: stack::Place, console: Console, command: Command) -> anyhow::Result<bool> {
    if let Command::Plan(arguments) = &command {
        plan::run(console, arguments)?;
        return Ok(true);
    }
    let stack = Stack::find(place)?;
    match command {
        Command::Publish(arguments) => publish::publish(&stack, console, arguments).await?,
        Command::Direct(arguments) => publish::direct(&stack, console, arguments).await?,
        Command::Broadcast(arguments) => publish::broadcast(&stack, console, arguments).await?,
        Command::Tail(arguments) => tail::run(&stack, console, arguments).await?,
        Command::History(arguments) => history::run(&stack, console, arguments).await?,
        Command::Who(arguments) => who::run(&stack, console, arguments).await?,
        Command::Order(arguments) => moderation::run(&stack, console, arguments).await?,
        Command::Rooms(arguments) => rooms::run(&stack, console, arguments).await?,
        Command::DeadLetters(arguments) => dead_letters::run(&stack, console, arguments).await?,
        Command::Restored(arguments) => restored::run(&stack, console, arguments).await?,
        Command::Token(arguments) => token::run(&stack, console, &arguments).await?,
        // It was carried out before the stack was looked for.
        Command::Plan(_) => {}
        Command::Doctor(arguments) => return Box::pin(doctor::run(&stack, console, arguments)).await,
        Command::Load(arguments) => return Box::pin(load::run(&stack, console, arguments)).await,
    }
    Ok(true)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_has_an_example() {
        let command = Arguments::command();
        command.clone().debug_assert();
        for command in command.get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
        }
    }
}
