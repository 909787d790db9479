//! The rows and their attributes.
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
use hubbub_core::channel::Channel;
use hubbub_core::id::{ConnectionId, Epoch, LeaseId, MessageId, SenderId, UserId};
use hubbub_core::lease::Lease;
use hubbub_core::member::{Connection, Shard};
use hubbub_core::message::{Body, Closure, Content, Message, ReceiptTo, Seq};
use hubbub_core::names::table::{PARTITION_KEY, SORT_KEY, TTL};
use hubbub_core::ports::{ChannelState, PortError, PortResult};
use hubbub_core::protocol::Receipt;
use hubbub_core::time::Timestamp;

use crate::error::malformed;

pub(super) type Item = HashMap<String, AttributeValue>;

/// The sort key of a partition's main item.
pub(super) const SELF: &str = "@";

/// The values of `closed` in a message: whether the closed room's log was kept.
const KEPT: &str = "kept";
const ERASED: &str = "erased";

/// The partition of the senders at work.
pub(super) const SENDERS: &str = "SN";

pub(super) mod attribute {
    pub(in super::super) const EPOCH: &str = "epoch";
    pub(in super::super) const HEAD: &str = "head";
    pub(in super::super) const SENT: &str = "sent";
    pub(in super::super) const SHARDS: &str = "shards";
    pub(in super::super) const LEASE: &str = "lease";
    pub(in super::super) const LEASE_UNTIL: &str = "lease_until";
    pub(in super::super) const ID: &str = "id";
    pub(in super::super) const FROM: &str = "from";
    pub(in super::super) const BODY: &str = "body";
    /// In a message: the sequence of the message that was deleted.
    pub(in super::super) const DELETED: &str = "deleted";
    /// In a message: whether the closed room's log was kept. In a channel: present while it is closed.
    pub(in super::super) const CLOSED: &str = "closed";
    pub(in super::super) const AT: &str = "at";
    pub(in super::super) const USER: &str = "user";
    pub(in super::super) const CONNECTED_AT: &str = "connected_at";
    pub(in super::super) const MEMBERS: &str = "members";
    pub(in super::super) const SHARD: &str = "shard";
    pub(in super::super) const MOVED_AT: &str = "moved_at";
    /// In a message: the connection that the receipt is posted to, or an empty text for a service.
    pub(in super::super) const RECEIPT: &str = "receipt";
    pub(in super::super) const SEQ: &str = "seq";
    pub(in super::super) const DELIVERED: &str = "delivered";
    pub(in super::super) const GONE: &str = "gone";
    pub(in super::super) const FAILED: &str = "failed";
    pub(in super::super) const MS: &str = "ms";
    pub(in super::super) const ARRIVAL: &str = "arrival";
    pub(in super::super) const UNTIL: &str = "until";
    /// In a shard: the time at which the last watcher has gone.
    pub(in super::super) const WATCHED: &str = "watched";
    /// In a shard: when an announcement is due.
    pub(in super::super) const DUE: &str = "due";
    pub(in super::super) const PAUSED: &str = "paused";
    pub(in super::super) const POSTS: &str = "posts";
}
use attribute::{
    AT, BODY, CLOSED, CONNECTED_AT, DELETED, DELIVERED, EPOCH, FAILED, FROM, GONE, HEAD, ID, LEASE, LEASE_UNTIL,
    MEMBERS, MOVED_AT, MS, RECEIPT, SENT, SEQ, SHARD, SHARDS, UNTIL, USER,
};

/// The beginning of channels' partition keys.
pub(super) const CHANNEL: &str = "CH#";

pub(super) fn channel_key(channel: &Channel) -> String {
    format!("{CHANNEL}{channel}")
}

pub(super) fn log_key(channel: &Channel) -> String {
    format!("LOG#{channel}")
}

/// The partition of a shard's members.
#[must_use]
pub fn shard_key(channel: &Channel, shard: Shard) -> String {
    format!("MB#{channel}#{shard}")
}

/// The partition of a channel's watchers and its last announcement.
pub(super) fn presence_key(channel: &Channel) -> String {
    format!("PR#{channel}")
}

pub(super) fn signals_key(second: u64) -> String {
    format!("SG#{second}")
}

pub(super) fn connection_key(id: &ConnectionId) -> String {
    format!("CN#{id}")
}

/// A sequence as a sort key, with leading zeros, so that texts sort as numbers do.
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

/// DynamoDB deletes expired rows only within days, so every read checks. A row without `ttl` never expires.
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
            (TTL, number(connection.expires().as_ttl())),
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
        [(SHARD, number(shard)), (TTL, number(connection.expires().as_ttl()))],
    )
}

pub(super) fn bans_key(user: &UserId) -> String {
    format!("BN#{user}")
}

pub(super) fn write_ban(user: &UserId, channel: &Channel, until: Timestamp) -> Item {
    let attributes = [(UNTIL, number(until.0)), (TTL, number(until.as_ttl()))];
    item(bans_key(user), &channel.to_string(), attributes)
}

pub(super) fn limit_key(user: &UserId) -> String {
    format!("LM#{user}")
}

pub(super) fn receipts_key(channel: &Channel) -> String {
    format!("RC#{channel}")
}

/// Neither id may have a slash, so the key is unique to a sender and message.
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
