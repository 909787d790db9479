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
fn version_2_has_these_fields() {
    let inputs = Inputs { members: 100, rate: 1.0, ..Inputs::default() };
    let plan = serde_json::to_value(plan(inputs, None, Latencies::aws()).unwrap()).unwrap();
    assert_eq!(plan["version"], 2);
    assert_eq!(
        keys(&plan),
        [
            "advice",
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
            "tuning",
            "version",
        ]
    );
    assert_eq!(
        keys(&plan["estimate"]),
        [
            "above_quota",
            "alone_seconds",
            "deliver_functions",
            "everybody_seconds",
            "half_seconds",
            "longest_seconds",
            "messages_per_round",
            "most_messages",
            "page_functions",
            "per_second",
            "posts_per_member_and_message",
            "round_seconds",
            "warm_seconds",
        ]
    );
    assert_eq!(keys(&plan["bill"]), ["appsync", "floor", "lines", "of_appsync", "total", "transfer"]);
    assert_eq!(keys(&plan["bill"]["lines"][0]), ["cause", "dollars", "service"]);
    assert_eq!(keys(&plan["latencies"]["post"]), ["median_ms", "p99_ms", "source"]);
}
