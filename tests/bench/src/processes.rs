//! The gateway and DynamoDB, each a process of its own, so that only the senders' own costs are counted.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;

/// A process that prints its address on the first line, and is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Its address.
    pub url: String,
}

/// What the gateway counted.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Counted {
    /// Posts that were answered, by status.
    pub answers: BTreeMap<u16, u64>,
    /// Bytes of the bodies that were taken.
    pub bytes: u64,
    /// Requests that came in beside the posts.
    pub inbound: u64,
    /// Those of them that found the quota used up.
    pub inbound_refused: u64,
}

impl Counted {
    /// How many posts were answered with this status.
    #[must_use]
    pub fn answered(&self, status: u16) -> u64 {
        self.answers.get(&status).copied().unwrap_or_default()
    }
}

impl Process {
    /// Starts a program that lies beside this one.
    ///
    /// # Errors
    /// When it isn't there, or doesn't say its address.
    pub fn start(name: &str, arguments: &[String]) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name(name);
        let mut child =
            Command::new(&program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().with_context(
                || format!("starting `{}`: build it with `cargo build --release --workspace`", program.display()),
            )?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("`{name}` has no pipes");
        };
        let mut process = Self { child, stdin, stdout: BufReader::new(stdout), url: String::new() };
        process.url = process.line()?;
        Ok(process)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            bail!("the process behind `{}` has ended", self.url);
        }
        Ok(line.trim_end().to_owned())
    }

    /// What a gateway counted since the last time.
    ///
    /// # Errors
    /// When it isn't a gateway, or has ended.
    pub fn counted(&mut self) -> anyhow::Result<Counted> {
        writeln!(self.stdin)?;
        let line = self.line()?;
        serde_json::from_str(&line).with_context(|| format!("`{line}` are not counters"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the gateway is like.
#[derive(Clone, Copy, Debug)]
pub struct Gateway {
    /// The account's quota, in requests a second, if any.
    pub rate: Option<f64>,
    /// Requests a second that come in beside the posts.
    pub inbound: f64,
}

/// The median and the 99th percentile of an answer's latency, in milliseconds: as is told of posts within a Region.
const LATENCY_MS: (u64, u64) = (15, 45);

/// Starts a gateway.
///
/// # Errors
/// As [`Process::start`].
pub fn start_gateway(gateway: Gateway) -> anyhow::Result<Process> {
    let mut arguments = vec![format!("--latency-ms={}", LATENCY_MS.0), format!("--p99-ms={}", LATENCY_MS.1)];
    if let Some(rate) = gateway.rate {
        arguments.push(format!("--rate={rate}"));
        arguments.push(format!("--inbound={}", gateway.inbound));
    }
    Process::start("gateway", &arguments)
}

/// Starts DynamoDB.
///
/// # Errors
/// As [`Process::start`].
pub fn start_dynamodb() -> anyhow::Result<Process> {
    Process::start("dynamodb", &[])
}
