//! The plan next to the measurements: the benchmark's broadcasts, planned with its parameters.

use crate::estimate::{Arrivals, Estimate, broadcast_seconds};
use crate::inputs::{Inputs, PlanError, Tuning};
use crate::latency::Latencies;
use crate::report::grouped;
use crate::shape::{Shape, shards_of_ids};

/// The heading of the table's section in docs/performance.md.
const SECTION: &str = "## A broadcast under a quota";

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

/// The planned seconds of the same broadcast.
///
/// # Errors
/// When the messages can't be framed, which is not known to happen.
pub fn planned(row: &Measured) -> Result<f64, PlanError> {
    let Measured { members, rooms, callback_rps, .. } = *row;
    let tuning = Tuning { callback_rps, inline_limit: 0, ..Tuning::default() };
    let shape = Shape::of(shards_of_ids("room0", members, &tuning), Inputs::default().size, &tuning)?;
    Ok(broadcast_seconds(&shape, rooms, &tuning, &Latencies::bench()))
}

/// A row of the table "Coalescing": a room of 10,000 at some rate.
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

/// The planned posts for each member in a second. The benchmark publishes at equal intervals.
///
/// # Errors
/// As [`Estimate::of`].
pub fn planned_posts(row: &Talked) -> Result<f64, PlanError> {
    let inputs = Inputs { members: 10_000, rate: row.rate, size: 100, rps: 12_500, ..Inputs::default() };
    let tuning = Tuning { callback_rps: 10_000, inline_limit: 0, ..Tuning::default() };
    let shape = Shape::of(shards_of_ids("room0", inputs.members, &tuning), inputs.size, &tuning)?;
    let estimate = Estimate::of_shape(&shape, &inputs, &tuning, &Latencies::bench(), Arrivals::Even)?;
    Ok(estimate.per_second.posts / inputs.members as f64)
}

/// The table for docs/performance.md.
///
/// # Errors
/// As [`planned`].
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
    fn rows_are_read_as_the_page_has_them() {
        let page = "## A broadcast under a quota\n\n| members | callbackRps | seconds |\n|---:|---:|---:|\n| 1,000 | 10,000 | 0.28 | 0.61 |\n\
                    | two rooms of 10,000 | 10,000 | 2.48 and 2.16 | 2.70 |\n\n## Growth\n| 5 | 5 | 5 |\n";
        let row = Measured { members: 1_000, rooms: 1, callback_rps: 10_000, seconds: 0.28 };
        let two = Measured { members: 10_000, rooms: 2, callback_rps: 10_000, seconds: 2.48 };
        assert_eq!(measured(page), [row, two]);
    }
}
