//! Breaking parts of a local stack on purpose.
//!
//! This speaks to Lambda's and IAM's APIs by [`crate::request`].

use anyhow::{Context, bail};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::processes::Function;
use crate::request::Request;
use crate::stack::Stack;

/// Makes every `$disconnect` get lost from here on, as API Gateway may: it promises no more than its best effort.
///
/// # Errors
/// Fails if the local AWS doesn't do it.
pub async fn lose_disconnects(stack: &Stack) -> anyhow::Result<()> {
    disable(stack, Function::Disconnect).await
}

/// Ends what [`lose_disconnects`] began. What was lost stays lost.
///
/// # Errors
/// Fails if the local AWS doesn't do it.
pub async fn keep_disconnects(stack: &Stack) -> anyhow::Result<()> {
    enable(stack, Function::Disconnect).await
}

/// Gives a function no concurrency, so that each of its calls is turned away from here on.
///
/// # Errors
/// Fails if the local AWS doesn't do it.
pub async fn disable(stack: &Stack, function: Function) -> anyhow::Result<()> {
    Request::lambda("PUT", &concurrency(function), r#"{"ReservedConcurrentExecutions":0}"#).send(stack).await?;
    Ok(())
}

/// Ends what [`disable`] began.
///
/// # Errors
/// Fails if the local AWS doesn't do it.
pub async fn enable(stack: &Stack, function: Function) -> anyhow::Result<()> {
    Request::lambda("DELETE", &concurrency(function), "").send(stack).await?;
    Ok(())
}

fn concurrency(function: Function) -> String {
    format!("/2017-10-31/functions/{}/concurrency", function.deployed_name())
}

/// Calls a function as a trigger would, and gives its answer.
///
/// # Errors
/// Fails if the local AWS can't be reached, or if the function failed.
pub async fn invoke(stack: &Stack, function: Function, event: &Value) -> anyhow::Result<Value> {
    let path = format!("/2015-03-31/functions/{}/invocations", function.deployed_name());
    let answer = Request::lambda("POST", &path, &event.to_string()).send(stack).await?;
    if answer.head.to_ascii_lowercase().contains("\r\nx-amz-function-error:") {
        bail!("`{function}` has failed: {}", answer.body);
    }
    serde_json::from_str(&answer.body).with_context(|| format!("`{function}` has answered `{}`", answer.body))
}

/// Takes a permission away from a function, whatever its own policy says. Needs a stack that enforces policies.
///
/// # Errors
/// Fails if the local AWS doesn't do it.
pub async fn refuse(stack: &Stack, function: Function, action: &str) -> anyhow::Result<()> {
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": action, "Resource": "*"}],
    });
    let document = format!("&PolicyDocument={}", utf8_percent_encode(&policy.to_string(), NON_ALPHANUMERIC));
    Request::iam("PutRolePolicy", function, &document).send(stack).await?;
    Ok(())
}

/// Ends what [`refuse`] began.
///
/// # Errors
/// Fails if the local AWS doesn't do it.
pub async fn stop_refusing(stack: &Stack, function: Function) -> anyhow::Result<()> {
    Request::iam("DeleteRolePolicy", function, "").send(stack).await?;
    Ok(())
}
