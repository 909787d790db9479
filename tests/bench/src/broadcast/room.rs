//! Rooms full of members.

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, ReturnConsumedCapacity, WriteRequest};
use futures::stream::{self, StreamExt, TryStreamExt};
use hubbub_aws::system::System;
use hubbub_aws::table::{Table, member_row, shard_key};
use hubbub_core::members::connection::Connection;
use hubbub_core::members::shard::{Shard, shard_of, shards_wanted};
use hubbub_core::names::table::PARTITION_KEY;
use hubbub_core::ports::{Clock, Ids, Log, Members};
use hubbub_core::settings;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{ConnectionId, Epoch, RoomId, UserId};
use hubbub_testkit::fixtures::FOREVER;

pub(crate) const TABLE: &str = "hubbub";

/// The most rows of a BatchWriteItem.
const BATCH: usize = 25;

const BATCHES_AT_ONCE: usize = 8;

pub(crate) fn dynamodb(url: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "bench"))
        .endpoint_url(url)
        .build();
    Client::from_conf(config)
}

/// Makes a room with this many members.
pub(crate) async fn fill(client: &Client, name: &str, members: u64) -> anyhow::Result<Channel> {
    let table = Table::new(client.clone(), TABLE.to_owned());
    let channel = Channel::Room(RoomId::parse(name)?);
    table.open(&channel, &Epoch::new(System.fresh())).await?;
    let shards = shards_wanted(&[members], settings::SHARD_MEMBERS.default);
    table.grow(&channel, 1, shards).await?;
    let now = System.now();
    let member = |number: u64| -> anyhow::Result<Connection> {
        let id = ConnectionId::new(format!("{name}-{number:09}="));
        Ok(Connection { id, user: UserId::parse(&format!("user-{number}"))?, connected_at: now, until: FOREVER })
    };
    let mut counts = vec![0_i64; usize::try_from(shards)?];
    for number in 0..members {
        let shard = shard_of(&member(number)?.id, shards);
        counts.get_mut(usize::try_from(shard)?).into_iter().for_each(|count| *count += 1);
    }
    // Written as they are made: a list of all would be a part of the peak of memory.
    let starts = (0..members).step_by(BATCH);
    stream::iter(starts.map(anyhow::Ok))
        .try_for_each_concurrent(BATCHES_AT_ONCE, async |start| {
            let puts = (start..members).take(BATCH).map(|number| {
                let member = member(number)?;
                let row = member_row(&channel, shard_of(&member.id, shards), &member);
                let put = PutRequest::builder().set_item(Some(row)).build()?;
                Ok(WriteRequest::builder().put_request(put).build())
            });
            let puts: Vec<WriteRequest> = puts.collect::<anyhow::Result<_>>()?;
            client.batch_write_item().request_items(TABLE, puts).send().await?;
            Ok(())
        })
        .await?;
    for (shard, count) in (0..).zip(counts) {
        table.add_to_count(&channel, shard, count).await?;
    }
    Ok(channel)
}

/// The read units that it takes to read all members once, as DynamoDB counts them.
pub(crate) async fn read_units(client: &Client, channel: &Channel, members: u64) -> anyhow::Result<f64> {
    let shards = shards_wanted(&[members], settings::SHARD_MEMBERS.default);
    let units = stream::iter(0..shards).then(async |shard| units_of_shard(client, channel, shard).await);
    units.try_fold(0.0, async |sum, units| Ok(sum + units)).await
}

async fn units_of_shard(client: &Client, channel: &Channel, shard: Shard) -> anyhow::Result<f64> {
    let mut pages = client
        .query()
        .table_name(TABLE)
        .consistent_read(true)
        .key_condition_expression("#pk = :pk")
        .expression_attribute_names("#pk", PARTITION_KEY)
        .expression_attribute_values(":pk", AttributeValue::S(shard_key(channel, shard)))
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .limit(i32::try_from(hubbub_core::delivery::fan_out::PART)?)
        .into_paginator()
        .send();
    let mut units = 0.0;
    while let Some(page) = pages.next().await {
        units += page?.consumed_capacity().and_then(|capacity| capacity.capacity_units()).unwrap_or_default();
    }
    Ok(units)
}
