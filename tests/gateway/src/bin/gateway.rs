//! Runs a gateway for benchmarks: prints its URL on the first line, and serves until it is stopped. For each line that it reads, it prints what it
//! counted since the last one, as JSON.

use std::fs;
use std::io::stdin;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use hubbub_gateway::{Gateway, Latency, Quota, Settings};

/// API Gateway's @connections on the loopback.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen; port 0 is any free port.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The stage.
    #[arg(long, default_value = "live")]
    stage: String,
    /// Speak TLS, and write the authority's certificate (PEM) to this file.
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,
    /// The account's quota, in posts a second. Without it there is none.
    #[arg(long)]
    rate: Option<f64>,
    /// How many posts pass at once after a rest; half the rate where it isn't given.
    #[arg(long, requires = "rate")]
    burst: Option<f64>,
    /// Requests a second that come in beside the posts, and use up the quota.
    #[arg(long, requires = "rate")]
    inbound: Option<f64>,
    /// The median of an answer's latency, in milliseconds.
    #[arg(long)]
    latency_ms: Option<u64>,
    /// The 99th percentile of an answer's latency, in milliseconds; twice the median where it isn't given.
    #[arg(long, requires = "latency_ms")]
    p99_ms: Option<u64>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let settings = Settings {
        listen: arguments.listen,
        stage: arguments.stage,
        tls: arguments.tls.is_some(),
        quota: arguments.rate.map(|rate| Quota { rate, burst: arguments.burst.unwrap_or(rate / 2.0) }),
        inbound: arguments.inbound,
        latency: arguments.latency_ms.map(|median| Latency {
            median: Duration::from_millis(median),
            p99: Duration::from_millis(arguments.p99_ms.unwrap_or(median * 2)),
        }),
        ..Settings::default()
    };
    let gateway = Gateway::start(settings)?;
    if let (Some(file), Some(pem)) = (&arguments.tls, gateway.authority()) {
        fs::write(file, pem).with_context(|| format!("writing `{}`", file.display()))?;
    }
    println!("{}", gateway.url());
    for line in stdin().lines() {
        line?;
        println!("{}", serde_json::to_string(&gateway.counters())?);
        gateway.reset_counters();
    }
    gateway.join()
}
