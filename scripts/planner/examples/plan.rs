//! The command without the rest of the operator's command line, which takes long to build.

use clap::Parser;

/// Plans a stack.
#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    arguments: hubbub_planner::command::Arguments,
}

fn main() -> Result<(), hubbub_planner::command::CommandError> {
    print!("{}", hubbub_planner::command::run(&Command::parse().arguments, false)?);
    Ok(())
}
