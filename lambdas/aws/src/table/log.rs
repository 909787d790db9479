//! The log on DynamoDB.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use hubbub_core::log::lease::Lease;
use hubbub_core::log::state::ChannelState;
use hubbub_core::names::table::{PARTITION_KEY, SORT_KEY};
use hubbub_core::ports::{Append, Appended, Log, PortResult, ReadLimit};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{Epoch, LeaseId};
use hubbub_core::wire::message::{Message, Seq};
use hubbub_core::wire::time::Timestamp;

use super::item::attribute::{BODY, CLOSED, DELETED, EPOCH, HEAD, LEASE, LEASE_UNTIL, MOVED_AT, SENT};
use super::item::{
    SELF, channel_key, is_expired, log_key, number, read_channel, read_message, seq_key, text, write_channel,
    write_message,
};
use super::{Table, update_if};
use crate::error::{malformed, port_error};

/// Rows of a query for a number of messages.
const ROWS: usize = 256;
/// Rows of a query for an amount of bytes. Every row that a query touches costs read units.
const ROWS_FOR_BYTES: usize = 64;

/// Which way a log is read.
#[derive(Clone, Copy)]
enum Way {
    After(Seq),
    Before(Seq),
}

impl Table {
    async fn read_log(
        &self,
        channel: &Channel,
        epoch: &Epoch,
        way: Way,
        limit: ReadLimit,
        now: Timestamp,
    ) -> PortResult<Vec<Message>> {
        let (condition, bound) = match way {
            Way::After(seq) => ("#pk = :pk AND #sk > :sk", seq_key(seq)),
            Way::Before(seq) => ("#pk = :pk AND #sk < :sk", seq_key(seq)),
        };
        let rows = limit.messages.min(if limit.bytes == usize::MAX { ROWS } else { ROWS_FOR_BYTES });
        let query = self
            .query(log_key(channel))
            .key_condition_expression(condition)
            .expression_attribute_names("#sk", SORT_KEY)
            .expression_attribute_values(":sk", text(bound))
            .scan_index_forward(matches!(way, Way::After(_)))
            .limit(i32::try_from(rows).unwrap_or(i32::MAX));
        let mut messages = Vec::new();
        let mut bytes: usize = 0;
        let mut start = None;
        loop {
            let answer = query
                .clone()
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| port_error("dynamodb:Query", &error))?;
            for row in answer.items() {
                if messages.len() >= limit.messages || bytes >= limit.bytes {
                    return Ok(messages);
                }
                if row.get(EPOCH).and_then(|value| value.as_s().ok()).is_some_and(|of| of == epoch.as_str())
                    && !is_expired(row, now)
                {
                    let message = read_message(row)?;
                    bytes = bytes.saturating_add(message.content.bytes());
                    messages.push(message);
                }
            }
            start = answer.last_evaluated_key;
            if start.is_none() || messages.len() >= limit.messages || bytes >= limit.bytes {
                return Ok(messages);
            }
        }
    }
}

impl Log for Table {
    async fn state(&self, channel: &Channel) -> PortResult<Option<ChannelState>> {
        let row = self.get(channel_key(channel), SELF.to_owned()).await?;
        row.as_ref().map(read_channel).transpose()
    }

    async fn open(&self, channel: &Channel, epoch: &Epoch) -> PortResult<ChannelState> {
        if let Some(state) = self.state(channel).await? {
            return Ok(state);
        }
        let state = ChannelState::new(epoch.clone());
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(write_channel(channel, &state)))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PARTITION_KEY)
            .send()
            .await;
        match put {
            Ok(_) => Ok(state),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                // Another writer was faster.
                self.state(channel).await?.ok_or_else(|| malformed("open channel", "the channel was erased meanwhile"))
            }
            Err(error) => Err(port_error("dynamodb:PutItem", &error)),
        }
    }

    async fn append(&self, channel: &Channel, append: &Append<'_>) -> PortResult<Appended> {
        let Append { epoch, head, messages, now, expires } = *append;
        let Some(last) = messages.last() else {
            return Ok(Appended::Done);
        };
        let advance = Update::builder()
            .table_name(&self.name)
            .key(PARTITION_KEY, text(channel_key(channel)))
            .key(SORT_KEY, text(SELF))
            .update_expression("SET #head = :last, #moved_at = :now")
            .condition_expression("#head = :head AND #epoch = :epoch")
            .expression_attribute_names("#head", HEAD)
            .expression_attribute_names("#epoch", EPOCH)
            .expression_attribute_names("#moved_at", MOVED_AT)
            .expression_attribute_values(":now", number(now.0))
            .expression_attribute_values(":last", number(last.seq))
            .expression_attribute_values(":head", number(head))
            .expression_attribute_values(":epoch", text(epoch.as_str()))
            .build()
            .map_err(|error| malformed("write append", error))?;
        let mut transaction =
            self.client.transact_write_items().transact_items(TransactWriteItem::builder().update(advance).build());
        for message in messages {
            let put = Put::builder()
                .table_name(&self.name)
                .set_item(Some(write_message(channel, epoch, message, expires)))
                .build()
                .map_err(|error| malformed("write append", error))?;
            transaction = transaction.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match transaction.send().await {
            Ok(_) => Ok(Appended::Done),
            Err(error) if is_head_moved(&error) => Ok(Appended::HeadMoved),
            Err(error) => Err(port_error("dynamodb:TransactWriteItems", &error)),
        }
    }

    async fn read(
        &self,
        channel: &Channel,
        epoch: &Epoch,
        after: Seq,
        limit: ReadLimit,
        now: Timestamp,
    ) -> PortResult<Vec<Message>> {
        self.read_log(channel, epoch, Way::After(after), limit, now).await
    }

    async fn read_back(
        &self,
        channel: &Channel,
        epoch: &Epoch,
        before: Seq,
        limit: ReadLimit,
        now: Timestamp,
    ) -> PortResult<Vec<Message>> {
        self.read_log(channel, epoch, Way::Before(before), limit, now).await
    }

    async fn redact(&self, channel: &Channel, epoch: &Epoch, seq: Seq) -> PortResult<bool> {
        let update = self
            .update(log_key(channel), &seq_key(seq))
            .update_expression("SET #deleted = :seq REMOVE #body")
            .condition_expression("#epoch = :epoch AND (attribute_exists(#body) OR #deleted = :seq)")
            .expression_attribute_names("#deleted", DELETED)
            .expression_attribute_names("#body", BODY)
            .expression_attribute_names("#epoch", EPOCH)
            .expression_attribute_values(":seq", number(seq))
            .expression_attribute_values(":epoch", text(epoch.as_str()));
        update_if(update).await
    }

    async fn set_closed(&self, channel: &Channel, closed: bool) -> PortResult<()> {
        let update = self
            .update(channel_key(channel), SELF)
            .condition_expression("attribute_exists(#pk)")
            .expression_attribute_names("#pk", PARTITION_KEY)
            .expression_attribute_names("#closed", CLOSED);
        let update = if closed {
            update
                .update_expression("SET #closed = :closed")
                .expression_attribute_values(":closed", AttributeValue::Bool(true))
        } else {
            update.update_expression("REMOVE #closed")
        };
        update_if(update).await.map(drop)
    }

    async fn settle(&self, channel: &Channel, epoch: &Epoch, to: Seq) -> PortResult<()> {
        let update = self
            .update(channel_key(channel), SELF)
            .update_expression("SET #sent = :to")
            .condition_expression("#epoch = :epoch AND #sent < :to AND #head >= :to")
            .expression_attribute_names("#sent", SENT)
            .expression_attribute_names("#epoch", EPOCH)
            .expression_attribute_names("#head", HEAD)
            .expression_attribute_values(":to", number(to))
            .expression_attribute_values(":epoch", text(epoch.as_str()));
        update_if(update).await.map(drop)
    }

    async fn take_lease(&self, channel: &Channel, lease: &Lease, now: Timestamp) -> PortResult<bool> {
        let update = self
            .update(channel_key(channel), SELF)
            .update_expression("SET #lease = :lease, #until = :until")
            .condition_expression(
                "attribute_exists(#pk) AND (attribute_not_exists(#lease) OR #until <= :now OR #lease = :lease)",
            )
            .expression_attribute_names("#pk", PARTITION_KEY)
            .expression_attribute_names("#lease", LEASE)
            .expression_attribute_names("#until", LEASE_UNTIL)
            .expression_attribute_values(":lease", text(lease.id.as_str()))
            .expression_attribute_values(":until", number(lease.until.0))
            .expression_attribute_values(":now", number(now.0));
        update_if(update).await
    }

    async fn replace_lease(&self, channel: &Channel, held: &LeaseId, next: &Lease) -> PortResult<bool> {
        let update = self
            .update(channel_key(channel), SELF)
            .update_expression("SET #lease = :next, #until = :until")
            .condition_expression("#lease = :held OR #lease = :next")
            .expression_attribute_names("#lease", LEASE)
            .expression_attribute_names("#until", LEASE_UNTIL)
            .expression_attribute_values(":held", text(held.as_str()))
            .expression_attribute_values(":next", text(next.id.as_str()))
            .expression_attribute_values(":until", number(next.until.0));
        update_if(update).await
    }

    async fn release_lease(&self, channel: &Channel, held: &LeaseId) -> PortResult<bool> {
        let update = self
            .update(channel_key(channel), SELF)
            .update_expression("REMOVE #lease, #until")
            .condition_expression("#lease = :held AND #head = #sent")
            .expression_attribute_names("#lease", LEASE)
            .expression_attribute_names("#until", LEASE_UNTIL)
            .expression_attribute_names("#head", HEAD)
            .expression_attribute_names("#sent", SENT)
            .expression_attribute_values(":held", AttributeValue::S(held.to_string()));
        update_if(update).await
    }
}

/// Whether nothing was written because the head or the epoch has changed, or because another writer was writing to the channel's item. In both
/// cases the caller reads the channel again.
fn is_head_moved(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error() else {
        return false;
    };
    canceled
        .cancellation_reasons()
        .iter()
        .any(|reason| matches!(reason.code(), Some("ConditionalCheckFailed" | "TransactionConflict")))
}
