//! Posts a body to many connections, and says how long it took: one of the rivals that `scripts/bench` runs.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use aws_credential_types::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use clap::{Parser, ValueEnum};
use futures::stream::{self, StreamExt};
use hubbub_aws::poster::{ConnectionsPoster, PosterSettings, Trust};
use hubbub_aws::runtime::sdk_config_for;
use hubbub_bench::sdk_poster::SdkPoster;
use hubbub_core::fan_out::{PART, PARTS_AT_ONCE};
use hubbub_core::frame::Frame;
use hubbub_core::id::ConnectionId;
use hubbub_core::message::Seq;
use hubbub_core::outcome::Outcome;
use hubbub_core::ports::Poster;

/// Posts a body to many connections.
#[derive(Debug, Parser)]
struct Arguments {
    /// The stage.
    #[arg(long)]
    url: String,
    /// How many connections.
    #[arg(long)]
    count: usize,
    /// The size of the body.
    #[arg(long, default_value_t = 1_024)]
    bytes: usize,
    /// Posts under way at once.
    #[arg(long, default_value_t = 128)]
    concurrency: usize,
    /// The certificate of the authority that is believed, as PEM, where the stage speaks TLS.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// By what to post.
    #[arg(long)]
    poster: By,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    /// As the functions do.
    Fast,
    /// By aws-sdk-apigatewaymanagement.
    Sdk,
}

/// Long enough for every post; what is given up is not a measurement.
const TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let pem = arguments.ca.as_ref().map(fs::read_to_string).transpose().context("reading the certificate")?;
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token".to_owned()), None, "bench");
    let config = sdk_config_for(Some("us-east-1".to_owned()), None, Some(credentials));
    let Arguments { url, count, bytes, concurrency, poster, .. } = arguments;
    let frames = [Frame { text: "x".repeat(bytes), last: Seq(1) }];
    let connections: Vec<_> = (0..count).map(|number| ConnectionId::new(format!("c-{number}"))).collect();
    let (seconds, outcomes) = match poster {
        By::Fast => {
            let trust = Trust::Only(pem.unwrap_or_default());
            let settings = PosterSettings { concurrency, timeout: TIMEOUT, rate: None, trust };
            let poster = ConnectionsPoster::new(&config, &url, settings)?;
            // In parts, as the fan-out reads them.
            let began = Instant::now();
            let parts = stream::iter(connections.chunks(PART)).map(|part| poster.post(&frames, part));
            let outcomes: Vec<Vec<Outcome>> = parts.buffer_unordered(PARTS_AT_ONCE).collect().await;
            (began.elapsed(), outcomes.concat())
        }
        By::Sdk => {
            let config = match pem {
                None => config,
                Some(pem) => config.into_builder().http_client(https_client(&pem)?).build(),
            };
            let poster = SdkPoster::new(&config, &url, concurrency, TIMEOUT);
            let began = Instant::now();
            let outcomes = poster.post(&frames, &connections).await;
            (began.elapsed(), outcomes)
        }
    };
    let failed = outcomes.iter().filter(|outcome| **outcome != Outcome::Delivered).count();
    println!("{}", serde_json::json!({ "posts": count, "failed": failed, "seconds": seconds.as_secs_f64() }));
    Ok(())
}

/// The SDK's HTTP client, as `hubbub_aws::runtime` makes it, but for whom it believes.
fn https_client(pem: &str) -> anyhow::Result<SharedHttpClient> {
    let trust = TrustStore::empty().with_pem_certificate(pem.as_bytes());
    let context = TlsContext::builder().with_trust_store(trust).build()?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https())
}
