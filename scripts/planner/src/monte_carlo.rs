//! Many runs of a simulation, on all cores, and what they come to.

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::Serialize;

use crate::inputs::PlanError;
use crate::number::{mean, quantile, whole};
use crate::simulation::{Scenario, Talk, Trial, run};
use crate::traffic::Traffic;

/// Posts that all runs together may simulate: about a second on two cores.
const POSTS: f64 = 12e6;

/// Runs, at the least and at the most.
const TRIALS: std::ops::RangeInclusive<u64> = 2..=64;

/// How a time is spread, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// The mean.
    pub mean: f64,
    /// Half are below.
    pub p50: f64,
    /// Nineteen of twenty are below.
    pub p95: f64,
    /// All but one of a hundred are below.
    pub p99: f64,
}

impl Quantiles {
    fn of(sorted: &[f64]) -> Self {
        Self {
            mean: mean(sorted),
            p50: quantile(sorted, 0.5),
            p95: quantile(sorted, 0.95),
            p99: quantile(sorted, 0.99),
        }
    }
}

/// What many runs come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// How many runs.
    pub trials: u64,
    /// From publishing a message until its last member has it.
    pub everybody: Quantiles,
    /// From publishing a message until a member has it.
    pub member: Quantiles,
    /// What all rooms do in a second.
    pub per_second: Traffic,
    /// Posts for each member and message: below 1 where messages share a post.
    pub posts_per_member_and_message: f64,
    /// Rounds for each message.
    pub rounds_per_message: f64,
    /// Posts that were answered 429, as a part of all.
    pub throttled: f64,
    /// Seconds until the last of all rooms is done, of a message to each at once; the mean of the runs.
    pub over: f64,
    /// The most `deliver-page` functions at once.
    pub page_functions: u32,
    /// The most `deliver` functions at once.
    pub deliver_functions: u32,
    /// The shares of the messages' members that have it, by time; for a plot.
    #[serde(skip)]
    pub times: Vec<f64>,
    /// Seconds until the last member had a message; for a plot.
    #[serde(skip)]
    pub everybody_times: Vec<f64>,
}

/// How many runs of so many posts there is time for.
#[must_use]
pub fn trials(posts: f64) -> u64 {
    whole(POSTS / posts.max(1.0)).clamp(*TRIALS.start(), *TRIALS.end())
}

/// Runs a scenario so many times, each with a seed of its own. The same seed is the same outcome, on however many cores.
///
/// # Errors
/// As a single run.
pub fn simulate(scenario: Scenario<'_>, trials: u64) -> Result<Outcome, PlanError> {
    let seed = scenario.inputs.seed;
    let runs: Vec<Trial> = (0..trials)
        .into_par_iter()
        .map(|trial| run(scenario, seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(trial)))
        .collect::<Result<_, _>>()?;
    Ok(gather(&runs, scenario))
}

fn gather(runs: &[Trial], scenario: Scenario<'_>) -> Outcome {
    let sorted = |of: fn(&Trial) -> &Vec<f64>| {
        let mut all: Vec<f64> = runs.iter().flat_map(of).copied().collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let everybody = sorted(|run| &run.everybody);
    let times = sorted(|run| &run.delivered);
    let mut traffic = Traffic::default();
    runs.iter().for_each(|run| traffic += run.traffic);
    let per_message = |value: f64| if traffic.messages > 0.0 { value / traffic.messages } else { 0.0 };
    let posted = traffic.posts + traffic.throttled;
    Outcome {
        trials: runs.len() as u64,
        everybody: Quantiles::of(&everybody),
        member: Quantiles::of(&times),
        posts_per_member_and_message: per_message(traffic.posts) / scenario.inputs.members as f64,
        rounds_per_message: per_message(traffic.rounds),
        throttled: if posted > 0.0 { traffic.throttled / posted } else { 0.0 },
        over: mean(&runs.iter().map(|run| run.room_seconds.iter().copied().fold(0.0, f64::max)).collect::<Vec<_>>()),
        page_functions: runs.iter().map(|run| run.page_functions).max().unwrap_or_default(),
        deliver_functions: runs.iter().map(|run| run.deliver_functions).max().unwrap_or_default(),
        per_second: if scenario.talk == Talk::Alone { Traffic::default() } else { traffic.per_second() },
        times,
        everybody_times: everybody,
    }
}
