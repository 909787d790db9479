//! `receive`: answers clients' frames, on every route but `$connect` and `$disconnect`.

use aws_lambda_events::encodings::Body;
use aws_lambda_events::event::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use hubbub_aws::runtime::FunctionError;
use hubbub_aws::socket_event::{caller, ok};
use hubbub_core::actions::ClientHandler;
use hubbub_core::limits::budget::Budget;
use hubbub_core::limits::turns::PublishRate;
use hubbub_core::ports::{Bans, Clock, Ids, Limits, Log, Members, Meter, Poster, PublishQueue, Senders};
use hubbub_core::settings::ReceiveConfig;
use hubbub_core::transport::API_GATEWAY;

/// Handles clients' frames.
#[derive(Clone, Debug)]
pub struct Handler<S, Q, P, E>(ClientHandler<S, Q, P, E>);

/// What `receive` reads, writes, posts to and sends to.
#[derive(Clone, Debug)]
pub struct Ports<S, Q, P, E> {
    pub store: S,
    pub queue: Q,
    pub poster: P,
    pub env: E,
}

impl<S, Q, P, E> Handler<S, Q, P, E>
where
    S: Bans + Limits + Log + Members + Senders,
    Q: PublishQueue,
    P: Poster,
    E: Clock + Ids + Meter,
{
    pub fn new(config: &ReceiveConfig, Ports { store, queue, poster, env }: Ports<S, Q, P, E>) -> Self {
        Self(ClientHandler {
            store,
            queue,
            poster,
            env,
            max_body_bytes: usize::try_from(config.max_body_bytes).unwrap_or(usize::MAX),
            shard_members: config.shard_members,
            user_rate: PublishRate { per_second: config.user_rate, burst: config.user_burst },
            max_rooms: config.max_rooms,
            budget: Budget::of(config.callback_rps),
            transport: API_GATEWAY,
        })
    }

    /// Answers a frame. API Gateway sends the response's body to the socket, because the routes have route responses.
    ///
    /// # Errors
    /// When the event isn't a WebSocket API's. Nothing that a client sends makes this fail.
    pub async fn handle(
        &self,
        event: ApiGatewayWebsocketProxyRequest,
    ) -> Result<ApiGatewayProxyResponse, FunctionError> {
        let caller = caller(&event)?;
        let answer = self.0.answer(&caller, event.body.as_deref().unwrap_or_default()).await;
        let mut response = ok();
        response.body = Some(Body::Text(serde_json::to_string(&answer)?));
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use hubbub_core::members::membership;
    use hubbub_testkit::fixtures::{Recorder, TestEnv, connection};
    use hubbub_testkit::memory::MemoryStore;

    use super::*;
    use crate::testing::config;

    fn answer(body: Option<&str>) -> String {
        let (store, env) = (MemoryStore::default(), TestEnv::at(1_700_000_000_200));
        let one = connection("L0SM9cOFvHcCIhw=", "alice", 1_700_000_000_123);
        block_on(membership::connect(&store, &env, &one, 2_000)).unwrap();
        let ports = Ports { store, queue: Recorder::default(), poster: Recorder::default(), env };
        let handler = Handler::new(&config(), ports);
        let mut event: ApiGatewayWebsocketProxyRequest =
            serde_json::from_str(include_str!("../events/join.json")).unwrap();
        if let Some(body) = body {
            event.body = Some(body.to_owned());
        }
        let response = block_on(handler.handle(event)).unwrap();
        let Some(Body::Text(text)) = response.body else { panic!("no text") };
        text
    }

    #[test]
    fn answer_is_the_body_of_the_response() {
        let expected =
            r#"{"type":"joined","channel":"room:lobby","epoch":"00000000000000000000000002","head":0,"ref":"1"}"#;
        assert_eq!(answer(None), expected);
    }

    #[test]
    fn text_that_is_no_frame_is_answered_with_an_error() {
        assert!(answer(Some("")).starts_with(r#"{"type":"error","code":"not_json""#));
        assert!(answer(Some("\u{0}")).starts_with(r#"{"type":"error","code":"not_json""#));
    }
}
