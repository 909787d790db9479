//! What a local stack's functions have logged, as far as it speaks of failures.

use anyhow::Context;
use serde_json::{Value, json};

use crate::local_aws::Request;
use crate::processes::deployed_name;
use crate::stack::Stack;
use hubbub_core::functions::Function;

/// What a line about a failure has in it: of the functions' own log, of a panic, and of what Lambda writes. CloudWatch Logs has a way to ask
/// for all at once, which the local AWS doesn't know.
const SIGNS: [&str; 6] = ["\"level\":\"ERROR\"", "panicked", "errorType", "timed", "Runtime.", "signal:"];

/// A line that speaks of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Whose log it is in.
    pub function: Function,
    /// The line.
    pub line: String,
}

impl Trouble {
    /// Whether the invocation ended in an error or a crash; otherwise something outside failed, and the function has coped.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match serde_json::from_str::<Value>(&self.line) {
            // What the Lambda runtime says of itself, and what the functions say at their edge.
            Ok(line) => {
                let text = |field: &str| line.get(field).and_then(Value::as_str).unwrap_or_default();
                text("target").starts_with("lambda_runtime")
                    || !text("error.type").is_empty()
                    || text("level").is_empty()
            }
            // Not a function's own line: a panic, or what Lambda writes.
            Err(_) => true,
        }
    }
}

/// All lines that speak of a failure, since the stack was started.
///
/// # Errors
/// Fails if the logs can't be read.
pub async fn troubles(stack: &Stack) -> anyhow::Result<Vec<Trouble>> {
    let groups = Request::logs("Logs_20140328.DescribeLogGroups", &json!({"logGroupNamePrefix": "/aws/lambda/"}));
    let groups = groups.send(stack).await?.body;
    let mut troubles = Vec::new();
    for function in Function::ALL {
        let group = format!("/aws/lambda/{}", deployed_name(function));
        // One that was never called has no log.
        if !groups.contains(&format!("\"{group}\"")) {
            continue;
        }
        let mut seen = Vec::new();
        for sign in SIGNS {
            let query = json!({"logGroupName": group, "filterPattern": sign});
            let answer = Request::logs("Logs_20140328.FilterLogEvents", &query).send(stack).await?;
            let answer: Value = serde_json::from_str(&answer.body)
                .with_context(|| format!("the log of `{function}` is not JSON: `{}`", answer.body))?;
            for event in answer.get("events").and_then(Value::as_array).into_iter().flatten() {
                let line = event.get("message").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
                let place = (event.get("eventId").cloned(), event.get("timestamp").cloned(), line.clone());
                if !seen.contains(&place) {
                    seen.push(place);
                    troubles.push(Trouble { function, line });
                }
            }
        }
    }
    Ok(troubles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_from_an_error_that_the_function_coped_with() {
        let check = |line: &str, expected: bool| {
            let trouble = Trouble { function: Function::Receive, line: line.to_owned() };
            assert_eq!(trouble.is_failure(), expected, "{line}");
        };
        check(
            r#"{"level":"ERROR","message":"Request payload …","target":"lambda_runtime::layers::api_response"}"#,
            true,
        );
        check(r#"{"level":"ERROR","error.type":"Hubbub.InvalidInput","error":"…","message":"failed"}"#, true);
        check(r#"{"level":"ERROR","message":"frame not carried out","error":"…"}"#, false);
        check("thread 'main' panicked at src/main.rs:1:1:", true);
        check("2026-11-24T10:00:00 a-b-c Task timed out after 3.00 seconds", true);
    }
}
