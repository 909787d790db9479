//! The JSON's shape: machines read it, so a field that goes or changes its name makes a new version.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use hubbub_planner::inputs::Inputs;
use hubbub_planner::latency::Latencies;
use hubbub_planner::plan::plan;
use serde_json::Value;

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn version_1_has_these_fields() {
    let inputs = Inputs { members: 100, rate: 1.0, ..Inputs::default() };
    let plan = serde_json::to_value(plan(inputs, None, Latencies::aws()).unwrap()).unwrap();
    assert_eq!(plan["version"], 1);
    assert_eq!(
        keys(&plan),
        [
            "advice",
            "alone",
            "bill",
            "connecting_seconds",
            "estimate",
            "frame_messages",
            "inbound_rps",
            "inline",
            "inputs",
            "latencies",
            "line",
            "pages",
            "prices",
            "round_frames",
            "shards",
            "steady",
            "tuning",
            "version",
        ]
    );
    let outcome = [
        "deliver_functions",
        "everybody",
        "member",
        "over",
        "page_functions",
        "per_second",
        "posts_per_member_and_message",
        "rounds_per_message",
        "throttled",
        "trials",
    ];
    assert_eq!(keys(&plan["steady"]), outcome);
    assert_eq!(keys(&plan["steady"]["everybody"]), ["mean", "p50", "p95", "p99"]);
    assert_eq!(keys(&plan["bill"]), ["appsync", "floor", "lines", "of_appsync", "total", "transfer"]);
    assert_eq!(keys(&plan["bill"]["lines"][0]), ["cause", "dollars", "service"]);
    assert_eq!(keys(&plan["latencies"]["post"]), ["median_ms", "p99_ms", "source"]);
}
