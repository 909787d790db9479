//! Requests written by hand: bytes over TCP, and the status that comes back.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::attacker::Attacker;
use crate::socket::PATIENCE;

/// A handshake that is correct, but for the additions.
pub(crate) fn handshake(host: &str, path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Status(u16),
    /// The stream ended first.
    HungUp,
    /// Nothing came for as long as we waited.
    Silence,
}

impl Reply {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Status(status) => format!("HTTP {status}"),
            Self::HungUp => "hung up".to_owned(),
            Self::Silence => "no answer".to_owned(),
        }
    }
}

/// Sends bytes, and waits for the first line of the answer.
///
/// # Errors
/// Fails if the stack can't be reached.
pub(crate) async fn send(attacker: &Attacker, bytes: &[u8]) -> anyhow::Result<Reply> {
    send_for(attacker, bytes, PATIENCE).await
}

/// As [`send`], but hangs up after this time.
///
/// # Errors
/// Fails if the stack can't be reached.
pub(crate) async fn send_for(attacker: &Attacker, bytes: &[u8], patience: Duration) -> anyhow::Result<Reply> {
    let mut stream = TcpStream::connect(attacker.host()?.0).await?;
    let exchange = async {
        // A server that refuses before it has read everything has already answered.
        let _ = stream.write_all(bytes).await;
        let mut line = Vec::new();
        let mut buffer = [0; 256];
        while !line.contains(&b'\n') {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return Reply::HungUp,
                Ok(count) => line.extend(buffer.iter().take(count)),
            }
        }
        status(&line).map_or(Reply::HungUp, Reply::Status)
    };
    Ok(timeout(patience, exchange).await.unwrap_or(Reply::Silence))
}

fn status(line: &[u8]) -> Option<u16> {
    String::from_utf8_lossy(line).split(' ').nth(1)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_the_second_word_of_the_first_line() {
        assert_eq!(status(b"HTTP/1.1 403 \r\ndate: x\r\n"), Some(403));
        assert_eq!(status(b"HTTP/1.1 101\r\n"), Some(101));
        assert_eq!(status(b"garbage\n"), None);
    }
}
