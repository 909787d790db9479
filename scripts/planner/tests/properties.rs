//! What holds for every plan.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use hubbub_planner::bill::Bill;
use hubbub_planner::estimate::Estimate;
use hubbub_planner::inputs::{Inputs, Tuning};
use hubbub_planner::latency::Latencies;
use hubbub_planner::shape::Shape;
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

#[test]
fn stack_above_its_quota_is_slower_and_says_so() {
    let inputs = Inputs { members: 60_000, rate: 0.0, rps: 6_000, ..Inputs::default() };
    let seen = |callback_rps| {
        let tuning = Tuning { callback_rps, ..Tuning::default() };
        Estimate::of(&inputs, &tuning, &Latencies::aws()).unwrap()
    };
    assert_eq!(seen(4_800).above_quota, 0.0);
    let greedy = seen(10_000);
    assert!(greedy.above_quota > 0.3, "{greedy:?}");
    assert!(greedy.warm_seconds > 60_000.0 / 6_000.0, "{greedy:?}");
}

#[test]
fn rounds_take_all_waiting_messages() {
    for (rate, rounds_per_message) in [(0.001, 1.0), (0.1, 1.0), (5.0, 0.2)] {
        let estimate = estimate(10_000, rate).0;
        assert!(1.0 / estimate.messages_per_round <= rounds_per_message * 1.1, "{rate}: {estimate:?}");
        let busy = estimate.per_second.rounds * estimate.round_seconds;
        assert!(busy <= 1.0 + 1e-9, "{rate}: {busy}");
        assert!(estimate.everybody_seconds <= estimate.longest_seconds, "{rate}: {estimate:?}");
    }
}
