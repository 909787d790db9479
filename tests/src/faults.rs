//! Breaking parts of a local stack on purpose.

use std::time::Duration;

use anyhow::{Context, bail};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::message::Seq;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use crate::local_aws::Request;
use crate::processes::deployed_name;
use crate::stack::Stack;
use hubbub_core::functions::Function;

/// The name of the policy that takes permissions away.
const REFUSAL: &str = "refusal";

/// How often it is looked whether a change has come into force.
const PAUSE: Duration = Duration::from_millis(50);

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
    format!("/2017-10-31/functions/{}/concurrency", deployed_name(function))
}

/// Calls a function as a trigger would, and gives its answer.
///
/// # Errors
/// Fails if the local AWS can't be reached, or if the function failed.
pub async fn invoke(stack: &Stack, function: Function, event: &Value) -> anyhow::Result<Value> {
    let path = format!("/2015-03-31/functions/{}/invocations", deployed_name(function));
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
    iam("PutRolePolicy", function, REFUSAL, &document).send(stack).await?;
    Ok(())
}

/// Ends what [`refuse`] began.
///
/// # Errors
/// Fails if the local AWS doesn't do it.
pub async fn stop_refusing(stack: &Stack, function: Function) -> anyhow::Result<()> {
    iam("DeleteRolePolicy", function, REFUSAL, "").send(stack).await?;
    Ok(())
}

/// The document of the policy that a function was deployed with.
///
/// # Errors
/// Fails if the local AWS doesn't say it.
pub async fn policy(stack: &Stack, function: Function) -> anyhow::Result<String> {
    let answer = iam("GetRolePolicy", function, &deployed_name(function), "").send(stack).await?;
    let document =
        answer.body.split_once("<PolicyDocument>").and_then(|(_, rest)| rest.split_once("</PolicyDocument>"));
    let (document, _) = document.with_context(|| format!("`{function}` has no policy"))?;
    Ok(percent_decode_str(document).decode_utf8()?.into_owned())
}

/// Puts another policy in the place of the one that a function was deployed with.
///
/// # Errors
/// Fails if the local AWS doesn't do it.
pub async fn put_policy(stack: &Stack, function: Function, document: &str) -> anyhow::Result<()> {
    let document = format!("&PolicyDocument={}", utf8_percent_encode(document, NON_ALPHANUMERIC));
    iam("PutRolePolicy", function, &deployed_name(function), &document).send(stack).await?;
    Ok(())
}

/// Sets a variable of a function's environment; what it was before.
///
/// # Errors
/// Fails if the local AWS doesn't do it, or the function has no such variable.
pub async fn set_variable(stack: &Stack, function: Function, name: &str, value: &str) -> anyhow::Result<String> {
    let path = format!("/2015-03-31/functions/{}/configuration", deployed_name(function));
    let answer = Request::lambda("GET", &path, "").send(stack).await?;
    let mut configuration: Value = serde_json::from_str(&answer.body)?;
    let environment = configuration.get_mut("Environment").map(Value::take).unwrap_or_default();
    let mut environment = serde_json::json!({"Environment": environment});
    let variable = environment.pointer_mut(&format!("/Environment/Variables/{name}"));
    let variable = variable.with_context(|| format!("`{function}` has no variable `{name}`"))?;
    let before = std::mem::replace(variable, value.into());
    Request::lambda("PUT", &path, &environment.to_string()).send(stack).await?;
    // It can't be used before it is active again.
    loop {
        let answer = Request::lambda("GET", &path, "").send(stack).await?;
        let configuration: Value = serde_json::from_str(&answer.body)?;
        if configuration.get("State").is_none_or(|state| state == "Active") {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(before.as_str().unwrap_or_default().to_owned())
}

/// Takes the mapping away that feeds a function from the publish queue; what [`map`] needs to bring it back.
///
/// # Errors
/// Fails if the local AWS doesn't do it, or the function has none.
pub async fn unmap(stack: &Stack, function: Function, queue_url: &str) -> anyhow::Result<Value> {
    let path = format!("/2015-03-31/event-source-mappings/?FunctionName={}", deployed_name(function));
    let answer = Request::lambda("GET", &path, "").send(stack).await?;
    let mut answer: Value = serde_json::from_str(&answer.body)?;
    let queue = queue_url.rsplit('/').next().unwrap_or_default();
    let is_of_queue = |mapping: &&mut Value| {
        let source = mapping.get("EventSourceArn").and_then(Value::as_str);
        source.and_then(|arn| arn.rsplit(':').next()) == Some(queue)
    };
    let mappings = answer.pointer_mut("/EventSourceMappings").and_then(Value::as_array_mut);
    let mapping = mappings.and_then(|mappings| mappings.iter_mut().find(is_of_queue)).map(Value::take);
    let mapping = mapping.with_context(|| format!("nothing feeds `{function}`"))?;
    let id = mapping.get("UUID").and_then(Value::as_str).context("the mapping has no id")?;
    Request::lambda("DELETE", &format!("/2015-03-31/event-source-mappings/{id}"), "").send(stack).await?;
    Ok(mapping)
}

/// Ends what [`unmap`] began.
///
/// # Errors
/// Fails if the local AWS doesn't do it.
pub async fn map(stack: &Stack, function: Function, mapping: &Value) -> anyhow::Result<()> {
    let kept = ["EventSourceArn", "BatchSize", "FunctionResponseTypes", "ScalingConfig"];
    let mut request = serde_json::json!({"FunctionName": deployed_name(function)});
    for name in kept {
        if let (Some(request), Some(value)) = (request.as_object_mut(), mapping.get(name)) {
            request.insert(name.to_owned(), value.clone());
        }
    }
    Request::lambda("POST", "/2015-03-31/event-source-mappings/", &request.to_string()).send(stack).await?;
    Ok(())
}

/// Sets a channel's log back to a sequence, as a table is that was restored: what came later is gone.
///
/// # Errors
/// Fails if the local AWS doesn't do it.
pub async fn set_back(stack: &Stack, channel: &Channel, to: Seq, from: Seq) -> anyhow::Result<()> {
    let table = &stack.outputs.table_name;
    for seq in to.0 + 1..=from.0 {
        let key = json!({"pk": {"S": format!("LOG#{channel}")}, "sk": {"S": format!("{seq:020}")}});
        let call = json!({"TableName": table, "Key": key, "ConditionExpression": "attribute_exists(pk)"});
        Request::dynamodb("DynamoDB_20120810.DeleteItem", &call).send(stack).await?;
    }
    let call = json!({
        "TableName": table,
        "Key": {"pk": {"S": format!("CH#{channel}")}, "sk": {"S": "@"}},
        "ConditionExpression": "attribute_exists(pk)",
        "UpdateExpression": "SET head = :to, sent = :to",
        "ExpressionAttributeValues": {":to": {"N": to.0.to_string()}},
    });
    Request::dynamodb("DynamoDB_20120810.UpdateItem", &call).send(stack).await.map(drop)
}

/// A call about a policy of a function's role.
fn iam(action: &str, function: Function, policy: &str, rest: &str) -> Request {
    Request::iam(action, &format!("&RoleName={}&PolicyName={policy}{rest}", deployed_name(function)))
}
