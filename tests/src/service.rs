//! A service that publishes. It knows a queue's URL and PROTOCOL.md, and nothing else of Hubbub.

use anyhow::Context;
use aws_sdk_sqs::Client;
use serde_json::{Value, json};

use crate::stack::Stack;

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
        Self {
            client: stack.sqs(),
            queue_url: stack.outputs.publish_queue_url.clone(),
            name: name.into(),
        }
    }

    /// Sends a message to a channel. When this returns, the message is durable.
    ///
    /// # Errors
    /// Fails if the queue can't be reached.
    pub async fn send(&self, channel: &str, id: &str, body: &Value) -> anyhow::Result<()> {
        let envelope = json!({"v": 1, "channel": channel, "id": id, "from": self.name, "body": body});
        self.send_raw(channel, &format!("{}:{id}", self.name), &envelope.to_string())
            .await
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
