//! Connections, memberships and members on DynamoDB.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure};
use hubbub_core::members::connection::Connection;
use hubbub_core::members::shard::Shard;
use hubbub_core::names::table::{PARTITION_KEY, SORT_KEY};
use hubbub_core::ports::{Count, MemberPage, Members, PortError, PortResult};
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::ConnectionId;
use hubbub_core::wire::time::Timestamp;

use super::item::attribute::{MEMBERS, SHARDS};
use super::item::{
    CHANNEL, Item, SELF, channel_key, connection_key, is_expired, item, missing, number, read_connection, read_number,
    read_shard, read_text, shard_key, text, write_connection, write_membership,
};
use super::presences::read_watch;
use super::{Table, is_condition_failed, update_if};
use crate::error::{malformed, port_error};

/// The most keys of a BatchGetItem.
const BATCH: usize = 100;
/// The most tries for keys that a batch leaves unprocessed.
const BATCH_ATTEMPTS: usize = 8;

/// A member's row, for tools that write many at once.
#[must_use]
pub fn member_row(channel: &Channel, shard: Shard, member: &Connection) -> HashMap<String, AttributeValue> {
    write_connection(shard_key(channel, shard), member.id.as_str(), member)
}

impl Table {
    async fn batch_counts(&self, channel: &Channel, shards: &[Shard]) -> PortResult<Vec<(Shard, u64)>> {
        let key = |shard: &Shard| item(shard_key(channel, *shard), SELF, []);
        let mut request = KeysAndAttributes::builder()
            .set_keys(Some(shards.iter().map(key).collect()))
            .build()
            .map_err(|error| malformed("write batch", error))?;
        let mut counts = Vec::new();
        for _ in 0..BATCH_ATTEMPTS {
            let mut answer = self
                .client
                .batch_get_item()
                .request_items(&self.name, request)
                .send()
                .await
                .map_err(|error| port_error("dynamodb:BatchGetItem", &error))?;
            let rows = answer.responses.as_mut().and_then(|tables| tables.remove(&self.name)).unwrap_or_default();
            for row in &rows {
                let (_, shard) =
                    read_text(row, PARTITION_KEY)?.rsplit_once('#').ok_or_else(|| missing(PARTITION_KEY))?;
                counts.push((shard.parse().map_err(|_| missing(PARTITION_KEY))?, read_count(row)?));
            }
            match answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name)) {
                Some(left) if !left.keys().is_empty() => request = left,
                _ => return Ok(counts),
            }
        }
        Err(PortError {
            operation: "dynamodb:BatchGetItem",
            detail: "some keys stayed unprocessed".to_owned(),
            retryable: true,
        })
    }
}

/// A shard's row has no count if its room is watched and nobody was counted yet.
fn read_count(row: &Item) -> PortResult<u64> {
    if row.contains_key(MEMBERS) { read_number(row, MEMBERS) } else { Ok(0) }
}

impl Members for Table {
    async fn put_connection(&self, connection: &Connection) -> PortResult<()> {
        self.put(write_connection(connection_key(&connection.id), SELF, connection)).await.map(drop)
    }

    async fn connection(&self, id: &ConnectionId, now: Timestamp) -> PortResult<Option<Connection>> {
        let row = self.get(connection_key(id), SELF.to_owned()).await?;
        row.filter(|row| !is_expired(row, now)).map(|row| read_connection(id.clone(), &row)).transpose()
    }

    async fn remove_connection(&self, id: &ConnectionId) -> PortResult<()> {
        self.delete(connection_key(id), SELF.to_owned()).await.map(drop)
    }

    async fn put_membership(&self, connection: &Connection, channel: &Channel, shard: Shard) -> PortResult<Shard> {
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(write_membership(connection, channel, shard)))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PARTITION_KEY)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match put {
            Ok(_) => return Ok(shard),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                read_shard(failed.item().ok_or_else(|| malformed("dynamodb:PutItem", "the old row is missing"))?)
            }
            _ => Err(port_error("dynamodb:PutItem", &error)),
        }
    }

    async fn membership(&self, id: &ConnectionId, channel: &Channel) -> PortResult<Option<Shard>> {
        let row = self.get(connection_key(id), channel_key(channel)).await?;
        row.as_ref().map(read_shard).transpose()
    }

    async fn memberships(&self, id: &ConnectionId) -> PortResult<Vec<(Channel, Shard)>> {
        let mut rows = self
            .query(connection_key(id))
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .expression_attribute_names("#sk", SORT_KEY)
            .expression_attribute_values(":prefix", text(CHANNEL))
            .into_paginator()
            .items()
            .send();
        let mut memberships = Vec::new();
        while let Some(row) = rows.next().await {
            let row = row.map_err(|error| port_error("dynamodb:Query", &error))?;
            let channel = read_text(&row, SORT_KEY)?.trim_start_matches(CHANNEL);
            let channel = channel.parse().map_err(|error| malformed("read row", error))?;
            memberships.push((channel, read_shard(&row)?));
        }
        Ok(memberships)
    }

    async fn remove_membership(&self, id: &ConnectionId, channel: &Channel) -> PortResult<()> {
        self.delete(connection_key(id), channel_key(channel)).await.map(drop)
    }

    async fn put_member(&self, channel: &Channel, shard: Shard, member: &Connection) -> PortResult<bool> {
        self.put(member_row(channel, shard, member)).await.map(|old| old.is_none())
    }

    async fn remove_member(&self, channel: &Channel, shard: Shard, id: &ConnectionId) -> PortResult<bool> {
        self.delete(shard_key(channel, shard), id.to_string()).await.map(|old| old.is_some())
    }

    async fn add_to_count(&self, channel: &Channel, shard: Shard, difference: i64) -> PortResult<Count> {
        let mut update = self
            .update(shard_key(channel, shard), SELF)
            .update_expression("ADD #members :difference")
            .expression_attribute_names("#members", MEMBERS)
            .expression_attribute_values(":difference", number(difference))
            .return_values(ReturnValue::AllNew);
        if difference < 0 {
            update = update
                .condition_expression("#members >= :least")
                .expression_attribute_values(":least", number(difference.unsigned_abs()));
        }
        match update.send().await {
            Ok(answer) => {
                let row = answer.attributes().ok_or_else(|| missing(MEMBERS))?;
                Ok(Count { members: read_number(row, MEMBERS)?, watch: read_watch(row)? })
            }
            // A count that is too low stays at zero until a fan-out corrects it.
            Err(error) if is_condition_failed(&error) => Ok(Count::default()),
            Err(error) => Err(port_error("dynamodb:UpdateItem", &error)),
        }
    }

    async fn correct_count(&self, channel: &Channel, shard: Shard, count: u64, counted: u64) -> PortResult<()> {
        let unchanged =
            if count == 0 { "attribute_not_exists(#members) OR #members = :count" } else { "#members = :count" };
        let update = self
            .update(shard_key(channel, shard), SELF)
            .update_expression("SET #members = :counted")
            .condition_expression(unchanged)
            .expression_attribute_names("#members", MEMBERS)
            .expression_attribute_values(":count", number(count))
            .expression_attribute_values(":counted", number(counted));
        update_if(update).await.map(drop)
    }

    async fn counts(&self, channel: &Channel, shards: u32) -> PortResult<Vec<u64>> {
        let all: Vec<Shard> = (0..shards).collect();
        let mut counts = vec![0; all.len()];
        for batch in all.chunks(BATCH) {
            for (shard, members) in self.batch_counts(channel, batch).await? {
                if let Some(count) = usize::try_from(shard).ok().and_then(|shard| counts.get_mut(shard)) {
                    *count = members;
                }
            }
        }
        Ok(counts)
    }

    async fn grow(&self, channel: &Channel, from: u32, to: u32) -> PortResult<()> {
        let update = self
            .update(channel_key(channel), SELF)
            .update_expression("SET #shards = :to")
            .condition_expression("#shards = :from")
            .expression_attribute_names("#shards", SHARDS)
            .expression_attribute_values(":to", number(to))
            .expression_attribute_values(":from", number(from));
        update_if(update).await.map(drop)
    }

    async fn member_page(
        &self,
        channel: &Channel,
        shard: Shard,
        after: Option<&ConnectionId>,
        limit: usize,
        now: Timestamp,
    ) -> PortResult<MemberPage> {
        let pk = shard_key(channel, shard);
        let answer = self
            .query(pk.clone())
            .set_exclusive_start_key(after.map(|after| item(pk, after.as_str(), [])))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| port_error("dynamodb:Query", &error))?;
        let mut page = MemberPage::default();
        for row in answer.items() {
            let id = read_text(row, SORT_KEY)?;
            if id == SELF {
                page.count = Some(read_count(row)?);
            } else if !is_expired(row, now) {
                page.members.push(read_connection(ConnectionId::new(id), row)?);
            }
        }
        if let Some(last) = answer.last_evaluated_key() {
            page.next = Some(ConnectionId::new(read_text(last, SORT_KEY)?));
        }
        Ok(page)
    }
}
