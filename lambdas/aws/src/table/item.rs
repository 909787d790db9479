//! How rows look.
//!
//! | item | pk | sk | attributes |
//! |---|---|---|---|
//! | channel | `CH#<channel>` | `@` | `epoch`, `head`, `sent`, `shards`, `moved_at`, `closed`, `lease`, `lease_until` |
//! | message | `LOG#<channel>` | sequence, 20 digits | `epoch`, `id`, `from`, `body` or `deleted` or `closed`, `at`, `receipt`, `ttl` |
//! | member | `MB#<channel>#<shard>` | connection id | `user`, `connected_at`, `until`, `ttl` |
//! | shard | `MB#<channel>#<shard>` | `@` | `members` (approximate), `watched`, `due` |
//! | connection | `CN#<connection>` | `@` | `user`, `connected_at`, `until`, `ttl` |
//! | membership | `CN#<connection>` | `CH#<channel>` | `shard`, `ttl` |
//! | receipt | `RC#<channel>` | `<from>/<id>` | `seq`, `members`, `delivered`, `gone`, `failed`, `ms`, `ttl` |
//! | ban | `BN#<user>` | channel | `until`, `ttl` |
//! | limit | `LM#<user>` | `@` | `arrival`, `ttl` |
//! | watcher | `PR#<channel>` | connection id | `ttl` |
//! | announcement | `PR#<channel>` | `@` | `at`, `users`, `ttl` |
//! | posts of signals | `SG#<second>` | `@` | `posts`, `ttl` |
//! | sender at work | `SN` | sender id | `until`, `ttl` |

use std::collections::HashMap;
use std::fmt::Display;

use aws_sdk_dynamodb::types::AttributeValue;
use hubbub_core::log::lease::Lease;
use hubbub_core::log::state::ChannelState;
use hubbub_core::members::connection::Connection;
use hubbub_core::members::shard::Shard;
pub(super) use hubbub_core::names::table::SELF;
pub(super) use hubbub_core::names::table::attribute;
pub(super) use hubbub_core::names::table::prefix::{CHANNEL, SENDERS};
use hubbub_core::names::table::{PARTITION_KEY, SORT_KEY, TTL, prefix};
use hubbub_core::ports::{PortError, PortResult};
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{ConnectionId, Epoch, LeaseId, MessageId, SenderId, UserId};
use hubbub_core::wire::message::{Body, Closure, Content, Message, ReceiptTo, Seq};
use hubbub_core::wire::server_frame::Receipt;
use hubbub_core::wire::time::Timestamp;

use crate::error::malformed;

pub(super) type Item = HashMap<String, AttributeValue>;

/// What is written of a closed room's log.
const KEPT: &str = "kept";
const ERASED: &str = "erased";

use attribute::{
    AT, BODY, CLOSED, CONNECTED_AT, DELETED, DELIVERED, EPOCH, FAILED, FROM, GONE, HEAD, ID, LEASE, LEASE_UNTIL,
    MEMBERS, MOVED_AT, MS, RECEIPT, SENT, SEQ, SHARD, SHARDS, UNTIL, USER,
};

pub(super) fn channel_key(channel: &Channel) -> String {
    format!("{CHANNEL}{channel}")
}

pub(super) fn log_key(channel: &Channel) -> String {
    format!("{}{channel}", prefix::LOG)
}

/// The partition of a shard's members.
#[must_use]
pub fn shard_key(channel: &Channel, shard: Shard) -> String {
    format!("{}{channel}#{shard}", prefix::SHARD)
}

/// The partition of who watches a channel, and of what they were told.
pub(super) fn presence_key(channel: &Channel) -> String {
    format!("{}{channel}", prefix::PRESENCE)
}

pub(super) fn signals_key(second: u64) -> String {
    format!("{}{second}", prefix::SIGNALS)
}

pub(super) fn connection_key(id: &ConnectionId) -> String {
    format!("{}{id}", prefix::CONNECTION)
}

/// A sequence as a sort key: as many digits as the largest has, so that the order of texts is the order of numbers.
pub(super) fn seq_key(seq: Seq) -> String {
    format!("{:020}", seq.0)
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl Display + Copy) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A row with its key.
pub(super) fn item(pk: String, sk: &str, attributes: impl IntoIterator<Item = (&'static str, AttributeValue)>) -> Item {
    [(PARTITION_KEY, text(pk)), (SORT_KEY, text(sk))]
        .into_iter()
        .chain(attributes)
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

pub(super) fn missing(name: &str) -> PortError {
    malformed("read row", format!("attribute `{name}` is missing or has another type"))
}

pub(super) fn read_text<'a>(item: &'a Item, name: &str) -> PortResult<&'a str> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).ok_or_else(|| missing(name))
}

pub(super) fn read_number<N: std::str::FromStr>(item: &Item, name: &str) -> PortResult<N> {
    item.get(name)
        .and_then(|value| value.as_n().ok())
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| missing(name))
}

/// DynamoDB deletes expired rows within days, so every read asks. A row without an end doesn't end.
pub(super) fn is_expired(item: &Item, now: Timestamp) -> bool {
    read_number::<u64>(item, TTL).is_ok_and(|ttl| ttl.saturating_mul(1_000) <= now.0)
}

pub(super) fn write_channel(channel: &Channel, state: &ChannelState) -> Item {
    item(
        channel_key(channel),
        SELF,
        [
            (EPOCH, text(state.epoch.as_str())),
            (HEAD, number(state.head)),
            (SENT, number(state.sent)),
            (SHARDS, number(state.shards)),
            (MOVED_AT, number(state.moved_at.0)),
        ],
    )
}

pub(super) fn read_channel(item: &Item) -> PortResult<ChannelState> {
    let lease = match item.get(LEASE) {
        Some(_) => {
            Some(Lease { id: LeaseId::new(read_text(item, LEASE)?), until: Timestamp(read_number(item, LEASE_UNTIL)?) })
        }
        None => None,
    };
    Ok(ChannelState {
        epoch: Epoch::new(read_text(item, EPOCH)?),
        head: Seq(read_number(item, HEAD)?),
        sent: Seq(read_number(item, SENT)?),
        shards: read_number(item, SHARDS)?,
        moved_at: Timestamp(read_number(item, MOVED_AT)?),
        closed: item.contains_key(CLOSED),
        lease,
    })
}

pub(super) fn write_message(channel: &Channel, epoch: &Epoch, message: &Message, expires: Timestamp) -> Item {
    let receipt = message.receipt.as_ref().map(|to| match to {
        ReceiptTo::Service => "",
        ReceiptTo::Connection(connection) => connection.as_str(),
    });
    let attributes = [
        (EPOCH, text(epoch.as_str())),
        (ID, text(message.id.as_str())),
        (FROM, text(message.from.as_str())),
        write_content(&message.content),
        (AT, number(message.at.0)),
        (TTL, number(expires.as_ttl())),
    ];
    let receipt = receipt.map(|connection| (RECEIPT, text(connection)));
    item(log_key(channel), &seq_key(message.seq), attributes.into_iter().chain(receipt))
}

fn write_content(content: &Content) -> (&'static str, AttributeValue) {
    match content {
        Content::Body(body) => (BODY, text(body.as_str())),
        Content::Deleted(seq) => (DELETED, number(*seq)),
        Content::Closed(Closure::Kept) => (CLOSED, text(KEPT)),
        Content::Closed(Closure::Erased) => (CLOSED, text(ERASED)),
    }
}

fn read_content(item: &Item) -> PortResult<Content> {
    if item.contains_key(DELETED) {
        return Ok(Content::Deleted(Seq(read_number(item, DELETED)?)));
    }
    if item.contains_key(CLOSED) {
        let closure = if read_text(item, CLOSED)? == ERASED { Closure::Erased } else { Closure::Kept };
        return Ok(Content::Closed(closure));
    }
    let body = read_text(item, BODY)?.to_owned();
    Body::parse(body).map(Content::Body).map_err(|error| malformed("read row", error))
}

pub(super) fn read_message(item: &Item) -> PortResult<Message> {
    Ok(Message {
        seq: Seq(read_text(item, SORT_KEY)?.parse().map_err(|_| missing(SORT_KEY))?),
        id: MessageId::parse(read_text(item, ID)?).map_err(|error| malformed("read row", error))?,
        from: UserId::parse(read_text(item, FROM)?).map_err(|error| malformed("read row", error))?,
        content: read_content(item)?,
        at: Timestamp(read_number(item, AT)?),
        receipt: item.get(RECEIPT).and_then(|value| value.as_s().ok()).map(|connection| match connection.as_str() {
            "" => ReceiptTo::Service,
            connection => ReceiptTo::Connection(ConnectionId::new(connection)),
        }),
    })
}

/// A connection's own row, or a member's.
pub(super) fn write_connection(pk: String, sk: &str, connection: &Connection) -> Item {
    item(
        pk,
        sk,
        [
            (USER, text(connection.user.as_str())),
            (CONNECTED_AT, number(connection.connected_at.0)),
            (UNTIL, number(connection.until.0)),
            (TTL, number(connection.expires(&API_GATEWAY).as_ttl())),
        ],
    )
}

pub(super) fn read_connection(id: ConnectionId, item: &Item) -> PortResult<Connection> {
    Ok(Connection {
        id,
        user: UserId::parse(read_text(item, USER)?).map_err(|error| malformed("read row", error))?,
        connected_at: Timestamp(read_number(item, CONNECTED_AT)?),
        until: Timestamp(read_number(item, UNTIL)?),
    })
}

pub(super) fn write_membership(connection: &Connection, channel: &Channel, shard: Shard) -> Item {
    item(
        connection_key(&connection.id),
        &channel_key(channel),
        [(SHARD, number(shard)), (TTL, number(connection.expires(&API_GATEWAY).as_ttl()))],
    )
}

pub(super) fn bans_key(user: &UserId) -> String {
    format!("{}{user}", prefix::BANS)
}

pub(super) fn write_ban(user: &UserId, channel: &Channel, until: Timestamp) -> Item {
    let attributes = [(UNTIL, number(until.0)), (TTL, number(until.as_ttl()))];
    item(bans_key(user), &channel.to_string(), attributes)
}

pub(super) fn limit_key(user: &UserId) -> String {
    format!("{}{user}", prefix::LIMIT)
}

pub(super) fn receipts_key(channel: &Channel) -> String {
    format!("{}{channel}", prefix::RECEIPTS)
}

/// The two ids hold no slash, so that this is the same only for the same sender and message.
pub(super) fn receipt_key(from: &UserId, id: &MessageId) -> String {
    format!("{from}/{id}")
}

pub(super) fn write_receipt(from: &UserId, receipt: &Receipt, expires: Timestamp) -> Item {
    item(
        receipts_key(&receipt.channel),
        &receipt_key(from, &receipt.id),
        [
            (SEQ, number(receipt.seq)),
            (MEMBERS, number(receipt.members)),
            (DELIVERED, number(receipt.delivered)),
            (GONE, number(receipt.gone)),
            (FAILED, number(receipt.failed)),
            (MS, number(receipt.ms)),
            (TTL, number(expires.as_ttl())),
        ],
    )
}

pub(super) fn read_receipt(channel: &Channel, id: &MessageId, item: &Item) -> PortResult<Receipt> {
    Ok(Receipt {
        channel: channel.clone(),
        id: id.clone(),
        seq: Seq(read_number(item, SEQ)?),
        members: read_number(item, MEMBERS)?,
        delivered: read_number(item, DELIVERED)?,
        gone: read_number(item, GONE)?,
        failed: read_number(item, FAILED)?,
        ms: read_number(item, MS)?,
    })
}

pub(super) fn read_shard(item: &Item) -> PortResult<Shard> {
    read_number(item, SHARD)
}

pub(super) fn write_sender(sender: &SenderId, until: Timestamp) -> Item {
    item(SENDERS.to_owned(), sender.as_str(), [(UNTIL, number(until.0)), (TTL, number(until.as_ttl()))])
}
