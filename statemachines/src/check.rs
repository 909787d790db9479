//! What must hold of every state machine that Hubbub ships.
//!
//! Step Functions accepts definitions that fail later: a Task without a timeout waits for a year, a Retry on `States.ALL` repeats calls that
//! can never succeed, an error name with a typo never matches. `asl-validator` checks the general validity of a definition; this module holds
//! our own rules.

use std::collections::BTreeSet;

use hubbub_core::names::{LAMBDA_BUSY, LAMBDA_FAULTS, errors};
use serde_json::{Map, Value};
use thiserror::Error;

/// AWS's own error names that may be retried: the two by which Step Functions and Lambda report a time that ran out.
pub const RETRYABLE_AWS_ERRORS: [&str; 2] = ["States.Timeout", "Sandbox.Timedout"];

/// AWS's own error names that may be caught beside those that may be retried.
pub const CATCHABLE_AWS_ERRORS: [&str; 2] = [ALL, "States.QueryEvaluationError"];

/// The name that stands for every error; only a Catch may use it, alone and last.
const ALL: &str = "States.ALL";

/// Fields that only JSONPath has.
const JSONPATH_FIELDS: [&str; 6] =
    ["InputPath", "OutputPath", "ResultPath", "Parameters", "ResultSelector", "ItemsPath"];

/// A rule that a definition breaks, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {problem}")]
pub struct Violation {
    /// The state's name with those of the states around it, as `FanOut/DeliverPage`; empty for the state machine itself.
    pub place: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// The text is not a JSON object.
    #[error("the definition is not a JSON object")]
    NotJson,
    /// The query language is not JSONata.
    #[error("the query language is not JSONata")]
    NotJsonata,
    /// The state machine, a Map or a branch has no states.
    #[error("there are no states")]
    NoStates,
    /// A transition leads to a state that isn't there.
    #[error("`{field}` leads to `{target}`, which does not exist")]
    UnknownTarget {
        /// The field that holds the transition.
        field: &'static str,
        /// The state that is missing.
        target: String,
    },
    /// A field that has to be there is missing, or has the wrong type.
    #[error("`{0}` is missing or has the wrong type")]
    Missing(&'static str),
    /// No way leads to the state.
    #[error("the state can't be reached")]
    Unreachable,
    /// No way leads from the state to an end.
    #[error("no end can be reached from the state")]
    Endless,
    /// A Retry names all errors.
    #[error("`Retry` is on `States.ALL`")]
    RetryOnAll,
    /// `States.ALL` stands beside other errors, or is not in the last catcher, which Step Functions refuses.
    #[error("`States.ALL` must stand alone in the last catcher")]
    AllNotLast,
    /// An error name that no function and no service uses.
    #[error("`{field}` names the unknown error `{name}`")]
    UnknownError {
        /// `Retry` or `Catch`.
        field: &'static str,
        /// The name.
        name: String,
    },
    /// Something that only JSONPath understands.
    #[error("`{0}` is JSONPath")]
    JsonPath(String),
    /// An expression that has no end, and would be taken as text.
    #[error("the expression `{0}` is not closed")]
    UnclosedExpression(String),
}

/// Checks a definition, with or without its placeholders, and returns every violation.
#[must_use]
pub fn check(definition: &str) -> Vec<Violation> {
    let mut violations = Violations::default();
    match serde_json::from_str::<Value>(definition) {
        Ok(Value::Object(state_machine)) => {
            if text(&state_machine, "QueryLanguage") != Some("JSONata") {
                violations.add("", Problem::NotJsonata);
            }
            check_states("", &state_machine, &mut violations);
        }
        _ => violations.add("", Problem::NotJson),
    }
    violations.0
}

/// The violations found so far.
#[derive(Default)]
struct Violations(Vec<Violation>);

impl Violations {
    fn add(&mut self, place: &str, problem: Problem) {
        self.0.push(Violation { place: place.to_owned(), problem });
    }
}

fn text<'a>(object: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str)
}

fn objects<'a>(object: &'a Map<String, Value>, field: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    let items = object.get(field).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_object)
}

/// Checks the states of the state machine, or of a Map or branch within it: their transitions as a graph, then each by itself.
fn check_states(place: &str, scope: &Map<String, Value>, violations: &mut Violations) {
    let Some(states) = scope.get("States").and_then(Value::as_object).filter(|states| !states.is_empty()) else {
        violations.add(place, Problem::NoStates);
        return;
    };
    let mut edges = Vec::new();
    let mut ends = BTreeSet::new();
    for (name, state) in states {
        let place = join(place, name);
        let Some(state) = state.as_object() else {
            violations.add(&place, Problem::Missing("Type"));
            continue;
        };
        for (field, target) in transitions(state) {
            if states.contains_key(target) {
                edges.push((name.as_str(), target));
            } else {
                let target = target.to_owned();
                violations.add(&place, Problem::UnknownTarget { field, target });
            }
        }
        if is_end(state) {
            ends.insert(name.as_str());
        }
        check_state(&place, state, violations);
    }
    let reached = match text(scope, "StartAt") {
        Some(start) if states.contains_key(start) => reach(BTreeSet::from([start]), &edges),
        Some(start) => {
            let target = start.to_owned();
            let field = "StartAt";
            violations.add(place, Problem::UnknownTarget { field, target });
            return;
        }
        None => {
            violations.add(place, Problem::Missing("StartAt"));
            return;
        }
    };
    let backwards: Vec<_> = edges.iter().map(|(from, to)| (*to, *from)).collect();
    let ending = reach(ends, &backwards);
    for name in states.keys().map(String::as_str) {
        if !reached.contains(name) {
            violations.add(&join(place, name), Problem::Unreachable);
        }
        if !ending.contains(name) {
            violations.add(&join(place, name), Problem::Endless);
        }
    }
}

fn join(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}/{name}") }
}

/// All that can be reached from a set of states, the set included.
fn reach<'a>(mut reached: BTreeSet<&'a str>, edges: &[(&'a str, &'a str)]) -> BTreeSet<&'a str> {
    loop {
        let before = reached.len();
        for (from, to) in edges {
            if reached.contains(from) {
                reached.insert(to);
            }
        }
        if reached.len() == before {
            return reached;
        }
    }
}

/// Where a state may lead, each with the field that says so.
fn transitions(state: &Map<String, Value>) -> Vec<(&'static str, &str)> {
    let next = text(state, "Next").map(|target| ("Next", target));
    let default = text(state, "Default").map(|target| ("Default", target));
    let choices = objects(state, "Choices").filter_map(|choice| text(choice, "Next").map(|target| ("Choices", target)));
    let catchers = objects(state, "Catch").filter_map(|catcher| text(catcher, "Next").map(|target| ("Catch", target)));
    next.into_iter().chain(default).chain(choices).chain(catchers).collect()
}

fn is_end(state: &Map<String, Value>) -> bool {
    state.get("End") == Some(&Value::Bool(true)) || matches!(text(state, "Type"), Some("Succeed" | "Fail"))
}

fn check_state(place: &str, state: &Map<String, Value>, violations: &mut Violations) {
    if state.get("QueryLanguage").is_some_and(|language| language != "JSONata") {
        violations.add(place, Problem::NotJsonata);
    }
    match text(state, "Type") {
        Some("Choice") if text(state, "Default").is_none() => violations.add(place, Problem::Missing("Default")),
        Some("Choice") => {}
        Some(_) if !is_end(state) && text(state, "Next").is_none() => violations.add(place, Problem::Missing("Next")),
        Some(_) => {}
        None => violations.add(place, Problem::Missing("Type")),
    }
    if text(state, "Type") == Some("Task") {
        if !state.get("TimeoutSeconds").is_some_and(Value::is_u64) {
            violations.add(place, Problem::Missing("TimeoutSeconds"));
        }
        for field in ["Retry", "Catch"] {
            if objects(state, field).next().is_none() {
                violations.add(place, Problem::Missing(field));
            }
        }
    }
    check_retriers(place, state, violations);
    check_catchers(place, state, violations);
    for (field, value) in state {
        match (field.as_str(), value) {
            ("ItemProcessor", Value::Object(processor)) => check_states(place, processor, violations),
            ("Branches", Value::Array(branches)) => {
                for branch in branches.iter().filter_map(Value::as_object) {
                    check_states(place, branch, violations);
                }
            }
            ("Comment", _) => {}
            _ => check_query(place, field, value, violations),
        }
    }
}

/// The error names of a retrier or catcher, or a violation when it has none.
fn error_names<'a>(place: &str, rule: &'a Map<String, Value>, violations: &mut Violations) -> Vec<&'a str> {
    let names = rule.get("ErrorEquals").and_then(Value::as_array);
    let names: Vec<_> = names.into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() {
        violations.add(place, Problem::Missing("ErrorEquals"));
    }
    names
}

fn is_retryable(name: &str) -> bool {
    name == LAMBDA_BUSY
        || LAMBDA_FAULTS.contains(&name)
        || [errors::RETRYABLE, errors::INVALID_INPUT].contains(&name)
        || RETRYABLE_AWS_ERRORS.contains(&name)
}

fn check_retriers(place: &str, state: &Map<String, Value>, violations: &mut Violations) {
    for retrier in objects(state, "Retry") {
        for name in error_names(place, retrier, violations) {
            if name == ALL {
                violations.add(place, Problem::RetryOnAll);
            } else if !is_retryable(name) {
                let (field, name) = ("Retry", name.to_owned());
                violations.add(place, Problem::UnknownError { field, name });
            }
        }
    }
}

fn check_catchers(place: &str, state: &Map<String, Value>, violations: &mut Violations) {
    let mut catchers = objects(state, "Catch").peekable();
    while let Some(catcher) = catchers.next() {
        let names = error_names(place, catcher, violations);
        if names.contains(&ALL) && (names.len() > 1 || catchers.peek().is_some()) {
            violations.add(place, Problem::AllNotLast);
        }
        for name in names {
            if !is_retryable(name) && !CATCHABLE_AWS_ERRORS.contains(&name) {
                let (field, name) = ("Catch", name.to_owned());
                violations.add(place, Problem::UnknownError { field, name });
            }
        }
    }
}

/// Looks through a field's value for what only JSONPath understands, and for expressions without an end.
fn check_query(place: &str, field: &str, value: &Value, violations: &mut Violations) {
    if JSONPATH_FIELDS.contains(&field) || field.ends_with(".$") {
        violations.add(place, Problem::JsonPath(field.to_owned()));
    }
    match value {
        Value::String(text) => {
            if text.contains("$$.") || text.starts_with("$.") || text.starts_with("States.") && text.ends_with(')') {
                violations.add(place, Problem::JsonPath(text.clone()));
            }
            if text.starts_with("{%") != text.ends_with("%}") {
                violations.add(place, Problem::UnclosedExpression(text.clone()));
            }
        }
        Value::Array(items) => {
            for item in items {
                check_query(place, "", item, violations);
            }
        }
        Value::Object(fields) => {
            for (field, value) in fields {
                check_query(place, field, value, violations);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BROADCAST, timeouts};

    fn definition() -> Value {
        serde_json::from_str(BROADCAST).unwrap()
    }

    /// Changes the shipped definition at a place, and gives the violations that are then found.
    fn seed(pointer: &str, change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut definition = definition();
        change(definition.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}")));
        check(&definition.to_string()).iter().map(ToString::to_string).collect()
    }

    fn set(pointer: &str, value: Value) -> Vec<String> {
        seed(pointer, |place| *place = value)
    }

    fn remove(pointer: &str, field: &str) -> Vec<String> {
        seed(pointer, |place| {
            place.as_object_mut().unwrap().remove(field).unwrap();
        })
    }

    fn add(pointer: &str, field: &str, value: Value) -> Vec<String> {
        seed(pointer, |place| {
            place.as_object_mut().unwrap().insert(field.to_owned(), value);
        })
    }

    const PAGE: &str = "/States/FanOut/ItemProcessor/States/DeliverPage";

    fn page(rest: &str) -> String {
        format!("{PAGE}{rest}")
    }

    #[test]
    fn committed_broadcast_breaks_no_rule() {
        assert_eq!(check(BROADCAST), []);
    }

    #[test]
    fn every_task_retries_retryable_errors() {
        for pointer in ["/States/PlanBroadcast", PAGE] {
            let retriers = definition().pointer(&format!("{pointer}/Retry")).unwrap().clone();
            let names = |index: usize| retriers[index]["ErrorEquals"].clone();
            let expected: Vec<_> = LAMBDA_FAULTS.into_iter().chain([errors::RETRYABLE]).collect();
            // A call that finds no free function is no violation: it waits for minutes.
            assert_eq!(names(0), Value::from(vec![LAMBDA_BUSY]));
            assert_eq!(names(1), Value::from(expected));
            assert_eq!(names(2), Value::from(RETRYABLE_AWS_ERRORS.to_vec()));
            let attempts = [0, 1, 2].map(|index: usize| retriers[index]["MaxAttempts"].clone());
            assert_eq!(attempts, [30, 3, 1].map(Value::from));
            assert!([0, 1, 2].iter().all(|index: &usize| retriers[*index]["JitterStrategy"] == "FULL"));
        }
    }

    #[test]
    fn tasks_time_out_after_their_functions() {
        let definition = definition();
        let timeout = |pointer: &str| definition.pointer(pointer).and_then(Value::as_u64).unwrap();
        assert_eq!(timeout("/States/PlanBroadcast/TimeoutSeconds"), timeouts::PLAN_BROADCAST_SECONDS);
        assert_eq!(timeout(&page("/TimeoutSeconds")), timeouts::DELIVER_PAGE_SECONDS);
    }

    #[test]
    fn a_seeded_fault_is_found() {
        let cases = [
            (set("/QueryLanguage", "JSONPath".into()), ": the query language is not JSONata"),
            (remove("", "QueryLanguage"), ": the query language is not JSONata"),
            (add("/States/Settled", "QueryLanguage", "JSONPath".into()), "Settled: the query language is not JSONata"),
            (set("/StartAt", "Plan".into()), ": `StartAt` leads to `Plan`, which does not exist"),
            (remove("", "StartAt"), ": `StartAt` is missing or has the wrong type"),
            (set("/States", serde_json::json!({})), ": there are no states"),
            (set("/States/FanOut/Next", "Plan".into()), "FanOut: `Next` leads to `Plan`, which does not exist"),
            (
                set("/States/IsSettled?/Default", "Done".into()),
                "IsSettled?: `Default` leads to `Done`, which does not exist",
            ),
            (
                set("/States/IsSettled?/Choices/0/Next", "Fan".into()),
                "IsSettled?: `Choices` leads to `Fan`, which does not exist",
            ),
            (remove("/States/IsSettled?", "Default"), "IsSettled?: `Default` is missing or has the wrong type"),
            (
                set(&page("/Catch/0/Next"), "Settled".into()),
                "FanOut/DeliverPage: `Catch` leads to `Settled`, which does not exist",
            ),
            (set("/States/IsSettled?/Default", "FanOut".into()), "Settled: the state can't be reached"),
            (
                set("/States/PlanBroadcast/Catch/0/Next", "Settled".into()),
                "BroadcastFailed: the state can't be reached",
            ),
            (
                seed("/States", |states| {
                    states["Settled"] = serde_json::json!({"Type": "Pass", "Next": "Settled"});
                }),
                "Settled: no end can be reached from the state",
            ),
            (remove("/States/FanOut", "Next"), "FanOut: `Next` is missing or has the wrong type"),
            (remove("/States/Settled", "Type"), "Settled: `Type` is missing or has the wrong type"),
            (
                remove("/States/PlanBroadcast", "TimeoutSeconds"),
                "PlanBroadcast: `TimeoutSeconds` is missing or has the wrong type",
            ),
            (remove(PAGE, "Retry"), "FanOut/DeliverPage: `Retry` is missing or has the wrong type"),
            (
                set(&page("/Catch"), serde_json::json!([])),
                "FanOut/DeliverPage: `Catch` is missing or has the wrong type",
            ),
            (
                remove(&page("/Retry/0"), "ErrorEquals"),
                "FanOut/DeliverPage: `ErrorEquals` is missing or has the wrong type",
            ),
            (
                set(&page("/Retry/0/ErrorEquals"), serde_json::json!(["States.ALL"])),
                "FanOut/DeliverPage: `Retry` is on `States.ALL`",
            ),
            (
                set(&page("/Retry/0/ErrorEquals/0"), "States.TaskFailed".into()),
                "FanOut/DeliverPage: `Retry` names the unknown error `States.TaskFailed`",
            ),
            (
                set(&page("/Retry/1/ErrorEquals/5"), "Hubbub.Retriable".into()),
                "FanOut/DeliverPage: `Retry` names the unknown error `Hubbub.Retriable`",
            ),
            (
                set(&page("/Catch/0/ErrorEquals/0"), "Hubbub.Oops".into()),
                "FanOut/DeliverPage: `Catch` names the unknown error `Hubbub.Oops`",
            ),
            (
                set(&page("/Catch/0/ErrorEquals"), serde_json::json!(["States.ALL", "States.Timeout"])),
                "FanOut/DeliverPage: `States.ALL` must stand alone in the last catcher",
            ),
            (
                set("/States/FanOut/ItemSelector/page", "$$.Map.Item.Value".into()),
                "FanOut: `$$.Map.Item.Value` is JSONPath",
            ),
            (add("/States/FanOut/ItemSelector", "page.$", "page".into()), "FanOut: `page.$` is JSONPath"),
            (add(PAGE, "ResultPath", "$.report".into()), "FanOut/DeliverPage: `ResultPath` is JSONPath"),
            (
                set(&page("/Output"), "{% $states.result.Payload".into()),
                "FanOut/DeliverPage: the expression `{% $states.result.Payload` is not closed",
            ),
        ];
        for (found, expected) in cases {
            assert!(found.iter().any(|violation| violation == expected), "{expected} is not among {found:#?}");
        }
    }

    #[test]
    fn a_text_that_is_no_json_object_is_a_fault() {
        for definition in ["", "[]", "{"] {
            assert_eq!(check(definition).first().map(|violation| &violation.problem), Some(&Problem::NotJson));
        }
    }

    #[test]
    fn branches_are_checked() {
        let definition = r#"{"QueryLanguage": "JSONata", "StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": true,
            "Branches": [{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}]}}}"#;
        let violations: Vec<_> = check(definition).iter().map(ToString::to_string).collect();
        assert!(
            violations.contains(&"Both/A: `Next` leads to `B`, which does not exist".to_owned()),
            "{violations:#?}"
        );
    }
}
