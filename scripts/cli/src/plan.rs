//! `hubbub plan`: how long, how much, which settings.

use std::io::Write;

pub(crate) use hubbub_planner::command::Arguments;

/// Prints the plan.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let text = hubbub_planner::command::run(arguments)?;
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}
