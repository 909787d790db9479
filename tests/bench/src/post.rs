//! Posts batches of messages, by Hubbub's own poster or by the SDK's.
//!
//! The rivals in other languages do the same: as many batches, one after the other, by one client. The first batches show what a process
//! costs that has only just started, the last ones what it costs when it is warm. The start itself is in none of them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::sdk_poster::SdkPoster;
use anyhow::Context;
use aws_credential_types::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use clap::{Args, ValueEnum};
use hubbub_aws::poster::{ConnectionsPoster, PosterSettings, Trust};
use hubbub_aws::runtime::sdk_config_for;
use hubbub_core::delivery::outcome::Outcome;
use hubbub_core::ports::Poster;
use hubbub_core::wire::frame::Frame;
use hubbub_core::wire::id::ConnectionId;
use hubbub_core::wire::message::Seq;
use serde::{Deserialize, Serialize};

use crate::usage;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How to post
    #[arg(long)]
    poster: By,
    /// What to post, as JSON: `url`, `ca` (a PEM file), `batches`, `batch_posts`, `body_bytes` and `concurrency`
    #[arg(value_parser = |text: &str| serde_json::from_str::<Work>(text))]
    work: Work,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    /// As the functions do
    Hubbub,
    /// By aws-sdk-apigatewaymanagement
    Sdk,
}

/// What every sender is given.
#[derive(Clone, Debug, Deserialize)]
struct Work {
    url: String,
    ca: PathBuf,
    batches: usize,
    batch_posts: usize,
    body_bytes: usize,
    concurrency: usize,
}

/// What every sender prints.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    start_cpu_ms: f64,
    /// Of each batch.
    cpu_us_per_post: Vec<f64>,
    failed: usize,
    peak_mib: f64,
}

/// Long enough for every post; what is given up is not a measurement.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Posts, and counts the CPU time of each batch.
pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<Measured> {
    let Arguments { poster, work } = arguments;
    let pem = fs::read_to_string(&work.ca).with_context(|| format!("reading `{}`", work.ca.display()))?;
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token".to_owned()), None, "bench");
    let config = sdk_config_for(Some("us-east-1".to_owned()), None, Some(credentials));
    match poster {
        By::Hubbub => {
            let settings =
                PosterSettings { concurrency: work.concurrency, timeout: TIMEOUT, rate: None, trust: Trust::Only(pem) };
            post(&ConnectionsPoster::new(&config, &work.url, settings)?, work).await
        }
        By::Sdk => {
            let config = config.into_builder().http_client(https_client(&pem)?).build();
            post(&SdkPoster::new(&config, &work.url, work.concurrency, TIMEOUT), work).await
        }
    }
}

async fn post(poster: &impl Poster, work: &Work) -> anyhow::Result<Measured> {
    let frames = [Frame { text: "x".repeat(work.body_bytes), last: Seq(1) }];
    let connections: Vec<_> = (0..work.batch_posts).map(|number| ConnectionId::new(format!("c-{number}"))).collect();
    let start = usage::cpu_time();
    let (mut cpu_us_per_post, mut failed, mut before) = (Vec::new(), 0, start);
    for _ in 0..work.batches {
        let outcomes = poster.post(&frames, &connections).await;
        failed += outcomes.iter().filter(|outcome| **outcome != Outcome::Delivered).count();
        let now = usage::cpu_time();
        cpu_us_per_post.push((now - before).as_secs_f64() * 1e6 / work.batch_posts as f64);
        before = now;
    }
    let start_cpu_ms = start.as_secs_f64() * 1e3;
    Ok(Measured { start_cpu_ms, cpu_us_per_post, failed, peak_mib: usage::peak_memory_mib()? })
}

/// The SDK's HTTP client as `hubbub_aws::runtime` makes it, but it trusts the gateway's certificate.
fn https_client(pem: &str) -> anyhow::Result<SharedHttpClient> {
    let trust = TrustStore::empty().with_pem_certificate(pem.as_bytes());
    let context = TlsContext::builder().with_trust_store(trust).build()?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https())
}
