//! Breaking parts of a local stack on purpose.
//!
//! This speaks to Lambda's and IAM's APIs without an SDK and without a signature, which only a local AWS accepts.

use std::time::Duration;

use anyhow::{Context, bail};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::processes::Function;
use crate::stack::{ACCESS_KEY_ID, Stack};

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
    Request::iam("PutRolePolicy", function, REFUSAL, &document).send(stack).await?;
    Ok(())
}

/// Ends what [`refuse`] began.
///
/// # Errors
/// Fails if the local AWS doesn't do it.
pub async fn stop_refusing(stack: &Stack, function: Function) -> anyhow::Result<()> {
    Request::iam("DeleteRolePolicy", function, REFUSAL, "").send(stack).await?;
    Ok(())
}

/// The document of the policy that a function was deployed with.
///
/// # Errors
/// Fails if the local AWS doesn't say it.
pub async fn policy(stack: &Stack, function: Function) -> anyhow::Result<String> {
    let answer = Request::iam("GetRolePolicy", function, &function.deployed_name(), "").send(stack).await?;
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
    Request::iam("PutRolePolicy", function, &function.deployed_name(), &document).send(stack).await?;
    Ok(())
}

/// Sets a variable of a function's environment; what it was before.
///
/// # Errors
/// Fails if the local AWS doesn't do it, or the function has no such variable.
pub async fn set_variable(stack: &Stack, function: Function, name: &str, value: &str) -> anyhow::Result<String> {
    let path = format!("/2015-03-31/functions/{}/configuration", function.deployed_name());
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

/// Takes the mapping away that feeds a function; what [`map`] needs to bring it back.
///
/// # Errors
/// Fails if the local AWS doesn't do it, or the function has none.
pub async fn unmap(stack: &Stack, function: Function) -> anyhow::Result<Value> {
    let path = format!("/2015-03-31/event-source-mappings/?FunctionName={}", function.deployed_name());
    let answer = Request::lambda("GET", &path, "").send(stack).await?;
    let mut answer: Value = serde_json::from_str(&answer.body)?;
    let mapping = answer.pointer_mut("/EventSourceMappings/0").map(Value::take);
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
    let mut request = serde_json::json!({"FunctionName": function.deployed_name()});
    for name in kept {
        if let (Some(request), Some(value)) = (request.as_object_mut(), mapping.get(name)) {
            request.insert(name.to_owned(), value.clone());
        }
    }
    Request::lambda("POST", "/2015-03-31/event-source-mappings/", &request.to_string()).send(stack).await?;
    Ok(())
}

/// A call of an AWS API.
struct Request {
    service: &'static str,
    method: &'static str,
    path: String,
    content_type: &'static str,
    body: String,
}

/// What it was answered with.
struct Answer {
    head: String,
    body: String,
}

impl Request {
    fn lambda(method: &'static str, path: &str, body: &str) -> Self {
        Self {
            service: "lambda",
            method,
            path: path.to_owned(),
            content_type: "application/json",
            body: body.to_owned(),
        }
    }

    fn iam(action: &str, function: Function, policy: &str, rest: &str) -> Self {
        let role = function.deployed_name();
        Self {
            service: "iam",
            method: "POST",
            path: "/".to_owned(),
            content_type: "application/x-www-form-urlencoded",
            body: format!("Action={action}&Version=2010-05-08&RoleName={role}&PolicyName={policy}{rest}"),
        }
    }

    /// Sends it as HTTP/1.0 on a socket of its own: the answer is whole when the socket closes.
    async fn send(&self, stack: &Stack) -> anyhow::Result<Answer> {
        let Self { service, method, path, content_type, body } = self;
        let endpoint = &stack.outputs.aws_endpoint;
        let host = endpoint
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'))
            .with_context(|| format!("`{endpoint}` is not a local AWS"))?;
        let region = &stack.outputs.region;
        let request = format!(
            "{method} {path} HTTP/1.0\r\n\
             host: {host}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/20260101/{region}/{service}/aws4_request, \
             SignedHeaders=host, Signature=none\r\n\
             content-type: {content_type}\r\n\
             content-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        );
        let mut socket = TcpStream::connect(host).await.with_context(|| format!("`{host}` can't be reached"))?;
        socket.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) =
            answer.split_once("\r\n\r\n").with_context(|| format!("{method} {path} was not answered"))?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if !status.starts_with('2') {
            bail!("{method} {path} was answered with `{}`", head.lines().next().unwrap_or_default());
        }
        Ok(Answer { head: head.to_owned(), body: body.to_owned() })
    }
}
