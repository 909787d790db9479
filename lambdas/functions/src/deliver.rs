//! `deliver`: appends messages of the publish queue to their channels' logs, and fans them out or starts a broadcast.

use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use hubbub_aws::runtime::FunctionError;
use hubbub_core::delivery::deliver::{Delivery, Record};
use hubbub_core::delivery::fan_out::FanOut;
use hubbub_core::limits::budget::Budget;
use hubbub_core::names::REDRIVEN;
use hubbub_core::ports::{Bans, Broadcasts, Clock, DeadLetters, Ids, Log, Members, Meter, Poster, Receipts, Senders};
use hubbub_core::settings::DeliverConfig;
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::time::Timestamp;

/// Handles batches of the publish queue.
#[derive(Clone, Debug)]
pub struct Handler<S, B, D, P, E>(Delivery<S, B, D, P, E>);

/// What `deliver` reads, writes, starts, posts to and sends to.
#[derive(Clone, Debug)]
pub struct Ports<S, B, D, P, E> {
    pub store: S,
    pub broadcasts: B,
    pub dead_letters: D,
    pub poster: P,
    pub env: E,
}

impl<S, B, D, P, E> Handler<S, B, D, P, E>
where
    S: Bans + Log + Members + Receipts + Senders,
    B: Broadcasts,
    D: DeadLetters,
    P: Poster,
    E: Clock + Ids + Meter,
{
    pub fn new(config: &DeliverConfig, ports: Ports<S, B, D, P, E>) -> Self {
        let Ports { store, broadcasts, dead_letters, poster, env } = ports;
        Self(Delivery {
            fan_out: FanOut::of_new_sender(store, poster, env, Budget::of(config.callback_rps), API_GATEWAY),
            broadcasts,
            dead_letters,
            max_body_bytes: usize::try_from(config.max_body_bytes).unwrap_or(usize::MAX),
            retention: Duration::from_secs(config.retention_seconds),
            inline_limit: config.inline_limit,
            lease: Duration::from_secs(config.lease_seconds),
            large: Default::default(),
        })
    }

    /// Delivers a batch, and names the messages that the queue must deliver again.
    ///
    /// # Errors
    /// When the event isn't a FIFO queue's. The queue then delivers the whole batch again.
    pub async fn handle(&self, event: SqsEvent, deadline: Timestamp) -> Result<SqsBatchResponse, FunctionError> {
        let records = event.records.into_iter().map(record).collect::<Result<_, _>>()?;
        let mut response = SqsBatchResponse::default();
        response.set_failures(self.0.deliver(records, deadline).await);
        Ok(response)
    }
}

fn record(message: SqsMessage) -> Result<Record, FunctionError> {
    let missing = |name: &str| FunctionError::WrongEvent(format!("a record has no `{name}`"));
    let attribute = |name: &str| message.attributes.get(name).ok_or_else(|| missing(name));
    let number = |name: &str| attribute(name)?.parse::<u64>().map_err(|_| missing(name));
    Ok(Record {
        group: attribute("MessageGroupId")?.clone(),
        sent_at: Timestamp(number("SentTimestamp")?),
        receives: u32::try_from(number("ApproximateReceiveCount")?).unwrap_or(u32::MAX),
        redriven: message
            .message_attributes
            .get(REDRIVEN)
            .is_some_and(|attribute| attribute.string_value.as_deref() == Some("true")),
        queue_id: message.message_id.ok_or_else(|| missing("messageId"))?,
        body: message.body.unwrap_or_default(),
        source: message.event_source_arn.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use hubbub_core::members::membership;
    use hubbub_core::wire::id::ConnectionId;
    use hubbub_testkit::fixtures::{Recorder, TestEnv, connection, envelope, room};
    use hubbub_testkit::memory::MemoryStore;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::config;

    const NOW: u64 = 1_000_000;

    fn message(id: &str, body: &str) -> Value {
        json!({
            "messageId": id,
            "body": body,
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:chat-publish.fifo",
            "attributes": {
                "MessageGroupId": "room:lobby", "SentTimestamp": NOW.to_string(), "ApproximateReceiveCount": "1"
            },
        })
    }

    /// Hands messages to the function, which serves the room `lobby` with the member `w`; what its ports have seen.
    fn deliver(messages: &[Value]) -> Result<(SqsBatchResponse, Recorder), FunctionError> {
        let (store, recorder, env) = (MemoryStore::default(), Recorder::default(), TestEnv::at(NOW));
        let member = connection("w", "member", NOW - 60_000);
        block_on(membership::join(&store, &env, &member, &room("lobby"), 2_000)).unwrap();
        let ports = Ports {
            store,
            broadcasts: recorder.clone(),
            dead_letters: recorder.clone(),
            poster: recorder.clone(),
            env,
        };
        let event = serde_json::from_value(json!({ "Records": messages })).unwrap();
        let response = block_on(Handler::new(&config(), ports).handle(event, Timestamp(NOW + 10_000)))?;
        Ok((response, recorder))
    }

    #[test]
    fn published_message_is_posted_to_the_member() {
        let published = envelope("alice", "m-1").to_json().unwrap();
        let (response, recorder) = deliver(&[message("q-1", &published)]).unwrap();
        assert_eq!(response.batch_item_failures.len(), 0);
        assert_eq!(recorder.seen().posted[&ConnectionId::new("w")].len(), 1);
    }

    #[test]
    fn message_that_is_none_becomes_a_dead_letter() {
        let (response, recorder) = deliver(&[message("q-1", "room:lobby")]).unwrap();
        assert_eq!(response.batch_item_failures.len(), 0);
        let seen = recorder.seen();
        assert_eq!((seen.buried.len(), seen.posted.len()), (1, 0));
        assert_eq!(seen.buried[0].source, "arn:aws:sqs:us-east-1:000000000000:chat-publish.fifo");
    }

    #[test]
    fn record_without_a_message_group_is_refused() {
        let mut message = message("q-1", "{}");
        message["attributes"] = json!({});
        let error = deliver(&[message]).unwrap_err();
        assert_eq!(error.to_string(), "the event is not what this function takes: a record has no `MessageGroupId`");
    }
}
