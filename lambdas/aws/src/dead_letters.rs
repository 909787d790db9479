//! Listing, redriving and dropping dead letters, for operators.
//!
//! SQS shows messages only by receiving them, which hides them from other readers for a while. They are given back when they have been looked at.
//! A letter is moved by a send and then a delete, so that it may be in two places for a moment, but never in none.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use hubbub_core::names::{REDRIVEN, dead_letter};
use hubbub_core::ports::PortResult;
use hubbub_core::wire::time::Timestamp;

use crate::error::{malformed, port_error};

/// How long letters are held, in seconds. It is enough for an operator to answer a question.
const HOLD_SECONDS: i32 = 120;
/// The most messages that SQS gives at once.
const BATCH: i32 = 10;
/// The reason of a letter that SQS moved after too many receives.
const RECEIVE_LIMIT: &str = "receive_limit";

/// A dead letter that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLetter {
    /// SQS's message id.
    pub id: String,
    /// The message group. It is the channel, unless the sender made a mistake.
    pub group: String,
    /// The body, unchanged.
    pub body: String,
    /// A code that says why it is here.
    pub reason: String,
    /// The reason in a sentence.
    pub detail: String,
    /// The ARN of the queue that it came from.
    pub source: String,
    /// When SQS first took it, as far as is known.
    pub first_seen: Timestamp,
    receipt_handle: String,
}

/// The dead-letter queue, and the publish queue that letters may go back to.
#[derive(Clone, Debug)]
pub struct DeadLetterOffice {
    client: Client,
    dead_letter_queue_url: String,
    publish_queue_url: String,
}

impl DeadLetterOffice {
    #[must_use]
    pub const fn new(client: Client, dead_letter_queue_url: String, publish_queue_url: String) -> Self {
        Self { client, dead_letter_queue_url, publish_queue_url }
    }

    /// Holds all letters that nobody else holds, in the queue's order.
    ///
    /// # Errors
    /// When the queue can't be read. Letters that are held by then are visible again after two minutes.
    pub async fn hold_all(&self) -> PortResult<Vec<HeldLetter>> {
        let mut letters = Vec::new();
        loop {
            let received = self
                .client
                .receive_message()
                .queue_url(&self.dead_letter_queue_url)
                .max_number_of_messages(BATCH)
                .visibility_timeout(HOLD_SECONDS)
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .send()
                .await
                .map_err(|error| port_error("sqs:ReceiveMessage", &error))?;
            let messages = received.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(letters);
            }
            for message in messages {
                letters.push(read(message)?);
            }
        }
    }

    /// Gives letters back, so that others see them at once.
    ///
    /// # Errors
    /// When the queue can't be reached. The letters are visible again after two minutes.
    pub async fn release(&self, letters: &[HeldLetter]) -> PortResult<()> {
        for letter in letters {
            self.client
                .change_message_visibility()
                .queue_url(&self.dead_letter_queue_url)
                .receipt_handle(&letter.receipt_handle)
                .visibility_timeout(0)
                .send()
                .await
                .map_err(|error| port_error("sqs:ChangeMessageVisibility", &error))?;
        }
        Ok(())
    }

    /// Puts a letter back on the publish queue, unchanged. `deliver` looks through the whole log before it appends it, so that it is never
    /// appended twice.
    ///
    /// # Errors
    /// When a queue can't be reached. The letter is then still a dead letter, and perhaps on the publish queue as well.
    pub async fn redrive(&self, letter: &HeldLetter) -> PortResult<()> {
        let redriven = MessageAttributeValue::builder()
            .data_type("String")
            .string_value("true")
            .build()
            .map_err(|error| malformed("write message", error))?;
        self.client
            .send_message()
            .queue_url(&self.publish_queue_url)
            .message_group_id(&letter.group)
            .message_deduplication_id(format!("redrive-{}", letter.id))
            .message_attributes(REDRIVEN, redriven)
            .message_body(&letter.body)
            .send()
            .await
            .map_err(|error| port_error("sqs:SendMessage", &error))?;
        self.drop_letter(letter).await
    }

    /// Deletes a letter for good.
    ///
    /// # Errors
    /// When the queue can't be reached, or the letter has been held for more than two minutes.
    pub async fn drop_letter(&self, letter: &HeldLetter) -> PortResult<()> {
        self.client
            .delete_message()
            .queue_url(&self.dead_letter_queue_url)
            .receipt_handle(&letter.receipt_handle)
            .send()
            .await
            .map_err(|error| port_error("sqs:DeleteMessage", &error))?;
        Ok(())
    }
}

/// A letter that SQS moved itself has SQS's attributes, and none of Hubbub's.
fn read(message: Message) -> PortResult<HeldLetter> {
    let missing = |name: &str| malformed("sqs:ReceiveMessage", format!("a message has no `{name}`"));
    let own: HashMap<String, MessageAttributeValue> = message.message_attributes.unwrap_or_default();
    let own = |name: &str| own.get(name).and_then(|value| value.string_value.clone());
    let system = message.attributes.unwrap_or_default();
    let system = |name: MessageSystemAttributeName| system.get(&name).cloned();
    let first_seen = own(dead_letter::FIRST_SEEN).or_else(|| system(MessageSystemAttributeName::SentTimestamp));
    Ok(HeldLetter {
        id: message.message_id.ok_or_else(|| missing("MessageId"))?,
        group: system(MessageSystemAttributeName::MessageGroupId).ok_or_else(|| missing("MessageGroupId"))?,
        body: message.body.unwrap_or_default(),
        reason: own(dead_letter::REASON).unwrap_or_else(|| RECEIVE_LIMIT.to_owned()),
        detail: own(dead_letter::DETAIL)
            .unwrap_or_else(|| "it was received as often as the queue allows, and not delivered".to_owned()),
        source: own(dead_letter::SOURCE)
            .or_else(|| system(MessageSystemAttributeName::DeadLetterQueueSourceArn))
            .unwrap_or_default(),
        first_seen: Timestamp(first_seen.and_then(|digits| digits.parse().ok()).unwrap_or_default()),
        receipt_handle: message.receipt_handle.ok_or_else(|| missing("ReceiptHandle"))?,
    })
}
