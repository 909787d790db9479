//! The dashboard and the alarms: what they show and watch is there, and what to do about each alarm is written down.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "clippy.toml allows them in tests, which leaves out the helpers that tests share"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use hubbub_core::metrics;
use hubbub_core::metrics::{Metric, NAMESPACE};
use hubbub_core::names::env;
use hubbub_infra::functions::Function;
use hubbub_infra::{prices, render};
use serde_json::{Value, json};

fn program(config: &Value) -> Value {
    serde_json::from_str(&render(Some(&config.to_string())).unwrap()).unwrap()
}

/// The properties of all resources of a type, by their names.
fn of_type<'a>(program: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let resources = program["resources"].as_object().unwrap();
    let found = resources.iter().filter(|(_, resource)| resource["type"] == kind);
    found.map(|(name, resource)| (name.as_str(), &resource["properties"])).collect()
}

fn alarms(program: &Value) -> BTreeMap<&str, &Value> {
    of_type(program, "aws:cloudwatch:MetricAlarm")
}

fn dashboard(program: &Value) -> &Value {
    &program["resources"]["dashboard"]["properties"]["dashboardBody"]["fn::toJSON"]
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// The metrics that an alarm watches, each with namespace, name and dimensions.
fn watched(alarm: &Value) -> Vec<&Value> {
    match alarm.get("metricName") {
        Some(_) => vec![alarm],
        None => list(&alarm["metricQueries"]).iter().filter_map(|query| query.get("metric")).collect(),
    }
}

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

fn is_of_hubbub(name: &str) -> bool {
    metrics::ALL.iter().any(|metric| metric.name == name)
}

#[test]
fn dashboard_is_as_reviewed() {
    insta::assert_json_snapshot!("dashboard", dashboard(&program(&json!({}))));
}

#[test]
fn dashboard_shows_every_metric_and_no_other() {
    let program = program(&json!({}));
    let rows: Vec<&Value> = list(&dashboard(&program)["widgets"])
        .iter()
        .flat_map(|widget| list(&widget["properties"]["metrics"]))
        .filter(|row| row[0].is_string())
        .collect();
    let shown: BTreeSet<&str> = rows.iter().filter(|row| row[0] == NAMESPACE).map(|row| text(&row[1])).collect();
    assert_eq!(shown, metrics::ALL.iter().map(|metric| metric.name).collect());
    for row in rows {
        assert_eq!(list(row).len(), 5, "{row}");
        assert!(text(&row[3]).starts_with("${"), "{row}");
    }
}

#[test]
fn widgets_fill_their_rows_and_do_not_overlap() {
    let program = program(&json!({}));
    let mut columns: BTreeMap<u64, u64> = BTreeMap::new();
    for widget in list(&dashboard(&program)["widgets"]) {
        let (x, y) = (number(&widget["x"]), number(&widget["y"]));
        let used = columns.entry(y).or_default();
        assert_eq!(x, *used, "{widget}");
        *used += number(&widget["width"]);
    }
    assert!(columns.values().all(|used| *used == 24), "{columns:?}");
    assert_eq!(columns.len(), 6, "three questions and their answers");
}

#[test]
fn expression_uses_metrics_of_its_widget() {
    for architecture in ["arm64", "x86_64"] {
        let program = program(&json!({"hubbub:architecture": architecture}));
        for widget in list(&dashboard(&program)["widgets"]) {
            let rows = list(&widget["properties"]["metrics"]);
            let ids: Vec<&str> = rows.iter().filter_map(|row| list(row).last()?["id"].as_str()).collect();
            assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "an id stands for two things: {ids:?}");
            for row in rows {
                let expression = text(&row[0]["expression"]);
                assert!(expression.len() < 1_024, "{expression}");
                assert_eq!(expression.matches('(').count(), expression.matches(')').count(), "{expression}");
                let words = expression.split(|c: char| !c.is_ascii_alphanumeric());
                for word in words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())) {
                    assert!(ids.contains(&word), "`{word}` in `{expression}`");
                }
            }
        }
    }
}

#[test]
fn bill_follows_the_prices() {
    let program = program(&json!({}));
    let widgets = list(&dashboard(&program)["widgets"]);
    let bill = widgets.iter().find(|widget| widget["properties"]["view"] == "singleValue").unwrap();
    let row = |id: &str| {
        let rows = list(&bill["properties"]["metrics"]);
        rows.iter().find(|row| list(row).last().unwrap()["id"] == id).unwrap()
    };
    assert_eq!(row("messages")[0]["expression"], "(FILL(m0, 0)) * 1.00 / 1000000");
    assert_eq!(row("minutes")[0]["expression"], "(FILL(m1, 0)) * 0.25 / 1000000");
    let lambda = text(&row("lambda")[0]["expression"]);
    assert!(
        lambda.contains(") * 256 + (FILL(m8, 0) + FILL(m9, 0)) * 1769) / 1024 / 1000) * 0.0000133334 +"),
        "{lambda}"
    );
    assert_eq!(row("total")[0]["expression"], "SUM([messages, minutes, lambda, table, queue, states])");
}

#[test]
fn alarm_names_its_guide_and_treats_missing_data() {
    for config in [json!({}), json!({"hubbub:awsEndpoint": "http://127.0.0.1:4566"})] {
        let program = program(&config);
        assert_eq!(alarms(&program).len(), 7);
        for (name, alarm) in alarms(&program) {
            let silence = if name == "deadLettersAlarm" { "ignore" } else { "notBreaching" };
            assert_eq!(alarm["treatMissingData"], silence, "{name}");
            assert!(text(&alarm["alarmDescription"]).contains("docs/operations.md#"), "{name}");
            assert_eq!(alarm.get("alarmActions"), None, "{name}");
            for metric in watched(alarm) {
                assert!(metric["namespace"] != NAMESPACE || is_of_hubbub(text(&metric["metricName"])), "{metric}");
                assert!(metric["dimensions"].as_object().is_some_and(|dimensions| dimensions.len() == 1), "{metric}");
            }
            // CloudWatch takes ten metrics for an expression.
            assert!((1..=10).contains(&watched(alarm).len()), "{name}");
            let returned = list(&alarm["metricQueries"]).iter().filter(|query| query["returnData"] == true);
            assert_eq!(returned.count(), usize::from(alarm.get("metricName").is_none()), "{name}");
        }
        let shown = list(&dashboard(&program)["widgets"]).iter().find(|widget| widget["type"] == "alarm").unwrap();
        let shown: BTreeSet<&str> = list(&shown["properties"]["alarms"]).iter().map(text).collect();
        let arns: Vec<String> = alarms(&program).keys().map(|name| format!("${{{name}.arn}}")).collect();
        assert_eq!(shown, arns.iter().map(String::as_str).collect());
    }
}

#[test]
fn every_alarm_has_a_section_in_operations_md() {
    let page = file("docs/operations.md");
    let sections: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let program = program(&json!({}));
    let name = |alarm: &Value| text(&alarm["name"]).strip_prefix("hubbub-${pulumi.stack}-").unwrap().to_owned();
    let names: Vec<String> = alarms(&program).values().map(|alarm| name(alarm)).collect();
    assert_eq!(sections, names.iter().map(String::as_str).collect());
    for alarm in alarms(&program).values() {
        let section = format!("docs/operations.md#{}", name(alarm));
        assert!(text(&alarm["alarmDescription"]).ends_with(&section), "{alarm}");
    }
}

#[test]
fn operations_md_explains_every_metric() {
    let page = file("docs/operations.md");
    for Metric { name, unit, meaning, functions } in metrics::ALL {
        let row = format!("| `{name}` | {} | {meaning} | {} |", unit.name(), functions.join(", "));
        assert!(page.contains(&row), "there is no row `{row}`");
    }
}

#[test]
fn operations_md_says_what_monitoring_costs() {
    let page = file("docs/operations.md");
    let month = |price: prices::Price, count: usize| {
        format!(
            "{count} × ${} = ${:.2}",
            price.dollars,
            price.dollars.parse::<f64>().unwrap() * f64::from(u32::try_from(count).unwrap())
        )
    };
    let program = program(&json!({}));
    let alarms: usize = alarms(&program).values().map(|alarm| watched(alarm).len()).sum();
    let metrics: usize = metrics::ALL.iter().map(|metric| 1 + metric.functions.len()).sum();
    for sum in [month(prices::ALARM_METRIC_MONTH, alarms), month(prices::METRIC_MONTH, metrics)] {
        assert!(page.contains(&sum), "the page doesn't say `{sum}`");
    }
}

#[test]
fn only_functions_with_metrics_know_their_stack() {
    let recording: BTreeSet<&str> = metrics::ALL.iter().flat_map(|metric| metric.functions).copied().collect();
    for function in Function::ALL {
        let knows = function.variables().contains(&env::STACK);
        assert_eq!(knows, recording.contains(function.name()), "{function:?}");
    }
    let names: BTreeSet<&str> = Function::ALL.map(Function::name).into();
    assert!(recording.is_subset(&names), "{recording:?}");
}

#[test]
fn alarm_email_gets_every_alarm_and_its_end() {
    let program = program(&json!({"hubbub:alarmEmail": "ops@example.com"}));
    for (name, alarm) in alarms(&program) {
        for key in ["alarmActions", "okActions"] {
            assert_eq!(alarm[key], json!(["${alarms.arn}"]), "{name}");
        }
    }
    let subscription = of_type(&program, "aws:sns:TopicSubscription")["alarmsEmail"];
    assert_eq!(*subscription, json!({"endpoint": "ops@example.com", "protocol": "email", "topic": "${alarms.arn}"}));
}

#[test]
fn budget_alarm_follows_the_setting() {
    let program = program(&json!({"hubbub:callbackRps": "2000"}));
    let queries = list(&alarms(&program)["callbackBudgetAlarm"]["metricQueries"]);
    assert_eq!(queries[0]["expression"], "100 * m0 / PERIOD(m0) / 2000");
    let widgets = list(&dashboard(&program)["widgets"]);
    let lines = widgets.iter().find_map(|widget| widget["properties"].get("annotations")).unwrap();
    let values: Vec<u64> = list(&lines["horizontal"]).iter().map(|line| number(&line["value"])).collect();
    assert_eq!(values, [2_000, 1_600]);
}

#[test]
fn dashboard_url_is_an_output_on_aws() {
    let output = |config: Value| program(&config)["outputs"].get("dashboardUrl").cloned();
    let cloud = output(json!({})).unwrap();
    assert_eq!(
        cloud,
        "https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#dashboards/dashboard/${dashboard.dashboardName}"
    );
    assert_eq!(output(json!({"hubbub:awsEndpoint": "http://127.0.0.1:4566"})), None);
}
