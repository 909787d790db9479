//! A poster on `aws-sdk-apigatewaymanagement`, to compare the functions' own with.

use std::time::Duration;

use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::Builder;
use aws_sdk_apigatewaymanagement::config::retry::RetryConfig;
use aws_sdk_apigatewaymanagement::config::timeout::TimeoutConfig;
use aws_sdk_apigatewaymanagement::error::{DisplayErrorContext, SdkError};
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use aws_types::SdkConfig;
use futures::stream::{self, StreamExt};
use hubbub_core::delivery::outcome::Outcome;
use hubbub_core::limits::pace::Rate;
use hubbub_core::ports::Poster;
use hubbub_core::wire::frame::Frame;
use hubbub_core::wire::id::ConnectionId;

/// The tries of a post that is answered 429 or 5xx, with the SDK's jittered backoff between them.
const ATTEMPTS: u32 = 4;

/// A poster on the SDK.
#[derive(Clone, Debug)]
pub struct SdkPoster {
    client: Client,
    concurrency: usize,
}

impl SdkPoster {
    /// Posts to the stage at `callback_url`, at most `concurrency` posts at once, each given up after `timeout`.
    #[must_use]
    pub fn new(config: &SdkConfig, callback_url: &str, concurrency: usize, timeout: Duration) -> Self {
        let timeouts = TimeoutConfig::builder().connect_timeout(timeout).operation_attempt_timeout(timeout).build();
        let config = Builder::from(config)
            .endpoint_url(callback_url)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(config), concurrency }
    }

    async fn post_all(&self, frames: &[Blob], connection: &ConnectionId) -> Outcome {
        for frame in frames {
            let posted =
                self.client.post_to_connection().connection_id(connection.as_str()).data(frame.clone()).send().await;
            if let Err(error) = posted {
                return outcome(connection, &error);
            }
        }
        Outcome::Delivered
    }
}

fn outcome(connection: &ConnectionId, error: &SdkError<PostToConnectionError>) -> Outcome {
    match error.as_service_error() {
        Some(PostToConnectionError::GoneException(_)) => Outcome::Gone,
        Some(PostToConnectionError::LimitExceededException(_)) => Outcome::Throttled,
        _ => {
            tracing::warn!(connection.id = %connection, error = %DisplayErrorContext(error), "post failed");
            Outcome::Failed
        }
    }
}

impl Poster for SdkPoster {
    async fn post(&self, frames: &[Frame], connections: &[ConnectionId]) -> Vec<Outcome> {
        let frames: Vec<Blob> = frames.iter().map(|frame| Blob::new(frame.text.as_bytes())).collect();
        let (frames, mut outcomes) = (&frames, vec![Outcome::Failed; connections.len()]);
        stream::iter(connections.iter().zip(&mut outcomes))
            .for_each_concurrent(self.concurrency, async |(connection, outcome)| {
                *outcome = self.post_all(frames, connection).await;
            })
            .await;
        outcomes
    }

    /// The SDK tries again.
    async fn try_post(&self, frame: &Frame, connections: &[ConnectionId]) -> Vec<Outcome> {
        self.post(std::slice::from_ref(frame), connections).await
    }

    async fn close(&self, connection: &ConnectionId, farewell: &Frame) {
        self.post(std::slice::from_ref(farewell), std::slice::from_ref(connection)).await;
        if let Err(error) = self.client.delete_connection().connection_id(connection.as_str()).send().await {
            tracing::warn!(connection.id = %connection, error = %DisplayErrorContext(error), "socket not closed");
        }
    }

    /// It keeps no rate.
    fn limit(&self, _: Rate) {}
}
