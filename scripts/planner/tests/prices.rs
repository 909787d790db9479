//! The prices are those of scripts/benchmark/prices.py.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fs;
use std::path::Path;

use hubbub_planner::prices;

/// The value that `prices.py` gives to a name: numbers, with `*` and `/` between them.
fn value_in_python(name: &str) -> f64 {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benchmark/prices.py");
    let text = fs::read_to_string(file).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = ")).unwrap();
    let mut factors = line.split('/').map(|factor| factor.trim().replace('_', "").parse::<f64>().unwrap());
    let first = factors.next().unwrap();
    factors.fold(first, |value, factor| value / factor)
}

#[test]
fn prices_are_the_benchmarks() {
    for (name, price) in [
        ("API_GATEWAY_MESSAGE", prices::API_GATEWAY_MESSAGE),
        ("LAMBDA_GB_SECOND", prices::LAMBDA_GB_SECOND),
        ("LAMBDA_REQUEST", prices::LAMBDA_REQUEST),
        ("DYNAMODB_READ_UNIT", prices::DYNAMODB_READ_UNIT),
        ("STEP_FUNCTIONS_TRANSITION", prices::STEP_FUNCTIONS_TRANSITION),
        ("SENDER_GB", prices::SENDER_GB),
    ] {
        assert!((value_in_python(name) / price - 1.0).abs() < 1e-12, "{name}: {price}");
    }
}
