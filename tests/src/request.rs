//! Calls of AWS's APIs without an SDK and without a signature, which only a local AWS accepts.

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::processes::Function;
use crate::stack::{ACCESS_KEY_ID, Stack};

/// The name of the policy that takes permissions away.
const REFUSAL: &str = "refusal";

/// A call of an AWS API.
pub(crate) struct Request {
    service: &'static str,
    method: &'static str,
    path: String,
    target: String,
    content_type: &'static str,
    body: String,
}

/// What it was answered with.
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn lambda(method: &'static str, path: &str, body: &str) -> Self {
        Self {
            service: "lambda",
            method,
            path: path.to_owned(),
            target: String::new(),
            content_type: "application/json",
            body: body.to_owned(),
        }
    }

    pub(crate) fn iam(action: &str, function: Function, rest: &str) -> Self {
        let role = function.deployed_name();
        Self {
            service: "iam",
            method: "POST",
            path: "/".to_owned(),
            target: String::new(),
            content_type: "application/x-www-form-urlencoded",
            body: format!("Action={action}&Version=2010-05-08&RoleName={role}&PolicyName={REFUSAL}{rest}"),
        }
    }

    pub(crate) fn logs(action: &str, input: &Value) -> Self {
        Self {
            service: "logs",
            method: "POST",
            path: "/".to_owned(),
            target: format!("x-amz-target: Logs_20140328.{action}\r\n"),
            content_type: "application/x-amz-json-1.1",
            body: input.to_string(),
        }
    }

    /// Sends it as HTTP/1.0 on a socket of its own: the answer is whole when the socket closes.
    pub(crate) async fn send(&self, stack: &Stack) -> anyhow::Result<Answer> {
        let Self { service, method, path, target, content_type, body } = self;
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
             {target}content-type: {content_type}\r\n\
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
