//! Metrics in CloudWatch's embedded metric format: a line in the function's log, from which CloudWatch takes the values.
//!
//! This needs no call and no permission. An invocation writes one line at most, because CloudWatch charges for lines by the byte. The line is a
//! JSON object and nothing else, and stands among the lines of `tracing` (docs.aws.amazon.com/AmazonCloudWatch, "Specification:
//! Embedded metric format").

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use hubbub_core::metrics::{FUNCTION, Measurements, Metric, NAMESPACE, STACK};
use hubbub_core::ports::{Clock, Ids, Meter};
use hubbub_core::wire::time::Timestamp;
use serde::Serialize;

use crate::system::System;

/// The host's clock and randomness, and a meter that is read when an invocation ends. Clones share the meter.
#[derive(Clone, Debug)]
pub struct Metered {
    function: &'static str,
    stack: Arc<str>,
    measurements: Arc<Mutex<Measurements>>,
}

impl Metered {
    #[must_use]
    pub fn new(function: &'static str, stack: impl Into<Arc<str>>) -> Self {
        Self { function, stack: stack.into(), measurements: Arc::default() }
    }

    /// Writes the measurements since the last report to the function's log.
    pub fn report(&self) {
        let line = self.take().map(|measurements| self.line(&measurements, self.now()));
        let written = line.map_or(Ok(()), |line| writeln!(io::stdout().lock(), "{}", line?));
        if let Err(error) = written {
            tracing::warn!(%error, "metrics not written");
        }
    }

    /// The measurements since the last report, if there are any.
    fn take(&self) -> Option<Measurements> {
        let mut measurements = self.measurements.lock().unwrap_or_else(PoisonError::into_inner);
        Some(mem::take(&mut *measurements)).filter(|measurements| !measurements.is_empty())
    }

    fn line(&self, measurements: &Measurements, now: Timestamp) -> io::Result<String> {
        let metrics = measurements.iter().map(|(metric, _)| Definition { name: metric.name, unit: metric.unit.name() });
        let line = Line {
            metadata: Metadata {
                timestamp: now.0,
                directives: [Directive {
                    namespace: NAMESPACE,
                    dimensions: [&[STACK], &[STACK, FUNCTION]],
                    metrics: metrics.collect(),
                }],
            },
            dimensions: BTreeMap::from([(STACK, &*self.stack), (FUNCTION, self.function)]),
            values: measurements.iter().map(|(metric, values)| (metric.name, Target::from(values))).collect(),
        };
        Ok(serde_json::to_string(&line)?)
    }
}

impl Clock for Metered {
    fn now(&self) -> Timestamp {
        System.now()
    }
}

impl Ids for Metered {
    fn fresh(&self) -> String {
        System.fresh()
    }
}

impl Meter for Metered {
    fn record(&self, metric: Metric, value: u64) {
        self.measurements.lock().unwrap_or_else(PoisonError::into_inner).record(metric, value);
    }
}

/// The format's root node.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "_aws")]
    metadata: Metadata,
    #[serde(flatten)]
    dimensions: BTreeMap<&'static str, &'a str>,
    #[serde(flatten)]
    values: BTreeMap<&'static str, Target<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    timestamp: u64,
    #[serde(rename = "CloudWatchMetrics")]
    directives: [Directive; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: [&'static [&'static str]; 2],
    metrics: Vec<Definition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

/// A metric's value, or several.
#[derive(Serialize)]
#[serde(untagged)]
enum Target<'a> {
    One(u64),
    Several(&'a [u64]),
}

impl<'a> From<&'a [u64]> for Target<'a> {
    fn from(values: &'a [u64]) -> Self {
        match values {
            [value] => Self::One(*value),
            values => Self::Several(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use hubbub_core::metrics::{AGE, ALL, DELIVERED, MAX_VALUES};
    use serde_json::Value;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    /// CloudWatch's units (MetricDatum) that the schema allows.
    const UNITS: [&str; 3] = ["Count", "Milliseconds", "None"];

    fn line(record: impl FnOnce(&Metered)) -> String {
        let meter = Metered::new("deliver", "prod");
        record(&meter);
        meter.line(&meter.take().unwrap(), NOW).unwrap()
    }

    fn text(value: &Value) -> &str {
        value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
    }

    fn list(value: &Value) -> &Vec<Value> {
        value.as_array().unwrap_or_else(|| panic!("{value} is not a list"))
    }

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap_or_else(|| panic!("{value} is not an object")).keys().map(String::as_str).collect()
    }

    fn check_name(name: &str) {
        assert!((1..=255).contains(&name.len()) && name.is_ascii(), "{name}");
    }

    /// The rules of the specification and of its JSON schema.
    fn check(line: &str) {
        assert!(!line.contains('\n') && line.len() < 256 * 1_024);
        let root: Value = serde_json::from_str(line).unwrap();
        let metadata = &root["_aws"];
        assert_eq!(keys(metadata), ["CloudWatchMetrics", "Timestamp"]);
        assert!(metadata["Timestamp"].is_u64());
        for directive in list(&metadata["CloudWatchMetrics"]) {
            assert_eq!(keys(directive), ["Dimensions", "Metrics", "Namespace"]);
            check_name(text(&directive["Namespace"]));
            assert!(!text(&directive["Namespace"]).starts_with("AWS/"));
            assert!(!list(&directive["Dimensions"]).is_empty());
            for set in list(&directive["Dimensions"]) {
                assert!(list(set).len() <= 9);
                for dimension in list(set) {
                    check_name(text(dimension));
                    check_name(text(&root[text(dimension)]));
                }
            }
            assert!((1..=100).contains(&list(&directive["Metrics"]).len()));
            for metric in list(&directive["Metrics"]) {
                assert_eq!(keys(metric), ["Name", "Unit"]);
                check_name(text(&metric["Name"]));
                assert!(UNITS.contains(&text(&metric["Unit"])), "{metric}");
                let target = &root[text(&metric["Name"])];
                let values = target.as_array().cloned().unwrap_or_else(|| vec![target.clone()]);
                assert!((1..=100).contains(&values.len()) && values.iter().all(Value::is_number), "{target}");
            }
        }
    }

    #[test]
    fn line_follows_the_specification() {
        for metric in ALL {
            check(&line(|meter| meter.record(metric, u64::MAX)));
        }
        for values in [1, 2, MAX_VALUES, MAX_VALUES + 1, 100_000] {
            check(&line(|meter| {
                for metric in ALL {
                    (0..values).for_each(|value| meter.record(metric, value as u64 + 1));
                }
            }));
        }
    }

    #[test]
    fn line_has_the_stack_the_function_and_the_values() {
        let line = line(|meter| {
            meter.record(DELIVERED, 2);
            meter.record(DELIVERED, 3);
            meter.record(AGE, 40);
            meter.record(AGE, 7);
        });
        let expected = concat!(
            r#"{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"Hubbub","#,
            r#""Dimensions":[["stack"],["stack","function"]],"#,
            r#""Metrics":[{"Name":"Age","Unit":"Milliseconds"},{"Name":"Delivered","Unit":"Count"}]}]},"#,
            r#""function":"deliver","stack":"prod","Age":[40,7],"Delivered":5}"#,
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn nothing_is_reported_twice_and_no_line_is_empty() {
        let meter = Metered::new("deliver", "prod");
        assert_eq!(meter.take(), None);
        meter.record(DELIVERED, 0);
        assert_eq!(meter.take(), None);
        let clone = meter.clone();
        clone.record(DELIVERED, 1);
        assert!(meter.take().is_some());
        assert_eq!(clone.take(), None);
        assert_eq!(meter.take(), None);
    }
}
