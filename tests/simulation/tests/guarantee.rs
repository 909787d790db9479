//! The guarantee holds in many small runs, and the simulation finds each of the bugs that are known to break it.

use std::sync::LazyLock;

use hubbub_simulation::{Bug, Verdict, run};
use rayon::prelude::*;

/// Runs without a bug.
const RUNS: u64 = 500;

/// The most seeds that it may take to find a bug.
const SEEDS: u64 = 5_000;

static VERDICTS: LazyLock<Vec<Verdict>> =
    LazyLock::new(|| (1..=RUNS).into_par_iter().map(|seed| run(seed, None, false)).collect());

/// A seed that fails with the bug, and doesn't without it.
fn check_found(bug: Bug) {
    let finds =
        |seed: &u64| run(*seed, Some(bug), false).violation.is_some() && run(*seed, None, false).violation.is_none();
    let seed = (1..=SEEDS).into_par_iter().find_any(finds);
    assert!(seed.is_some(), "{bug:?} is not found in {SEEDS} seeds");
}

#[test]
fn guarantee_is_kept_for_every_seed() {
    let failed: Vec<_> =
        VERDICTS.iter().filter_map(|verdict| Some((verdict.seed, verdict.violation.as_ref()?))).collect();
    assert!(failed.is_empty(), "`scripts/simulate --seed S` shows why: {failed:#?}");
}

#[test]
fn same_seed_is_the_same_run() {
    for seed in 1..=20 {
        let first = run(seed, None, true);
        assert!(first.steps > 100, "{first:?}");
        assert_eq!(first, run(seed, None, true));
    }
}

#[test]
fn runs_meet_every_situation() {
    for figure in [
        "accepted",
        "rejoin",
        "buried",
        "erased",
        "failed pages",
        "forgotten",
        "gaps",
        "handovers",
        "interrupted",
        "overlaps",
        "recovered",
        "redeliveries",
        "repeated",
        "repeated starts",
        "rounds",
        "several pages",
        "told that it can't",
    ] {
        let count: u64 = VERDICTS.iter().filter_map(|verdict| verdict.figures.get(figure)).sum();
        assert!(count > 0, "no run has met `{figure}`");
    }
}

#[test]
fn lease_released_with_unsent_messages_is_found() {
    check_found(Bug::LeaseGivenBackUnchecked);
}

#[test]
fn settlement_before_the_posts_is_found() {
    check_found(Bug::SentBeforePosted);
}

#[test]
fn unchecked_redelivery_is_found() {
    check_found(Bug::RedeliveryUnchecked);
}

#[test]
fn pruning_without_the_age_rule_is_found() {
    check_found(Bug::PrunedYoung);
}

#[test]
fn recovery_read_before_the_member_row_is_found() {
    check_found(Bug::RecoveryReadFirst);
}
