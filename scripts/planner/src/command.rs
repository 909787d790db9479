//! The command `hubbub plan`.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::inputs::{Inputs, PlanError};
use crate::latency::Latencies;
use crate::plan::{Plan, plan};
use crate::plot;
use crate::report::Report;

/// The arguments of `hubbub plan`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  A lecture of 100,000 with two messages a second, for a month:
    hubbub plan --members 100000 --rate 2 --size 1024 --rps 10000
  200 teams of 50 that are online eight hours a day and write a message every 20 s:
    hubbub plan --members 50 --rooms 200 --rate 0.05 --online 0.33
  The effect of a higher quota, as plots:
    hubbub plan --members 1000000 --rate 0.1 --rps 50000 --plot target/plan

The answer comes from formulas over the functions' own budget and rules, with latencies that are assumed where
Hubbub was never measured on AWS; the report says which. It needs no stack and no network.")]
pub struct Arguments {
    /// Members of a room
    #[arg(long, value_name = "N", default_value_t = Inputs::default().members)]
    members: u64,
    /// Messages a second to each room; 0 plans a single message
    #[arg(long, value_name = "PER_SECOND", default_value_t = Inputs::default().rate)]
    rate: f64,
    /// Bytes of a message's body
    #[arg(long, value_name = "BYTES", default_value_t = Inputs::default().size)]
    size: u64,
    /// The account's quota: requests a second that API Gateway allows in the Region, in and out together
    #[arg(long, value_name = "PER_SECOND", default_value_t = Inputs::default().rps)]
    rps: u64,
    /// The stack's `callbackRps`; without it, the rest of the quota beside inbound requests, four fifths at most
    #[arg(long, value_name = "PER_SECOND")]
    callback_rps: Option<u64>,
    /// Number of such rooms
    #[arg(long, value_name = "N", default_value_t = Inputs::default().rooms)]
    rooms: u64,
    /// Direct messages a second, of the whole stack
    #[arg(long, value_name = "PER_SECOND", default_value_t = Inputs::default().direct)]
    direct: f64,
    /// The share of the time in which the members are online and publish
    #[arg(long, value_name = "SHARE", default_value_t = Inputs::default().online)]
    online: f64,
    /// Hours that a connection lasts
    #[arg(long, value_name = "HOURS", default_value_t = Inputs::default().session_hours)]
    session_hours: f64,
    /// Months that the price is for
    #[arg(long, value_name = "N", default_value_t = Inputs::default().months)]
    months: f64,
    /// Write plots as SVG into this folder
    #[arg(long, value_name = "FOLDER")]
    plot: Option<PathBuf>,
}

/// Why there is no plan.
#[derive(Debug, Error)]
pub enum CommandError {
    /// What was asked can't be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The plan can't be written as JSON.
    #[error("the plan is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A plot can't be written.
    #[error("`{}` can't be written: {error}", path.display())]
    Plot {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl Arguments {
    fn inputs(&self) -> Inputs {
        Inputs {
            members: self.members,
            rate: self.rate,
            size: self.size,
            rooms: self.rooms,
            direct: self.direct,
            rps: self.rps,
            online: self.online,
            session_hours: self.session_hours,
            months: self.months,
        }
    }

    /// The plan that was asked for.
    ///
    /// # Errors
    /// As [`plan`].
    pub fn plan(&self) -> Result<Plan, PlanError> {
        plan(self.inputs(), self.callback_rps, Latencies::aws())
    }
}

/// Plans, and gives the text to print, for people or as JSON. Plots are written first; their files are named at the end.
///
/// # Errors
/// When the plan can't be made, or a plot can't be written.
pub fn run(arguments: &Arguments, json: bool) -> Result<String, CommandError> {
    let plan = arguments.plan()?;
    let mut text = if json { serde_json::to_string_pretty(&plan)? + "\n" } else { Report(&plan).to_string() };
    if let Some(folder) = &arguments.plot {
        let failed = |path: PathBuf| move |error| CommandError::Plot { path, error };
        std::fs::create_dir_all(folder).map_err(failed(folder.clone()))?;
        for (name, svg) in plot::plots(&plan) {
            let path = folder.join(name);
            std::fs::write(&path, svg).map_err(failed(path.clone()))?;
            if !json {
                text += &format!("{}\n", path.display());
            }
        }
    }
    Ok(text)
}
