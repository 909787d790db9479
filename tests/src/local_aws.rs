//! Calls of a local AWS's APIs without an SDK and without a signature, which only a local AWS accepts.

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stack::{ACCESS_KEY_ID, Stack};

/// A call of an AWS API.
pub(crate) struct Request {
    service: &'static str,
    method: &'static str,
    path: String,
    content_type: &'static str,
    /// What JSON protocols name the operation by.
    target: Option<&'static str>,
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
            content_type: "application/json",
            target: None,
            body: body.to_owned(),
        }
    }

    /// The parameters begin with `&`.
    pub(crate) fn iam(action: &str, parameters: &str) -> Self {
        Self {
            service: "iam",
            method: "POST",
            path: "/".to_owned(),
            content_type: "application/x-www-form-urlencoded",
            target: None,
            body: format!("Action={action}&Version=2010-05-08{parameters}"),
        }
    }

    pub(crate) fn dynamodb(target: &'static str, body: &Value) -> Self {
        Self {
            service: "dynamodb",
            method: "POST",
            path: "/".to_owned(),
            content_type: "application/x-amz-json-1.0",
            target: Some(target),
            body: body.to_string(),
        }
    }

    pub(crate) fn logs(target: &'static str, body: &Value) -> Self {
        Self {
            service: "logs",
            method: "POST",
            path: "/".to_owned(),
            content_type: "application/x-amz-json-1.1",
            target: Some(target),
            body: body.to_string(),
        }
    }

    /// Sends it as HTTP/1.0 on a socket of its own: the answer is whole when the socket closes.
    pub(crate) async fn send(&self, stack: &Stack) -> anyhow::Result<Answer> {
        let Self { service, method, path, content_type, target, body } = self;
        let target = target.map_or_else(String::new, |target| format!("x-amz-target: {target}\r\n"));
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
             content-type: {content_type}\r\n{target}\
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
