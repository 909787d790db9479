//! Holds the plan against what the benchmark has measured: the tables in docs/performance.md.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fs;
use std::path::Path;

use hubbub_planner::comparison::{Measured, measured, planned, planned_posts, talked};

/// How far the plan may be off.
const TOLERANCE: f64 = 0.15;

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/performance.md");
    fs::read_to_string(page).unwrap()
}

fn rows() -> Vec<Measured> {
    measured(&page())
}

/// A few posts that a busy host makes as fast as it can: its cores decide, not the quota, and the plan has one figure for them.
fn is_limited_by_the_host(row: &Measured) -> bool {
    row.callback_rps > 10_000 && row.members < 100_000
}

#[test]
fn plan_is_near_every_broadcast_measured_under_a_quota() {
    let rows = rows();
    assert!(rows.len() >= 7, "{rows:?}");
    for row in rows.iter().filter(|row| !is_limited_by_the_host(row)) {
        let planned = planned(row).unwrap();
        let error = planned / row.seconds - 1.0;
        assert!(error.abs() <= TOLERANCE, "{row:?}: planned {planned:.2} s, {:+.1} %", error * 100.0);
    }
}

#[test]
fn plan_coalesces_as_the_functions_do() {
    let rows = talked(&page());
    assert_eq!(rows.len(), 3, "{rows:?}");
    for row in rows {
        let planned = planned_posts(&row).unwrap();
        assert!((planned / row.posts - 1.0).abs() <= TOLERANCE, "{row:?}: planned {planned:.2}");
    }
}

#[test]
fn performance_page_shows_the_plan() {
    let page = page();
    for line in hubbub_planner::comparison::table(&rows()).unwrap().lines() {
        assert!(
            page.contains(line),
            "docs/performance.md lacks `{line}`: `cargo run -p hubbub-planner --example measurements` has the table"
        );
    }
}
