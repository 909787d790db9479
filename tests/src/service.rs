//! A service that publishes. It knows a queue's URL and PROTOCOL.md, and nothing else of Hubbub.

use anyhow::{Context, bail};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use serde_json::{Value, json};

use crate::stack::Stack;

/// Entries of an SQS batch, at most (docs.aws.amazon.com/sqs, SendMessageBatch).
pub const BATCH: usize = 10;

/// A service with a name.
#[derive(Clone, Debug)]
pub struct Service {
    client: Client,
    queue_url: String,
    name: String,
}

impl Service {
    /// A service that sends to the stack's publish queue.
    #[must_use]
    pub fn new(stack: &Stack, name: impl Into<String>) -> Self {
        Self { client: stack.sqs(), queue_url: stack.outputs.publish_queue_url.clone(), name: name.into() }
    }

    /// Sends a message to a channel. When this returns, the message is durable.
    ///
    /// # Errors
    /// Fails if the queue can't be reached.
    pub async fn send(&self, channel: &str, id: &str, body: &Value) -> anyhow::Result<()> {
        self.send_raw(channel, &self.deduplication_id(id), &self.envelope(channel, id, body)).await
    }

    /// Sends up to [`BATCH`] messages, by id and body, in one call. When this returns, all are durable, in this order.
    ///
    /// # Errors
    /// Fails if the queue can't be reached or doesn't take all of them.
    pub async fn send_batch(&self, channel: &str, messages: &[(String, Value)]) -> anyhow::Result<()> {
        let entry = |(number, (id, body)): (usize, &(String, Value))| {
            SendMessageBatchRequestEntry::builder()
                .id(number.to_string())
                .message_group_id(channel)
                .message_deduplication_id(self.deduplication_id(id))
                .message_body(self.envelope(channel, id, body))
                .build()
        };
        let entries = messages.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
        let answer = self
            .client
            .send_message_batch()
            .queue_url(&self.queue_url)
            .set_entries(Some(entries))
            .send()
            .await
            .with_context(|| format!("messages for `{channel}` can't be sent to the queue"))?;
        if let Some(failed) = answer.failed.first() {
            bail!("the queue refused {} messages for `{channel}`: {failed:?}", answer.failed.len());
        }
        Ok(())
    }

    /// The service's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn envelope(&self, channel: &str, id: &str, body: &Value) -> String {
        json!({"v": 1, "channel": channel, "id": id, "from": self.name, "body": body}).to_string()
    }

    fn deduplication_id(&self, id: &str) -> String {
        format!("{}:{id}", self.name)
    }

    /// Sends any text, as a service with a fault might.
    ///
    /// # Errors
    /// Fails if the queue can't be reached.
    pub async fn send_raw(&self, group: &str, deduplication_id: &str, text: &str) -> anyhow::Result<()> {
        self.client
            .send_message()
            .queue_url(&self.queue_url)
            .message_group_id(group)
            .message_deduplication_id(deduplication_id)
            .message_body(text)
            .send()
            .await
            .with_context(|| format!("a message for `{group}` can't be sent to the queue"))?;
        Ok(())
    }
}
