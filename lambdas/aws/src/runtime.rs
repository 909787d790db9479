//! What every function begins and ends with: tracing, configuration, the SDK's configuration, and errors at the edge.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use hubbub_core::config::{Config, ConfigError};
use hubbub_core::names::{env, errors};
use hubbub_core::ports::{Clock, PortError};
use hubbub_core::time::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, run, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::{fmt, util::SubscriberInitExt};

use crate::metrics::Metered;
use crate::system::System;

/// A call to a service in the same Region answers in milliseconds; one that takes this long has lost its way.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 4;

#[expect(clippy::disallowed_methods, reason = "this is where the environment comes in")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Serves a function's events until its environment ends: what `main` ends with.
///
/// # Errors
/// When the Runtime API can't be reached.
pub async fn serve<A, R, F>(handle: impl Fn(A) -> F) -> Result<(), lambda_runtime::Error>
where
    A: DeserializeOwned,
    R: Serialize,
    F: Future<Output = Result<R, Fault>>,
{
    // Boxed, so that the SDK's deeply nested futures are laid out once and not moved.
    run(service_fn(|event: LambdaEvent<A>| Box::pin(handle(event.payload)))).await
}

/// As [`serve`], for functions that record metrics, which are written behind each event; and for work that may take all of a function's
/// time: it is told by when to be done, some time before Lambda ends it.
///
/// # Errors
/// When the Runtime API can't be reached.
pub async fn serve_metered<A, R, F>(
    world: &Metered,
    handle: impl Fn(A, Timestamp) -> F,
) -> Result<(), lambda_runtime::Error>
where
    A: DeserializeOwned,
    R: Serialize,
    F: Future<Output = Result<R, Fault>>,
{
    run(service_fn(|event: LambdaEvent<A>| {
        let end = Timestamp(event.context.deadline);
        let handled = handle(event.payload, done_by(System.now(), end));
        Box::pin(async move {
            let answer = handled.await;
            // Before the answer, because Lambda stops the process behind it.
            world.report();
            answer
        })
    }))
    .await
}

/// What is left of a function's time, but for a sixth: for the posts that are under way then, and for what comes behind them.
fn done_by(now: Timestamp, end: Timestamp) -> Timestamp {
    end.minus(end.since(now) / 6)
}

/// Starts logging as JSON lines, filtered by `HUBBUB_LOG` (`info` where it isn't set).
pub fn start_tracing() {
    let filter = variable(env::LOG).and_then(|filter| filter.parse::<Targets>().ok());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let json = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    tracing_subscriber::registry().with(json.with_filter(filter)).init();
}

/// Reads a function's configuration from its environment.
///
/// # Errors
/// Names the first variable that is missing or bad.
pub fn read_config<C: Config>() -> Result<C, ConfigError> {
    C::read(&variable)
}

/// The SDK's configuration from what Lambda puts into a function's environment: Region, credentials, and an endpoint where there is
/// one.
///
/// The credentials are read once. Lambda gives an environment's processes credentials that outlive them.
#[must_use]
pub fn sdk_config() -> SdkConfig {
    let credentials = variable("AWS_ACCESS_KEY_ID")
        .zip(variable("AWS_SECRET_ACCESS_KEY"))
        .map(|(id, secret)| Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "environment"));
    sdk_config_for(variable("AWS_REGION"), variable("AWS_ENDPOINT_URL"), credentials)
}

/// The SDK's configuration for a Region, an endpoint other than the Region's own, and credentials.
#[must_use]
pub fn sdk_config_for(region: Option<String>, endpoint: Option<String>, credentials: Option<Credentials>) -> SdkConfig {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts);
    config.set_region(region.map(Region::new));
    config.set_endpoint_url(endpoint);
    config.set_credentials_provider(credentials.map(SharedCredentialsProvider::new));
    config.build()
}

/// A function's failure, as its caller sees it.
#[derive(Debug, Error)]
pub enum Fault {
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The event isn't what the function takes.
    #[error("the event is not what this function takes: {0}")]
    InvalidInput(#[from] serde_json::Error),
    /// The event has the right form, but not what the function needs.
    #[error("the event is not what this function takes: {0}")]
    WrongEvent(String),
}

impl From<Fault> for Diagnostic {
    fn from(fault: Fault) -> Self {
        let error_type = match &fault {
            Fault::Port(error) if error.is_retryable() => errors::RETRYABLE,
            Fault::Port(_) => errors::FAILED,
            Fault::InvalidInput(_) | Fault::WrongEvent(_) => errors::INVALID_INPUT,
        };
        tracing::error!(error.type = error_type, error = %fault, "failed");
        Self { error_type: error_type.to_owned(), error_message: fault.to_string() }
    }
}
