//! How a tool ends.

use std::process::ExitCode;

/// The status of a tool: 0 where all is well, 1 where it isn't or the tool failed, which is said on standard error.
#[must_use]
pub fn of(outcome: anyhow::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
