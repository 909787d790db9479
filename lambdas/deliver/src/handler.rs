//! From a batch of the queue to the rules, and back as the messages that failed.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use hubbub_aws::runtime::Fault;
use hubbub_core::channel::Channel;
use hubbub_core::deliver::{Delivery, Record};
use hubbub_core::names::REDRIVEN;
use hubbub_core::ports::{Bans, Broadcasts, Clock, DeadLetters, Ids, Log, Members, Meter, Poster, Receipts, Senders};
use hubbub_core::presence::Announcer;
use hubbub_core::time::Timestamp;

/// Handles batches of the publish queue, and of the queue on which announcements are asked for.
#[derive(Clone, Debug)]
pub struct Handler<S, B, D, P, E> {
    /// The rules.
    pub delivery: Delivery<S, B, D, P, E>,
    /// What tells who comes and goes.
    pub announcer: Announcer<S, P, E>,
    /// The URL of the queue on which announcements are asked for.
    pub presence_queue_url: String,
}

impl<S, B, D, P, E> Handler<S, B, D, P, E>
where
    S: Bans + Log + Members + Receipts + Senders,
    B: Broadcasts,
    D: DeadLetters,
    P: Poster,
    E: Clock + Ids + Meter,
{
    /// Delivers a batch, and names the messages that the queue must deliver again.
    ///
    /// # Errors
    /// When the event isn't a FIFO queue's. The queue then delivers the whole batch again.
    pub async fn handle(&self, event: SqsEvent, deadline: Timestamp) -> Result<SqsBatchResponse, Fault> {
        let mut response = SqsBatchResponse::default();
        // A batch is of one queue.
        if event.records.first().is_some_and(|record| self.is_of_presence_queue(record)) {
            let channels = event.records.iter().filter_map(announced).collect();
            self.announcer.announce(&channels, deadline).await;
            return Ok(response);
        }
        let records = event.records.into_iter().map(record).collect::<Result<_, _>>()?;
        response.set_failures(self.delivery.deliver(records, deadline).await);
        Ok(response)
    }

    fn is_of_presence_queue(&self, message: &SqsMessage) -> bool {
        let source = message.event_source_arn.as_deref().and_then(|arn| arn.rsplit(':').next());
        source == self.presence_queue_url.rsplit('/').next()
    }
}

/// The room to announce. What names none is done with: it can never succeed, and must not hold up the others.
fn announced(message: &SqsMessage) -> Option<Channel> {
    let room = message.body.as_deref().and_then(|body| body.parse().ok()).filter(|it| matches!(it, Channel::Room(_)));
    if room.is_none() {
        tracing::error!(message.id = message.message_id, "a request for an announcement names no room");
    }
    room
}

fn record(message: SqsMessage) -> Result<Record, Fault> {
    let missing = |name: &str| Fault::WrongEvent(format!("a record has no `{name}`"));
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
    use std::sync::Arc;
    use std::time::Duration;

    use futures::executor::block_on;
    use hubbub_core::fan_out::Share;
    use hubbub_core::id::{ConnectionId, Epoch, SenderId};
    use hubbub_core::membership;
    use hubbub_core::memory::MemoryStore;
    use hubbub_core::message::Seq;
    use hubbub_core::ports::{Presences, ReadLimit};
    use hubbub_core::rate::{Budget, Rate};
    use hubbub_core::testing::{Recorder, World, connection, envelope, room};
    use serde_json::json;

    use super::*;

    type TestHandler = Handler<MemoryStore, Recorder, Recorder, Recorder, World>;

    const NOW: u64 = 1_000_000;
    const RATE: Rate = Rate { per_second: 1, burst: 1 };

    /// A handler, with `w` as a member of the room `lobby` that watches it.
    fn handler() -> TestHandler {
        let (store, recorder, world) = (MemoryStore::default(), Recorder::default(), World::at(NOW));
        let announcer =
            Announcer { store: store.clone(), poster: Recorder::default(), world: world.clone(), rate: RATE };
        let watcher = connection("w", "watcher", NOW - 60_000);
        block_on(membership::join(&store, &world, &watcher, &room("lobby"), 2_000)).unwrap();
        block_on(store.put_watcher(&room("lobby"), &watcher)).unwrap();
        let delivery = Delivery {
            store,
            broadcasts: recorder.clone(),
            dead_letters: recorder.clone(),
            poster: recorder,
            world,
            max_body_bytes: 100,
            retention: Duration::from_secs(60),
            inline_limit: 1_000,
            lease: Duration::from_secs(60),
            share: Share { budget: Budget::of(400), sender: SenderId::new("sender") },
            large: Arc::default(),
        };
        let presence_queue_url = "http://sqs.local:4566/000000000000/chat-presence.fifo".to_owned();
        Handler { delivery, announcer, presence_queue_url }
    }

    fn message(queue: &str, id: &str, body: &str) -> serde_json::Value {
        json!({
            "messageId": id,
            "body": body,
            "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{queue}"),
            "attributes": {
                "MessageGroupId": "room:lobby", "SentTimestamp": NOW.to_string(), "ApproximateReceiveCount": "1"
            },
        })
    }

    /// Handles a batch; the messages that failed.
    fn handle(handler: &TestHandler, messages: &[serde_json::Value]) -> Vec<String> {
        let event = serde_json::from_value(json!({ "Records": messages })).unwrap();
        let response = block_on(handler.handle(event, Timestamp(NOW + 10_000))).unwrap();
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    /// What was posted to `w` by a poster since this was called last.
    fn posted(poster: &Recorder) -> usize {
        poster.seen().posted.remove(&ConnectionId::new("w")).unwrap_or_default().len()
    }

    fn appended(handler: &TestHandler) -> usize {
        let store = &handler.delivery.store;
        let epoch = block_on(store.open(&room("lobby"), &Epoch::new("E"))).unwrap().epoch;
        let all = ReadLimit { messages: usize::MAX, bytes: usize::MAX };
        block_on(store.read(&room("lobby"), &epoch, Seq::ZERO, all, Timestamp(NOW))).unwrap().len()
    }

    #[test]
    fn a_batch_is_announced_or_delivered_as_its_queue_is() {
        let handler = handler();
        let published = envelope("alice", "m-1").to_json().unwrap();
        assert!(handle(&handler, &[message("chat-publish.fifo", "q-1", &published)]).is_empty());
        assert_eq!(
            (posted(&handler.delivery.poster), posted(&handler.announcer.poster), appended(&handler)),
            (1, 0, 1)
        );
        assert!(handle(&handler, &[message("chat-presence.fifo", "q-2", "room:lobby")]).is_empty());
        assert_eq!(
            (posted(&handler.delivery.poster), posted(&handler.announcer.poster), appended(&handler)),
            (0, 1, 1)
        );
        assert!(handler.delivery.dead_letters.seen().buried.is_empty());
    }

    #[test]
    fn what_lies_on_the_other_queue_is_neither_published_nor_announced() {
        let handler = handler();
        let published = envelope("alice", "m-1").to_json().unwrap();
        assert!(handle(&handler, &[message("chat-presence.fifo", "q-1", &published)]).is_empty());
        assert!(handle(&handler, &[message("chat-publish.fifo", "q-2", "room:lobby")]).is_empty());
        assert_eq!(
            (posted(&handler.delivery.poster), posted(&handler.announcer.poster), appended(&handler)),
            (0, 0, 0)
        );
        assert_eq!(handler.delivery.dead_letters.seen().buried.len(), 1);
    }

    #[test]
    fn a_request_that_names_no_room_does_not_hold_up_the_others() {
        let handler = handler();
        let bodies = ["user:alice", "everyone", "nonsense", "", "room:lobby", "room:lobby"];
        let batch: Vec<_> = bodies.iter().map(|body| message("chat-presence.fifo", body, body)).collect();
        assert!(handle(&handler, &batch).is_empty());
        assert_eq!(posted(&handler.announcer.poster), 1, "a room that is asked for twice is announced once");
    }
}
