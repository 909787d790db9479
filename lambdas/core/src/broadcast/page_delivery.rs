//! Delivering a page of a round.

use std::time::Duration;

use super::round::{PageInput, PageReport};
use crate::delivery::fan_out::{Audience, FanOut};
use crate::log::lease::Lease;
use crate::ports::{Clock, Log, Members, Meter, PortResult, Poster, Senders};
use crate::wire::time::Timestamp;

/// Delivers a page of a round.
#[derive(Clone, Debug)]
pub struct PageDelivery<S, P, E> {
    /// Posts to the page's members.
    pub fan_out: FanOut<S, P, E>,
    /// How long a lease lasts.
    pub lease: Duration,
}

impl<S: Log + Members + Senders, P: Poster, E: Clock + Meter> PageDelivery<S, P, E> {
    /// Posts the round's frames to the page's members. Doing it twice repeats frames, which clients de-duplicate. Members that are not
    /// posted to by the deadline recover.
    ///
    /// # Errors
    /// When the log or the members can't be read.
    pub async fn deliver(&self, input: PageInput, deadline: Timestamp) -> PortResult<PageReport> {
        let PageInput { channel, lease, round, page } = input;
        // A round of many pages takes longer than a lease. A lost lease is no reason to stop: `sent` moves past this page's members.
        let renewed = Lease { id: lease.clone(), until: self.fan_out.env.now().plus(self.lease) };
        self.fan_out.store.replace_lease(&channel, &lease, &renewed).await?;
        let range = self.fan_out.pack(&channel, &round.epoch, (round.from, round.to)).await?;
        let large = Some(round.senders);
        let audience = Audience { channel: &channel, shards: &page.shards, large, deadline };
        let tally = self.fan_out.post(&range, audience).await?;
        tracing::info!(%channel, page.index, frames = range.frames.len(), ?tally, "page delivered");
        Ok(PageReport { index: page.index, tally, error: None })
    }
}
