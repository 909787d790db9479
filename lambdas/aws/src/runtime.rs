//! A function's process: logging, configuration, the SDK's configuration, the loop over events, and the errors that Lambda is told.

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
use hubbub_core::functions::Function;
use hubbub_core::names::{env, errors};
use hubbub_core::ports::{Clock, PortError};
use hubbub_core::settings::{Config, ConfigError};
use hubbub_core::wire::time::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, run, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::{fmt, util::SubscriberInitExt};

use crate::metrics::Metered;
use crate::system::System;

/// Calls within a Region are answered in milliseconds. One that takes this long is lost, and tried again.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 4;

#[expect(clippy::disallowed_methods, reason = "this is where the environment comes in")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Serves a function's events until its environment ends.
///
/// # Errors
/// When the Runtime API can't be reached.
pub async fn serve<A, R, F>(handle: impl Fn(A) -> F) -> Result<(), lambda_runtime::Error>
where
    A: DeserializeOwned,
    R: Serialize,
    F: Future<Output = Result<R, FunctionError>>,
{
    // Boxed, so that the SDK's deeply nested futures are laid out once and not moved.
    run(service_fn(|event: LambdaEvent<A>| Box::pin(handle(event.payload)))).await
}

/// As [`serve`], for functions that record metrics or have a deadline. The metrics are written after each event. The handler gets the time by
/// which it must be done, which lies before the end of Lambda's timeout.
///
/// # Errors
/// When the Runtime API can't be reached.
pub async fn serve_metered<A, R, F>(
    env: &Metered,
    handle: impl Fn(A, Timestamp) -> F,
) -> Result<(), lambda_runtime::Error>
where
    A: DeserializeOwned,
    R: Serialize,
    F: Future<Output = Result<R, FunctionError>>,
{
    run(service_fn(|event: LambdaEvent<A>| {
        let end = Timestamp(event.context.deadline);
        let handled = handle(event.payload, done_by(System.now(), end));
        Box::pin(async move {
            let answer = handled.await;
            // Before the answer, because Lambda stops the process after it.
            env.report();
            answer
        })
    }))
    .await
}

/// Five sixths of the time that is left. The last sixth is for posts under way and for the writes that follow them.
fn done_by(now: Timestamp, end: Timestamp) -> Timestamp {
    end.minus(end.since(now) / 6)
}

/// Starts logging as JSON lines, filtered by `HUBBUB_LOG`, or `info` if that isn't set.
pub fn start_tracing() {
    let filter = variable(env::LOG).and_then(|filter| filter.parse::<Targets>().ok());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let json = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    tracing_subscriber::registry().with(json.with_filter(filter)).init();
}

/// In which variable Lambda tells a process its function's handler, which the Pulumi program sets to the function's name.
const HANDLER: &str = "_HANDLER";

/// Which function this process is.
///
/// # Errors
/// When Lambda names none that is known.
pub fn read_function() -> Result<Function, ConfigError> {
    function_of(variable(HANDLER))
}

fn function_of(handler: Option<String>) -> Result<Function, ConfigError> {
    let value = handler.ok_or(ConfigError::Missing(HANDLER))?;
    let allowed = "a function's name".to_owned();
    Function::of_name(&value).ok_or(ConfigError::NotAllowed { variable: HANDLER, value, allowed })
}

/// Reads a function's configuration from its environment.
///
/// # Errors
/// Names the first variable that is missing or bad.
pub fn read_config<C: Config>() -> Result<C, ConfigError> {
    C::read(&variable)
}

/// The SDK's configuration from a function's environment: Region, credentials, and the endpoint, which only local stacks set.
///
/// The credentials are read once, because they outlive the process.
#[must_use]
pub fn sdk_config() -> SdkConfig {
    let credentials = variable("AWS_ACCESS_KEY_ID")
        .zip(variable("AWS_SECRET_ACCESS_KEY"))
        .map(|(id, secret)| Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "environment"));
    sdk_config_for(variable("AWS_REGION"), variable("AWS_ENDPOINT_URL"), credentials)
}

/// The SDK's configuration for a Region. The endpoint takes the place of the Region's own.
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

/// Why an invocation failed, as Lambda and the state machine see it.
#[derive(Debug, Error)]
pub enum FunctionError {
    #[error(transparent)]
    Port(#[from] PortError),
    /// The event can't be read.
    #[error("the event is not what this function takes: {0}")]
    InvalidInput(#[from] serde_json::Error),
    /// The event can be read, but lacks what the function needs.
    #[error("the event is not what this function takes: {0}")]
    WrongEvent(String),
}

impl From<FunctionError> for Diagnostic {
    fn from(error: FunctionError) -> Self {
        let error_type = match &error {
            FunctionError::Port(error) if error.is_retryable() => errors::RETRYABLE,
            FunctionError::Port(_) => errors::FAILED,
            FunctionError::InvalidInput(_) | FunctionError::WrongEvent(_) => errors::INVALID_INPUT,
        };
        tracing::error!(error.type = error_type, %error, "failed");
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handler_names_the_function_of_the_process() {
        assert_eq!(function_of(Some("plan-broadcast".to_owned())), Ok(Function::PlanBroadcast));
    }

    #[test]
    fn process_with_an_unknown_handler_does_not_start() {
        let error = |handler: Option<&str>| function_of(handler.map(ToOwned::to_owned)).unwrap_err().to_string();
        assert_eq!(error(None), "environment variable `_HANDLER` is missing");
        assert_eq!(
            error(Some("bootstrap")),
            "environment variable `_HANDLER` is `bootstrap`, which is not a function's name"
        );
    }

    #[test]
    fn deadline_leaves_a_sixth_of_the_time() {
        assert_eq!(done_by(Timestamp(1_000), Timestamp(7_000)), Timestamp(6_000));
        assert_eq!(done_by(Timestamp(7_000), Timestamp(1_000)), Timestamp(1_000));
    }
}
