//! `simulate`: runs many seeds, and says which break the guarantee and how to see why.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write, stderr, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use hubbub_simulation::{Bug, Verdict, run};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde::Serialize;

/// They take about a minute on two cores, built as `scripts/simulate` builds it.
const SEEDS: u64 = 20_000;

/// Failed seeds that are shown.
const SHOWN: usize = 10;

/// Runs many seeds: the real rules, with the queue, the state machine and the sockets in memory, crashes between any two effects, lost
/// answers, slow functions, expired leases, and clients that come and go. At the end the guarantee is checked for each member.
///
/// The exit code is 0 if it is kept in all of them.
#[derive(Clone, Debug, Parser)]
#[command(name = "simulate")]
struct Arguments {
    /// The number of seeds to run, from 1 on.
    #[arg(long, value_name = "N", default_value_t = SEEDS, conflicts_with = "seed", value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Run this seed alone, and print each step: the time in milliseconds, the task, and what it does.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Plant a known bug between the rules and their ports, to see that it is found.
    #[arg(long, value_name = "NAME", value_enum)]
    bug: Option<Bug>,
    /// End with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What was run. Names and order are those of the JSON line.
#[derive(Debug, Serialize)]
struct Report {
    seeds: u64,
    failed: u64,
    first_failed: Option<u64>,
    steps: u64,
    seconds: f64,
    figures: BTreeMap<&'static str, u64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let began = Instant::now();
    let verdicts = match arguments.seed {
        Some(seed) => vec![run(seed, arguments.bug, true)],
        None => run_all(arguments.seeds, arguments.bug),
    };
    let report = sum(&verdicts, began.elapsed());
    match print(&verdicts, &report, &arguments) {
        // The reader has closed the pipe.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
        _ if report.failed == 0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Prints the traces, what failed, and the sum of all.
fn print(verdicts: &[Verdict], report: &Report, arguments: &Arguments) -> io::Result<()> {
    let mut out = BufWriter::new(stdout().lock());
    for line in verdicts.iter().flat_map(|verdict| &verdict.trace) {
        writeln!(out, "{line}")?;
    }
    print_failed(&mut out, verdicts, arguments.bug)?;
    let figure = |name| report.figures.get(name).copied().unwrap_or_default();
    let verdict = match report.failed {
        0 => "the guarantee is kept".to_owned(),
        failed => format!("{failed} FAILED"),
    };
    writeln!(
        out,
        "{} seeds, {} steps, {} messages accepted, {} handed out, {} s: {verdict}",
        report.seeds,
        report.steps,
        figure("accepted"),
        figure("handed out"),
        report.seconds
    )?;
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(report)?)?;
    }
    out.flush()
}

/// Runs the seeds on all cores.
fn run_all(seeds: u64, bug: Option<Bug>) -> Vec<Verdict> {
    let bar = if stderr().is_terminal() { ProgressBar::new(seeds) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} seeds, {per_sec}, {eta} left {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    let mut verdicts: Vec<Verdict> = (1..=seeds)
        .into_par_iter()
        .map(|seed| {
            let verdict = run(seed, bug, false);
            bar.inc(1);
            if verdict.violation.is_some() {
                bar.set_message(format!("(seed {seed} failed)"));
            }
            verdict
        })
        .collect();
    bar.finish_and_clear();
    verdicts.sort_by_key(|verdict| verdict.seed);
    verdicts
}

fn sum(verdicts: &[Verdict], elapsed: Duration) -> Report {
    let mut failed = verdicts.iter().filter(|verdict| verdict.violation.is_some());
    let mut figures: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (name, count) in verdicts.iter().flat_map(|verdict| &verdict.figures) {
        *figures.entry(name).or_default() += count;
    }
    let first_failed = failed.next().map(|verdict| verdict.seed);
    Report {
        seeds: verdicts.len() as u64,
        failed: failed.count() as u64 + u64::from(first_failed.is_some()),
        first_failed,
        steps: verdicts.iter().map(|verdict| verdict.steps).sum(),
        seconds: (elapsed.as_secs_f64() * 10.0).round() / 10.0,
        figures,
    }
}

/// Prints the shortest runs that failed, because they are the easiest to understand.
fn print_failed(out: &mut impl Write, verdicts: &[Verdict], bug: Option<Bug>) -> io::Result<()> {
    let mut failed: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.violation.is_some()).collect();
    failed.sort_by_key(|verdict| verdict.steps);
    for Verdict { seed, violation, steps, .. } in failed.into_iter().take(SHOWN) {
        writeln!(out, "seed {seed} ({steps} steps): {}", violation.as_deref().unwrap_or_default())?;
        writeln!(out, "    to see it: scripts/simulate --seed {seed}{}", bug.map(Bug::argument).unwrap_or_default())?;
    }
    Ok(())
}
