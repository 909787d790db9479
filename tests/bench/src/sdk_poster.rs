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
pub(crate) struct SdkPoster {
    client: Client,
    concurrency: usize,
}

impl SdkPoster {
    /// Posts to the stage at `callback_url`, at most `concurrency` posts at once, each given up after `timeout`.
    #[must_use]
    pub(crate) fn new(config: &SdkConfig, callback_url: &str, concurrency: usize, timeout: Duration) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::Credentials;
    use hubbub_aws::poster::target::Target;
    use hubbub_aws::poster::{ConnectionsPoster, PosterSettings, Trust};
    use hubbub_aws::runtime::sdk_config_for;
    use hubbub_core::wire::message::Seq;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const IDS: [&str; 6] = ["L0SM9cOFvHcCIhw=", "a+b=", "a/b", "two words", "~._-", "é%41?&#@:"];

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// What a poster sends: the path, the content type, and the body.
    type Sent = (String, String, String);

    /// Takes one request, and answers 200.
    async fn take_one(listener: &TcpListener) -> Sent {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        loop {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
            let text = String::from_utf8_lossy(&read).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let header = |wanted: &str| {
                let lines = head.lines().filter_map(|line| line.split_once(": "));
                lines
                    .clone()
                    .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                    .map(|(_, value)| value.to_owned())
                    .unwrap()
            };
            if body.len() == header("content-length").parse::<usize>().unwrap() {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
                let path = head.split(' ').nth(1).unwrap().to_owned();
                return (path, header("content-type"), body.to_owned());
            }
        }
    }

    #[tokio::test]
    async fn both_posters_send_the_same_requests() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/live", listener.local_addr().unwrap());
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("a/session+token==".to_owned()), None, "test");
        let config = sdk_config_for(Some("eu-west-1".to_owned()), None, Some(credentials));
        let settings = PosterSettings { concurrency: 1, timeout: TIMEOUT, rate: None, trust: Trust::Native };
        let (sdk, own) =
            (SdkPoster::new(&config, &url, 1, TIMEOUT), ConnectionsPoster::new(&config, &url, settings).unwrap());
        let frames = [Frame { text: "{}".to_owned(), last: Seq(1) }];
        for id in IDS {
            let connections = [ConnectionId::new(id)];
            let (_, by_sdk) = tokio::join!(sdk.post(&frames, &connections), take_one(&listener));
            let (_, by_own) = tokio::join!(own.post(&frames, &connections), take_one(&listener));
            assert_eq!(by_sdk, by_own, "{id}");
            assert_eq!(by_own.0, Target::parse(&url, &Trust::Native).unwrap().path(&connections[0]));
        }
    }
}
