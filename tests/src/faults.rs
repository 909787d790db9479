//! Breaking parts of a local stack on purpose.
//!
//! This speaks to Lambda's API without an SDK and without a signature, which only a local AWS accepts.

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stack::{ACCESS_KEY_ID, Stack};

/// The name of the function that forgets connections, in a local stack.
const DISCONNECT: &str = "hubbub-local-disconnect";

/// Makes every `$disconnect` get lost from here on, as API Gateway may: it promises no more than its best effort. The function is
/// given no concurrency, so each of its calls is turned away.
///
/// # Errors
/// Fails if the local AWS doesn't do it.
pub async fn lose_disconnects(stack: &Stack) -> anyhow::Result<()> {
    let path = format!("/2017-10-31/functions/{DISCONNECT}/concurrency");
    call(stack, "PUT", &path, r#"{"ReservedConcurrentExecutions":0}"#).await
}

/// Ends what [`lose_disconnects`] began. What was lost stays lost.
///
/// # Errors
/// Fails if the local AWS doesn't do it.
pub async fn keep_disconnects(stack: &Stack) -> anyhow::Result<()> {
    let path = format!("/2017-10-31/functions/{DISCONNECT}/concurrency");
    call(stack, "DELETE", &path, "").await
}

/// One HTTP/1.1 request on a socket of its own.
async fn call(stack: &Stack, method: &str, path: &str, body: &str) -> anyhow::Result<()> {
    let endpoint = &stack.outputs.aws_endpoint;
    let host = endpoint
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'))
        .with_context(|| format!("`{endpoint}` is not a local AWS"))?;
    let region = &stack.outputs.region;
    let request = format!(
        "{method} {path} HTTP/1.1\r\n\
         host: {host}\r\n\
         authorization: AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/20260101/{region}/lambda/aws4_request, \
         SignedHeaders=host, Signature=none\r\n\
         content-type: application/json\r\n\
         content-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    let mut socket = TcpStream::connect(host)
        .await
        .with_context(|| format!("`{host}` can't be reached"))?;
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        bail!(
            "{method} {path} was answered with `{}`",
            answer.lines().next().unwrap_or_default()
        );
    }
    Ok(())
}
