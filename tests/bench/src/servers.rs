//! The gateway and DynamoDB. Each is a process of its own, so that a sender's CPU time and memory are the sender's alone.

use std::fs;
use std::io::{self, BufRead, BufReader, Write, stdin};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use hubbub_gateway::{Counters, Gateway, Latency, Quota, Settings};

/// An answer's latency, as is told of posts within a Region.
const LATENCY: Latency = Latency { median: Duration::from_millis(15), p99: Duration::from_millis(45) };

#[derive(Debug, Default, Args)]
pub(crate) struct GatewayArguments {
    /// Speak TLS, and write the authority's certificate (PEM) to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) tls: Option<PathBuf>,
    /// The account's quota, in posts a second
    #[arg(long, value_name = "PER_SECOND")]
    pub(crate) rate: Option<f64>,
    /// Requests a second that come in beside the posts and use up the quota
    #[arg(long, requires = "rate", value_name = "PER_SECOND")]
    pub(crate) inbound: Option<f64>,
    /// Answer after 15 ms (99th percentile: 45 ms), as over a network
    #[arg(long)]
    pub(crate) latency: bool,
}

/// Serves until its standard input ends, so that no server outlives the process that started it.
pub(crate) fn serve_gateway(arguments: &GatewayArguments) -> anyhow::Result<()> {
    let gateway = Gateway::start(Settings {
        tls: arguments.tls.is_some(),
        quota: arguments.rate.map(|rate| Quota { rate, burst: rate / 2.0 }),
        inbound: arguments.inbound,
        latency: arguments.latency.then_some(LATENCY),
        ..Settings::default()
    })?;
    if let (Some(file), Some(pem)) = (&arguments.tls, gateway.authority()) {
        fs::write(file, pem).with_context(|| format!("writing `{}`", file.display()))?;
    }
    println!("{}", gateway.url());
    for line in stdin().lines() {
        line?;
        println!("{}", serde_json::to_string(&gateway.counters())?);
        gateway.reset_counters();
    }
    Ok(())
}

/// Serves until its standard input ends.
pub(crate) async fn serve_dynamodb() -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    tokio::select! {
        () = dynoxide::server::serve_on(listener, dynoxide::Database::memory()?) => bail!("DynamoDB's server has ended"),
        read = tokio::task::spawn_blocking(|| io::copy(&mut stdin(), &mut io::sink())) => read?.map(|_| ()).map_err(Into::into),
    }
}

/// A process of this program that serves. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    pub(crate) url: String,
}

impl Server {
    /// Starts a gateway that answers like one that is far away.
    pub(crate) fn start_gateway(rate: Option<f64>, inbound: f64) -> anyhow::Result<Self> {
        let mut arguments = vec!["gateway".to_owned(), "--latency".to_owned()];
        if let Some(rate) = rate {
            arguments.push(format!("--rate={rate}"));
            arguments.push(format!("--inbound={inbound}"));
        }
        Self::start(&arguments)
    }

    pub(crate) fn start_dynamodb() -> anyhow::Result<Self> {
        Self::start(&["dynamodb".to_owned()])
    }

    fn start(arguments: &[String]) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {arguments:?}"))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the server has no pipes");
        };
        let mut server = Self { child, stdin, stdout: BufReader::new(stdout), url: String::new() };
        server.url = server.line()?;
        Ok(server)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            bail!("the server at `{}` has ended", self.url);
        }
        Ok(line.trim_end().to_owned())
    }

    /// What a gateway has counted since the last call.
    pub(crate) fn counters(&mut self) -> anyhow::Result<Counters> {
        writeln!(self.stdin)?;
        let line = self.line()?;
        serde_json::from_str(&line).with_context(|| format!("`{line}` is not what a gateway counts"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
