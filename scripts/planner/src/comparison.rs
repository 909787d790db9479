//! The plan beside the measurements: the benchmark's broadcasts, planned with its parameters.

use crate::estimate::Estimate;
use crate::inputs::{Inputs, PlanError, Tuning};
use crate::latency::Latencies;
use crate::monte_carlo::simulate;
use crate::report::grouped;
use crate::simulation::{Scenario, Spread, Talk};

/// The heading of the table's section in docs/performance.md.
const SECTION: &str = "## A broadcast under a quota";

/// Runs of each row.
const TRIALS: u64 = 4;

/// A row of the table "A broadcast under a quota".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Members of each room.
    pub members: u64,
    /// Rooms that were broadcast to at once.
    pub rooms: u64,
    /// The stack's posts a second.
    pub callback_rps: u64,
    /// Seconds until the last room was done.
    pub seconds: f64,
}

/// Reads the table from the page's text. Rows that it can't read are left out.
#[must_use]
pub fn measured(page: &str) -> Vec<Measured> {
    let section = page.split_once(SECTION).map_or("", |(_, rest)| rest);
    let section = section.split("\n## ").next().unwrap_or_default();
    section.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Measured> {
    let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
    let (room, callback_rps, seconds) = (cells.next()?, cells.next()?, cells.next()?);
    let (rooms, members) = match room.strip_prefix("two rooms of ") {
        Some(members) => (2, members),
        None => (1, room),
    };
    let number = |text: &str| text.replace(',', "").parse::<u64>().ok();
    let seconds = seconds.split(" and ").next()?.parse().ok()?;
    Some(Measured { members: number(members)?, rooms, callback_rps: number(callback_rps)?, seconds })
}

/// How long the same takes by the plan, in seconds.
///
/// # Errors
/// As a simulation.
pub fn planned(row: &Measured) -> Result<f64, PlanError> {
    let latencies = Latencies::bench();
    let Measured { members, rooms, callback_rps, .. } = *row;
    // The account's quota is a quarter more, and what comes in uses up what is left.
    let inputs = Inputs { members, rooms, rate: 0.0, rps: callback_rps * 5 / 4, ..Inputs::default() };
    let tuning = Tuning { callback_rps, inline_limit: 0, ..Tuning::default() };
    let estimate = Estimate::of(&inputs, &tuning, &latencies)?;
    let scenario = Scenario {
        inputs: &inputs,
        tuning: &tuning,
        latencies: &latencies,
        talk: Talk::Alone,
        spread: Spread::Benchmark,
        inbound_rps: (inputs.rps - callback_rps) as f64,
        estimate: &estimate,
    };
    Ok(simulate(scenario, TRIALS)?.over)
}

/// A row of the table "Coalescing": a room of 10,000 that is talked in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Talked {
    /// Messages a second.
    pub rate: f64,
    /// Posts for each member in a second.
    pub posts: f64,
}

/// Reads the table "Coalescing" from the page's text.
#[must_use]
pub fn talked(page: &str) -> Vec<Talked> {
    let section = page.split_once("## Coalescing").map_or("", |(_, rest)| rest);
    let section = section.split("\n## ").next().unwrap_or_default();
    let row = |line: &str| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        Some(Talked { rate: cells.next()?.parse().ok()?, posts: cells.next()?.parse().ok()? })
    };
    section.lines().filter_map(row).collect()
}

/// Posts for each member in a second by the plan. The benchmark publishes evenly for ten seconds, and waits until all is delivered.
///
/// # Errors
/// As a simulation.
pub fn planned_posts(row: &Talked) -> Result<f64, PlanError> {
    let latencies = Latencies::bench();
    let inputs = Inputs { members: 10_000, rate: row.rate, size: 100, rps: 12_500, ..Inputs::default() };
    let tuning = Tuning { callback_rps: 10_000, inline_limit: 0, ..Tuning::default() };
    let estimate = Estimate::of(&inputs, &tuning, &latencies)?;
    let scenario = Scenario {
        inputs: &inputs,
        tuning: &tuning,
        latencies: &latencies,
        talk: Talk::Steady { warm_up: 3.0, seconds: 30.0, evenly: true },
        spread: Spread::Benchmark,
        inbound_rps: 0.0,
        estimate: &estimate,
    };
    Ok(simulate(scenario, TRIALS)?.per_second.posts / inputs.members as f64)
}

/// The table for docs/performance.md.
///
/// # Errors
/// As a simulation.
pub fn table(rows: &[Measured]) -> Result<String, PlanError> {
    let mut table =
        String::from("| members | callbackRps | measured, s | planned, s | error |\n|---:|---:|---:|---:|---:|\n");
    for row in rows {
        let planned = planned(row)?;
        let room = if row.rooms == 1 { grouped(row.members) } else { format!("two rooms of {}", grouped(row.members)) };
        let error = (planned / row.seconds - 1.0) * 100.0;
        let error = if error.abs() < 0.5 { "0".to_owned() } else { format!("{error:+.0}") };
        let planned = if planned >= 100.0 {
            format!("{planned:.0}")
        } else if planned >= 10.0 {
            format!("{planned:.1}")
        } else {
            format!("{planned:.2}")
        };
        table += &format!("| {room} | {} | {} | {planned} | {error} % |\n", grouped(row.callback_rps), row.seconds);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_are_written() {
        let page = "## A broadcast under a quota\n\n| members | callbackRps | seconds |\n|---:|---:|---:|\n| 1,000 | 10,000 | 0.28 | 0.61 |\n\
                    | two rooms of 10,000 | 10,000 | 2.48 and 2.16 | 2.70 |\n\n## Growth\n| 5 | 5 | 5 |\n";
        let row = Measured { members: 1_000, rooms: 1, callback_rps: 10_000, seconds: 0.28 };
        let two = Measured { members: 10_000, rooms: 2, callback_rps: 10_000, seconds: 2.48 };
        assert_eq!(measured(page), [row, two]);
    }
}
