//! Watchers of rooms, and the last announcement to them, on DynamoDB: a row for each watcher beside the announcement. The rows with the shards'
//! counts say that somebody watches, because every join and leave writes them anyway. The first shard's row says whether an announcement is due.

use std::ops::Range;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::try_join_all;
use hubbub_core::members::connection::Connection;
use hubbub_core::members::shard::Shard;
use hubbub_core::names::table::{SORT_KEY, TTL};
use hubbub_core::ports::{Announced, PortResult, PresenceSnapshot, Presences, Watch};
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::ConnectionId;
use hubbub_core::wire::time::Timestamp;

use super::item::attribute::{AT, DUE, PAUSED, WATCHED};
use super::item::{Item, SELF, is_expired, item, number, presence_key, read_number, read_text, shard_key};
use super::{Table, update_if};
use crate::error::port_error;

/// The shard whose row says whether an announcement is due.
const FIRST: Shard = 0;

/// The most rows that are read of a room's watchers.
const ROLL: i32 = 1_000;

pub(super) fn read_watch(row: &Item) -> PortResult<Option<Watch>> {
    if !row.contains_key(WATCHED) {
        return Ok(None);
    }
    let due = if row.contains_key(DUE) { Some(Timestamp(read_number(row, DUE)?)) } else { None };
    Ok(Some(Watch { until: Timestamp(read_number(row, WATCHED)?), due }))
}

fn write_announced(channel: &Channel, announced: &Announced) -> Item {
    let Announced { at, paused, expires } = announced;
    let attributes = [(AT, number(at.0)), (PAUSED, AttributeValue::Bool(*paused)), (TTL, number(expires.as_ttl()))];
    item(presence_key(channel), SELF, attributes)
}

fn read_announced(row: &Item) -> PortResult<Announced> {
    let expires = Timestamp(read_number::<u64>(row, TTL)?.saturating_mul(1_000));
    let paused = row.get(PAUSED).and_then(|value| value.as_bool().ok()).copied().unwrap_or_default();
    Ok(Announced { at: Timestamp(read_number(row, AT)?), paused, expires })
}

impl Presences for Table {
    async fn put_watcher(&self, channel: &Channel, watcher: &Connection) -> PortResult<()> {
        let row =
            item(presence_key(channel), watcher.id.as_str(), [(TTL, number(watcher.expires(&API_GATEWAY).as_ttl()))]);
        self.put(row).await.map(drop)
    }

    async fn watch_shards(&self, channel: &Channel, shards: Range<Shard>, until: Timestamp) -> PortResult<()> {
        let watch = async |shard| {
            let update = self
                .update(shard_key(channel, shard), SELF)
                .update_expression("SET #watched = :until")
                .condition_expression("attribute_not_exists(#watched) OR #watched < :until")
                .expression_attribute_names("#watched", WATCHED)
                .expression_attribute_values(":until", number(until.0));
            update_if(update).await
        };
        try_join_all(shards.map(watch)).await.map(drop)
    }

    async fn remove_watcher(&self, channel: &Channel, id: &ConnectionId) -> PortResult<()> {
        self.delete(presence_key(channel), id.to_string()).await.map(drop)
    }

    async fn claim_announcement(&self, channel: &Channel, due: Timestamp, stale: Timestamp) -> PortResult<bool> {
        // A claim without a request would keep the others from asking.
        self.announcements()?;
        let update = self
            .update(shard_key(channel, FIRST), SELF)
            .update_expression("SET #due = :due")
            .condition_expression("attribute_not_exists(#due) OR #due <= :stale")
            .expression_attribute_names("#due", DUE)
            .expression_attribute_values(":due", number(due.0))
            .expression_attribute_values(":stale", number(stale.0));
        update_if(update).await
    }

    async fn request_announcement(&self, channel: &Channel, due: Timestamp) -> PortResult<()> {
        self.announcements()?.send(channel, due).await
    }

    async fn begin_announcement(&self, channel: &Channel) -> PortResult<()> {
        self.update(shard_key(channel, FIRST), SELF)
            .update_expression("REMOVE #due")
            .expression_attribute_names("#due", DUE)
            .send()
            .await
            .map(drop)
            .map_err(|error| port_error("dynamodb:UpdateItem", &error))
    }

    async fn presence_snapshot(&self, channel: &Channel, now: Timestamp) -> PortResult<PresenceSnapshot> {
        // Read by its key, because there may be more watchers before it than the query reads.
        let announced = self.get(presence_key(channel), SELF.to_owned()).await?.filter(|row| !is_expired(row, now));
        let answer = self
            .query(presence_key(channel))
            .limit(ROLL)
            .send()
            .await
            .map_err(|error| port_error("dynamodb:Query", &error))?;
        let watchers = answer.items().iter().filter(|row| !is_expired(row, now)).map(|row| read_text(row, SORT_KEY));
        let watchers = watchers.filter(|id| !matches!(id, Ok(SELF))).map(|id| Ok(ConnectionId::new(id?)));
        Ok(PresenceSnapshot {
            announced: announced.as_ref().map(read_announced).transpose()?,
            watchers: watchers.collect::<PortResult<_>>()?,
        })
    }

    async fn put_announced(
        &self,
        channel: &Channel,
        last: Option<Timestamp>,
        announced: &Announced,
    ) -> PortResult<bool> {
        let Some(last) = last else { return self.put(write_announced(channel, announced)).await.map(|_| true) };
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(write_announced(channel, announced)))
            .condition_expression("#at = :last")
            .expression_attribute_names("#at", AT)
            .expression_attribute_values(":last", number(last.0))
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {
                Ok(false)
            }
            Err(error) => Err(port_error("dynamodb:PutItem", &error)),
        }
    }
}
