//! Holds the plan against what the benchmark has measured: the table in docs/performance.md.

use hubbub_planner::estimate::Estimate;
use hubbub_planner::inputs::{Inputs, Tuning};
use hubbub_planner::latency::Latencies;
use hubbub_planner::monte_carlo::simulate;
use hubbub_planner::simulation::{Scenario, Spread, Talk};

#[test]
fn look() {
    for (members, callback, measured) in [
        (1_000_u64, 10_000_u64, 0.28),
        (10_000, 10_000, 1.36),
        (100_000, 10_000, 11.1),
        (1_000_000, 10_000, 107.0),
        (10_000, 50_000, 1.16),
        (100_000, 50_000, 5.24),
        (1_000_000, 50_000, 49.7),
        (100, 20_000, 0.09),
        (1_000, 20_000, 0.23),
        (10_000, 20_000, 1.18),
        (100_000, 20_000, 6.09),
        (1_000_000, 20_000, 53.8),
    ] {
        let latencies = Latencies::bench();
        let inputs = Inputs { members, rate: 0.0, rps: callback * 5 / 4, ..Inputs::default() };
        let tuning = Tuning { callback_rps: callback, inline_limit: 0, ..Tuning::default() };
        let estimate = Estimate::of(&inputs, &tuning, &latencies).unwrap();
        let scenario = Scenario {
            inputs: &inputs,
            tuning: &tuning,
            latencies: &latencies,
            talk: Talk::Alone,
            spread: Spread::Benchmark,
            inbound_rps: (inputs.rps - callback) as f64,
            estimate: &estimate,
        };
        let began = std::time::Instant::now();
        let outcome = simulate(scenario, 2).unwrap();
        println!(
            "{members} {callback} measured {measured} estimate {:.3} simulated {:.3} error {:+.1} % ({:?})",
            estimate.alone_seconds,
            outcome.everybody.mean,
            (outcome.everybody.mean / measured - 1.0) * 100.0,
            began.elapsed()
        );
    }
}
