//! `hubbub plan`: how long, how much, which settings.

use std::io::Write;

use crate::console::Console;

pub(crate) use hubbub_planner::command::Arguments;

/// Prints the plan.
pub(crate) fn run(console: Console, arguments: &Arguments) -> anyhow::Result<()> {
    let text = hubbub_planner::command::run(arguments, console.json)?;
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}
