//! The documents that the state machine and its functions exchange.

use serde::{Deserialize, Serialize};

use super::page::Page;
use crate::delivery::outcome::Tally;
use crate::wire::channel::Channel;
use crate::wire::id::{Epoch, LeaseId};
use crate::wire::message::Seq;
use crate::wire::time::Timestamp;

/// An execution's input. It must be the same whenever the same lease is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BroadcastInput {
    /// The channel.
    pub channel: Channel,
    /// The lease, which is the execution's name.
    pub lease: LeaseId,
}

/// A range of the log on its way to all members: the messages after `from`, up to `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// 1 for an execution's first.
    pub number: u32,
    /// The life of the log.
    pub epoch: Epoch,
    /// The last message that was sent before.
    pub from: Seq,
    /// The last message of the round.
    pub to: Seq,
    /// Frames for each member.
    pub frames: u32,
    /// About how many history events the execution has when the round is done.
    pub events: u64,
    /// How many of its pages are under way at once.
    pub senders: u32,
    /// When it was planned.
    pub begun_at: Timestamp,
    /// When the queue took its messages; of many, a hundred.
    pub taken_at: Vec<Timestamp>,
    /// Whether any of its messages wants a receipt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub receipts: bool,
}

/// What became of a page: its report, or the error by which it failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageReport {
    /// The page's index.
    pub index: u32,
    /// What became of its members' posts.
    #[serde(flatten)]
    pub tally: Tally,
    /// The error's name, where the page failed after all its retries. Its members recover by the gap.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// What a broadcast has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Rounds that are done.
    pub rounds: u64,
    /// Pages that were delivered.
    pub pages: u64,
    /// Pages that failed.
    pub failed_pages: u64,
    /// What became of posts.
    #[serde(flatten)]
    pub tally: Tally,
}

/// The input of `plan-broadcast`: an execution's, and from the second time on the round that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanInput {
    /// The channel.
    pub channel: Channel,
    /// The lease.
    pub lease: LeaseId,
    /// The round that is done.
    #[serde(default)]
    pub round: Option<Round>,
    /// What became of its pages.
    #[serde(default)]
    pub reports: Vec<PageReport>,
    /// What was done before it.
    #[serde(default)]
    pub totals: Totals,
}

/// What the state machine does next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Next {
    /// Deliver this.
    Round {
        /// The range.
        round: Round,
        /// The Map's items.
        pages: Vec<Page>,
        /// The Map's concurrency.
        concurrency: u32,
    },
    /// Everything is sent and the lease is given back.
    Settled,
    /// A fresh execution goes on.
    HandedOver,
    /// Another execution holds the lease: this one's ended before it was renewed.
    LostLease,
}

/// The answer of `plan-broadcast`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What to do next.
    #[serde(flatten)]
    pub next: Next,
    /// The channel.
    pub channel: Channel,
    /// The lease.
    pub lease: LeaseId,
    /// What was done so far.
    pub totals: Totals,
}

/// The input of `deliver-page`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageInput {
    /// The channel.
    pub channel: Channel,
    /// The lease.
    pub lease: LeaseId,
    /// The range.
    pub round: Round,
    /// The members.
    pub page: Page,
}
