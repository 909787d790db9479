//! The stack takes the settings of every plan.

use hubbub_infra::settings::Settings;
use hubbub_planner::inputs::{Inputs, Tuning};
use hubbub_planner::latency::Latencies;
use hubbub_planner::plan::plan;

#[test]
fn stack_takes_every_setting_of_a_plan() {
    let tuning = Tuning::default();
    for (key, value, setting) in tuning.settings() {
        let config = serde_json::json!({ format!("hubbub:{key}"): value.to_string() }).to_string();
        let read = Settings::read(Some(&config)).unwrap();
        assert_eq!(read.get(&setting), value, "{key} sets {}", setting.variable);
    }
}

#[test]
fn stack_takes_the_advice_of_these_plans() {
    for (members, rate, rps) in
        [(8_000, 0.1, 10_000), (1_000_000, 0.0, 10_000), (50, 1.0, 2_500), (100_000, 1.0, 50_000)]
    {
        let inputs = Inputs { members, rate, rps, ..Inputs::default() };
        let plan = plan(inputs, None, Latencies::aws()).unwrap();
        let config: serde_json::Map<String, serde_json::Value> = plan
            .advice
            .iter()
            .map(|advice| {
                let command = advice.command();
                let (key, value) = command.strip_prefix("pulumi config set ").unwrap().split_once(' ').unwrap();
                (key.to_owned(), value.into())
            })
            .collect();
        let read = Settings::read(Some(&serde_json::json!(config).to_string())).unwrap();
        assert_eq!(read.budget(), plan.tuning.budget(), "{members}");
        for (key, value, setting) in plan.tuning.settings() {
            assert_eq!(read.get(&setting), value, "{key} of {members}");
        }
    }
}
