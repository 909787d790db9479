//! What holds for every plan.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use hubbub_planner::bill::Bill;
use hubbub_planner::estimate::Estimate;
use hubbub_planner::inputs::{Inputs, Tuning};
use hubbub_planner::latency::Latencies;
use hubbub_planner::monte_carlo::{Outcome, simulate};
use hubbub_planner::shape::Shape;
use hubbub_planner::simulation::{Scenario, Spread, Talk, run};
use proptest::prelude::*;

fn inputs(members: u64, rate: f64) -> Inputs {
    Inputs { members, rate, ..Inputs::default() }
}

fn estimate(members: u64, rate: f64) -> (Estimate, Bill) {
    let (inputs, tuning) = (inputs(members, rate), Tuning::default());
    let estimate = Estimate::of(&inputs, &tuning, &Latencies::aws()).unwrap();
    let shape = Shape::even(members, inputs.size, &tuning).unwrap();
    (estimate, Bill::of(&inputs, &tuning, &shape, estimate.per_second))
}

/// Runs a scenario in which nothing is left to chance but the order of events, or with chance.
fn outcome(inputs: &Inputs, latencies: &Latencies, talk: Talk, spread: Spread) -> (Estimate, Outcome) {
    let tuning = Tuning::default();
    let estimate = Estimate::of(inputs, &tuning, latencies).unwrap();
    let inbound_rps = inputs.inbound_rps();
    let scenario = Scenario { inputs, tuning: &tuning, latencies, talk, spread, inbound_rps, estimate: &estimate };
    (estimate, simulate(scenario, 2).unwrap())
}

/// How long one more page takes: a page of 5,000 members by one of two senders, and the waits around it.
const PAGE_SECONDS: f64 = 1.8;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Pages are whole shards, so that a few members more may make pages that are fuller: a room that has grown may be faster by less than a page.
    #[test]
    fn more_members_take_longer_but_for_a_page(members in 1_u64..400_000, more in 1_u64..400_000) {
        let (smaller, larger) = (estimate(members, 0.0).0, estimate(members + more, 0.0).0);
        prop_assert!(larger.alone_seconds >= smaller.alone_seconds - PAGE_SECONDS, "{smaller:?} {larger:?}");
        prop_assert!(larger.alone_seconds >= (members + more) as f64 / 8_000.0);
    }

    #[test]
    fn more_members_cost_more(members in 1_u64..100_000, more in 1_u64..100_000, rate in 0.0_f64..0.01) {
        let (smaller, larger) = (estimate(members, rate).1, estimate(members + more, rate).1);
        prop_assert!(larger.floor >= smaller.floor);
        // A page less is a transition less.
        prop_assert!(larger.total >= smaller.total * 0.999, "{} {}", smaller.total, larger.total);
    }

    #[test]
    fn more_messages_cost_more_and_wait_longer(members in 1_u64..100_000, rate in 0.0_f64..0.5, more in 0.01_f64..0.5) {
        let (slow, fast) = (estimate(members, rate), estimate(members, rate + more));
        prop_assert!(fast.1.total >= slow.1.total * 0.999, "{} {}", slow.1.total, fast.1.total);
        prop_assert!(fast.1.appsync >= slow.1.appsync);
        prop_assert!(fast.0.everybody_seconds >= slow.0.everybody_seconds * 0.999, "{slow:?} {fast:?}");
    }

    #[test]
    fn services_and_causes_add_up_to_the_total(members in 1_u64..1_000_000, online in 0.01_f64..1.0) {
        let inputs = Inputs { members, online, rate: 0.001, ..Inputs::default() };
        let tuning = Tuning::default();
        let estimate = Estimate::of(&inputs, &tuning, &Latencies::aws()).unwrap();
        let shape = Shape::even(members, inputs.size, &tuning).unwrap();
        let bill = Bill::of(&inputs, &tuning, &shape, estimate.per_second);
        let services: f64 = hubbub_planner::bill::Service::ALL.iter().map(|service| bill.by_service(*service)).sum();
        let causes: f64 = hubbub_planner::bill::Cause::ALL.iter().map(|cause| bill.by_cause(*cause)).sum();
        prop_assert!((services - bill.total).abs() <= 1e-9 * bill.total && (causes - bill.total).abs() <= 1e-9 * bill.total);
        prop_assert!(bill.total >= bill.floor);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Nobody is left out, and nobody is posted to twice: a post for each member, room and frame.
    #[test]
    fn a_message_is_posted_once_to_every_member(members in 1_u64..30_000, rooms in 1_u64..4, seed in 0_u64..1_000) {
        let (latencies, tuning) = (Latencies::aws(), Tuning::default());
        let inputs = Inputs { members, rooms, seed, rate: 0.0, ..Inputs::default() };
        let estimate = Estimate::of(&inputs, &tuning, &latencies).unwrap();
        let scenario = Scenario {
            inputs: &inputs,
            tuning: &tuning,
            latencies: &latencies,
            talk: Talk::Alone,
            spread: Spread::Drawn,
            inbound_rps: 0.0,
            estimate: &estimate,
        };
        let trial = run(scenario, seed).unwrap();
        prop_assert_eq!(trial.traffic.posts, (members * rooms) as f64);
        prop_assert_eq!(trial.traffic.rounds, rooms as f64);
        prop_assert_eq!(trial.everybody.len() as u64, rooms);
        prop_assert_eq!(&run(scenario, seed).unwrap(), &trial, "the same seed is the same run");
        prop_assert_ne!(&run(scenario, seed + 1).unwrap().everybody, &trial.everybody);
    }
}

#[test]
fn without_spread_the_simulation_is_the_closed_form() {
    let latencies = Latencies::aws().without_spread();
    for members in [100, 1_000, 10_000, 60_000, 200_000] {
        let (estimate, seen) = outcome(&inputs(members, 0.0), &latencies, Talk::Alone, Spread::Evenly);
        let error = seen.everybody.mean / estimate.alone_seconds - 1.0;
        assert!(error.abs() < 0.05, "{members}: {} and {}", seen.everybody.mean, estimate.alone_seconds);
    }
}

#[test]
fn without_spread_a_room_that_is_talked_in_does_what_the_closed_form_says() {
    let latencies = Latencies::aws().without_spread();
    for (members, rate) in [(500, 1.0), (10_000, 0.2), (20_000, 2.0), (100_000, 1.0)] {
        let inputs = inputs(members, rate);
        let talk = Talk::Steady { warm_up: 60.0, seconds: 360.0, evenly: true };
        let (estimate, seen) = outcome(&inputs, &latencies, talk, Spread::Evenly);
        for (what, expected, seen) in [
            ("posts", estimate.per_second.posts, seen.per_second.posts),
            ("rounds", estimate.per_second.rounds, seen.per_second.rounds),
            ("seconds", estimate.everybody_seconds, seen.everybody.mean),
        ] {
            let error = seen / expected - 1.0;
            assert!(error.abs() < 0.15, "{what} of {members} at {rate}: {seen} and {expected}");
        }
    }
}

#[test]
fn a_stack_that_may_post_more_than_the_account_is_answered_429_and_slows_down() {
    let latencies = Latencies::aws();
    let inputs = Inputs { members: 60_000, rate: 0.0, rps: 6_000, ..Inputs::default() };
    let seen = |callback_rps| {
        let tuning = Tuning { callback_rps, ..Tuning::default() };
        let estimate = Estimate::of(&inputs, &tuning, &latencies).unwrap();
        let (talk, spread, inbound_rps) = (Talk::Alone, Spread::Drawn, inputs.inbound_rps());
        let scenario = Scenario {
            inputs: &inputs,
            tuning: &tuning,
            latencies: &latencies,
            talk,
            spread,
            inbound_rps,
            estimate: &estimate,
        };
        simulate(scenario, 2).unwrap()
    };
    assert_eq!(seen(4_800).throttled, 0.0);
    let greedy = seen(10_000);
    assert!(greedy.throttled > 0.0 && greedy.throttled < 0.1, "{greedy:?}");
    assert!(greedy.everybody.mean > 60_000.0 / 6_000.0 * 0.8, "{greedy:?}");
}
