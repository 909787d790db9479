//! Settling: what is done when a range of the log was posted to all members.
//!
//! Receipts are written before `sent` moves, so that a crash between the two repeats them rather than loses them.

use std::time::Duration;

use futures::stream::{self, TryStreamExt};

use super::outcome::Tally;
use crate::metrics::POSTS;
use crate::ports::{Clock, Log, Meter, PortResult, Poster, Receipts};
use crate::wire::channel::Channel;
use crate::wire::frame::Frame;
use crate::wire::id::Epoch;
use crate::wire::message::{Message, ReceiptTo, Seq};
use crate::wire::server_frame::{Receipt, ServerFrame};

/// How many receipts are given at a time.
const RECEIPTS_AT_ONCE: usize = 64;

/// What was done with a range of a channel's log.
#[derive(Clone, Copy, Debug)]
pub struct Settlement<'a> {
    /// The channel.
    pub channel: &'a Channel,
    /// The epoch.
    pub epoch: &'a Epoch,
    /// The last message of the range.
    pub to: Seq,
    /// The range's messages; those without a wish for a receipt may be left out.
    pub messages: &'a [Message],
    /// What became of their posts, all together.
    pub tally: Tally,
    /// How long receipts are kept.
    pub retention: Duration,
}

/// Gives the receipts that were asked for, and notes that the range is sent.
///
/// A receipt is in the table for sure; its post to the publisher's connection is tried once.
///
/// # Errors
/// When the store can't be written. Settling again repeats the receipts.
pub async fn settle<S: Log + Receipts, P: Poster, E: Clock + Meter>(
    store: &S,
    poster: &P,
    env: &E,
    settlement: Settlement<'_>,
) -> PortResult<()> {
    let Settlement { channel, epoch, to, messages, tally, retention } = settlement;
    let give = async |(message, receipt_to): (&Message, &ReceiptTo)| {
        let now = env.now();
        let receipt = Receipt {
            channel: channel.clone(),
            id: message.id.clone(),
            seq: message.seq,
            members: tally.members,
            delivered: tally.delivered,
            gone: tally.gone,
            failed: tally.failed.saturating_add(tally.throttled),
            ms: u64::try_from(now.since(message.at).as_millis()).unwrap_or(u64::MAX),
        };
        store.put_receipt(&message.from, &receipt, now.plus(retention)).await?;
        if let ReceiptTo::Connection(connection) = receipt_to {
            let frame = Frame::beside_the_log(&ServerFrame::Receipt(receipt))?;
            poster.post(&[frame], std::slice::from_ref(connection)).await;
            env.record(POSTS, 1);
        }
        PortResult::Ok(())
    };
    let wishes = messages.iter().filter_map(|message| Some((message, message.receipt.as_ref()?)));
    stream::iter(wishes.map(Ok)).try_for_each_concurrent(RECEIPTS_AT_ONCE, give).await?;
    store.settle(channel, epoch, to).await
}
