//! The publish queue, the dead-letter queue and the presence queue, all FIFO, on SQS.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use hubbub_core::names::dead_letter;
use hubbub_core::ports::{DeadLetter, DeadLetters, PortResult, PublishQueue};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::command::ModerationCommand;
use hubbub_core::wire::queue_message::{Envelope, QueueMessage, wake_deduplication_id};
use hubbub_core::wire::time::Timestamp;

use crate::error::{malformed, port_error};

#[derive(Clone, Debug)]
pub struct SqsPublishQueue {
    client: Client,
    url: String,
}

impl SqsPublishQueue {
    #[must_use]
    pub const fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }
}

impl SqsPublishQueue {
    async fn send(&self, channel: &Channel, deduplication_id: String, body: String) -> PortResult<()> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_group_id(channel.to_string())
            .message_deduplication_id(deduplication_id)
            .message_body(body)
            .send()
            .await
            .map_err(|error| port_error("sqs:SendMessage", &error))?;
        Ok(())
    }
}

impl PublishQueue for SqsPublishQueue {
    async fn enqueue(&self, envelope: &Envelope) -> PortResult<()> {
        self.send(&envelope.channel, envelope.deduplication_id(), envelope.to_json()?).await
    }

    async fn command(&self, command: &ModerationCommand, id: &str) -> PortResult<()> {
        self.send(&command.channel, id.to_owned(), command.to_json()?).await
    }

    async fn wake(&self, channel: &Channel, reason: &str) -> PortResult<()> {
        let wake = QueueMessage::wake(channel.clone()).to_json()?;
        self.send(channel, wake_deduplication_id(reason), wake).await
    }
}

/// The presence queue, which delays its messages.
#[derive(Clone, Debug)]
pub struct SqsAnnouncements {
    client: Client,
    url: String,
}

impl SqsAnnouncements {
    #[must_use]
    pub const fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Asks for a channel's announcement. A second request with the same `due` within five minutes is dropped.
    ///
    /// # Errors
    /// When SQS doesn't take it.
    pub async fn send(&self, channel: &Channel, due: Timestamp) -> PortResult<()> {
        // `announce` needs the channel only, and a body must not be empty.
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_group_id(channel.to_string())
            .message_deduplication_id(due.0.to_string())
            .message_body(channel.to_string())
            .send()
            .await
            .map(drop)
            .map_err(|error| port_error("sqs:SendMessage", &error))
    }
}

#[derive(Clone, Debug)]
pub struct SqsDeadLetters {
    client: Client,
    url: String,
}

impl SqsDeadLetters {
    #[must_use]
    pub const fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }
}

impl DeadLetters for SqsDeadLetters {
    async fn bury(&self, letter: &DeadLetter) -> PortResult<()> {
        let first_seen = letter.first_seen.0.to_string();
        let attributes = [
            (dead_letter::REASON, "String", letter.reason.as_str()),
            (dead_letter::DETAIL, "String", letter.detail.as_str()),
            (dead_letter::SOURCE, "String", letter.source.as_str()),
            (dead_letter::FIRST_SEEN, "Number", first_seen.as_str()),
        ];
        let mut request = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_group_id(&letter.group)
            .message_deduplication_id(&letter.queue_id)
            .message_body(&letter.body);
        for (name, kind, value) in attributes {
            let attribute = MessageAttributeValue::builder()
                .data_type(kind)
                .string_value(value)
                .build()
                .map_err(|error| malformed("write dead letter", error))?;
            request = request.message_attributes(name, attribute);
        }
        request.send().await.map_err(|error| port_error("sqs:SendMessage", &error))?;
        Ok(())
    }
}
