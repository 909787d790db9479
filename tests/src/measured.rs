//! What a stack's functions have measured, as CloudWatch would take it from their logs.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use hubbub_core::metrics::{ALL, FUNCTION, Metric, NAMESPACE, STACK};
use serde_json::{Value, json};

use crate::local_aws::Request;
use crate::processes::deployed_name;
use crate::stack::Stack;
use hubbub_core::functions::Function;

/// What only the lines with metrics have.
const MARK: &str = "\"_aws\"";

/// The values of all metrics since the stack was started.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    values: BTreeMap<&'static str, Vec<u64>>,
    /// The lines that they were taken from.
    pub lines: Vec<String>,
}

impl Measured {
    /// What was counted, or how long all that was timed took.
    #[must_use]
    pub fn sum(&self, metric: Metric) -> u64 {
        self.values(metric).iter().sum()
    }

    /// Each value, in no order.
    #[must_use]
    pub fn values(&self, metric: Metric) -> &[u64] {
        self.values.get(metric.name).map_or(&[], Vec::as_slice)
    }
}

/// Reads the logs of all functions.
///
/// # Errors
/// Fails if the logs can't be read, or if a line with metrics is none that CloudWatch would understand: one of a metric that isn't known, of
/// another function, or with anything around the JSON.
pub async fn measured(stack: &Stack) -> anyhow::Result<Measured> {
    let mut measured = Measured::default();
    for function in Function::ALL {
        for line in log(stack, function).await?.into_iter().filter(|line| line.contains(MARK)) {
            add(&mut measured, function, &line).with_context(|| format!("`{function}` has written `{line}`"))?;
            measured.lines.push(line);
        }
    }
    Ok(measured)
}

/// The lines of a function's log.
async fn log(stack: &Stack, function: Function) -> anyhow::Result<Vec<String>> {
    let mut input = json!({"logGroupName": format!("/aws/lambda/{}", deployed_name(function))});
    let mut lines = Vec::new();
    loop {
        let answer = Request::logs("Logs_20140328.FilterLogEvents", &input).send(stack).await?;
        let page: Value = serde_json::from_str(&answer.body).context("the answer is no JSON")?;
        let events = page.get("events").and_then(Value::as_array).context("the answer has no events")?;
        lines.extend(events.iter().filter_map(|event| event.get("message")?.as_str().map(str::to_owned)));
        match page.get("nextToken") {
            Some(Value::String(token)) => input = with_token(input, token),
            _ => return Ok(lines),
        }
    }
}

fn with_token(mut input: Value, token: &str) -> Value {
    if let Some(fields) = input.as_object_mut() {
        fields.insert("nextToken".to_owned(), token.into());
    }
    input
}

fn add(measured: &mut Measured, function: Function, line: &str) -> anyhow::Result<()> {
    let root: Value = serde_json::from_str(line).context("it is no JSON")?;
    ensure!(root.get(FUNCTION).is_some_and(|name| name == function.name()), "it is another function's");
    ensure!(root.get(STACK).is_some_and(|name| name == "local"), "it is another stack's");
    let directives = root.pointer("/_aws/CloudWatchMetrics").and_then(Value::as_array).context("it says nothing")?;
    for directive in directives {
        ensure!(directive.get("Namespace").is_some_and(|name| name == NAMESPACE), "it has another namespace");
        for metric in directive.get("Metrics").and_then(Value::as_array).context("it has no metrics")? {
            let name = metric.get("Name").and_then(Value::as_str).context("a metric has no name")?;
            let known = ALL.iter().find(|known| known.name == name).with_context(|| format!("`{name}` is unknown"))?;
            ensure!(known.functions.contains(&function.name()), "`{name}` is not to come from it");
            let target = root.get(name).with_context(|| format!("`{name}` has no value"))?;
            let values = target.as_array().cloned().unwrap_or_else(|| vec![target.clone()]);
            for value in values {
                let value = value.as_u64().with_context(|| format!("`{name}` is {value}"))?;
                measured.values.entry(known.name).or_default().push(value);
            }
        }
    }
    Ok(())
}
