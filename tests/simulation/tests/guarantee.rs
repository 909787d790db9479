//! The guarantee holds in many small worlds, and the simulation finds each of the bugs that are known to break it.

use std::sync::LazyLock;

use hubbub_simulation::{Bug, Verdict, run};
use rayon::prelude::*;

/// How many worlds are run without a bug.
const WORLDS: u64 = 500;

/// How many seeds a bug may take to be found.
const SEEDS: u64 = 5_000;

/// The worlds without a bug.
static VERDICTS: LazyLock<Vec<Verdict>> =
    LazyLock::new(|| (1..=WORLDS).into_par_iter().map(|seed| run(seed, None, false)).collect());

/// A seed that fails with the bug, and doesn't without it.
fn check_found(bug: Bug) {
    let finds =
        |seed: &u64| run(*seed, Some(bug), false).violation.is_some() && run(*seed, None, false).violation.is_none();
    let seed = (1..=SEEDS).into_par_iter().find_any(finds);
    assert!(seed.is_some(), "{bug:?} is not found in {SEEDS} seeds");
}

#[test]
fn the_guarantee_is_kept_in_every_world() {
    let failed: Vec<_> =
        VERDICTS.iter().filter_map(|verdict| Some((verdict.seed, verdict.violation.as_ref()?))).collect();
    assert!(failed.is_empty(), "`scripts/simulate --seed S` shows why: {failed:#?}");
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 1..=20 {
        let first = run(seed, None, true);
        assert!(first.steps > 100, "{first:?}");
        assert_eq!(first, run(seed, None, true));
    }
}

#[test]
fn the_worlds_meet_what_they_are_for() {
    for figure in [
        "accepted",
        "behind",
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
        assert!(count > 0, "no world has met `{figure}`");
    }
}

#[test]
fn a_lease_that_is_given_back_without_a_look_at_the_head_is_found() {
    check_found(Bug::LeaseGivenBackUnchecked);
}

#[test]
fn a_message_that_counts_as_sent_before_it_is_posted_is_found() {
    check_found(Bug::SentBeforePosted);
}

#[test]
fn a_redelivery_that_is_not_checked_is_found() {
    check_found(Bug::RedeliveryUnchecked);
}

#[test]
fn pruning_without_the_age_rule_is_found() {
    check_found(Bug::PrunedYoung);
}

#[test]
fn a_recovery_that_is_read_before_the_members_row_is_written_is_found() {
    check_found(Bug::RecoveryReadFirst);
}
