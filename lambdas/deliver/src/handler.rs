//! From a batch of the queue to the rules, and back as the messages that failed.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use hubbub_aws::runtime::Fault;
use hubbub_core::channel::Channel;
use hubbub_core::deliver::{Delivery, Record};
use hubbub_core::names::REDRIVEN;
use hubbub_core::ports::{Bans, Broadcasts, Clock, DeadLetters, Ids, Log, Members, Meter, Poster, Receipts, Senders};
use hubbub_core::time::Timestamp;

/// Handles batches of the publish queue, and of the queue on which announcements are asked for.
#[derive(Clone, Debug)]
pub struct Handler<S, B, D, P, E> {
    /// The rules.
    pub delivery: Delivery<S, B, D, P, E>,
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
            self.delivery.announce(&channels, deadline).await;
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
