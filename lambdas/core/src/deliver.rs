//! Delivering what lies on the publish queue: append each channel's messages, then fan out or wake the broadcast.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

use crate::append::{Arrival, append};
use crate::channel::Channel;
use crate::envelope::{Envelope, InvalidEnvelope};
use crate::fan_out::{fan_out, frames, read_range};
use crate::lease::{self, Lease};
use crate::member::Shard;
use crate::ports::{
    Broadcasts, ChannelState, Clock, DeadLetter, DeadLetters, Ids, Log, Members, PortError, PortResult, Poster,
};
use crate::time::Timestamp;

/// A message as the queue delivers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The queue's id of the message.
    pub queue_id: String,
    /// The message group.
    pub group: String,
    /// The body, an envelope if all is well.
    pub body: String,
    /// When the queue took it.
    pub sent_at: Timestamp,
    /// How often it was received, this time included.
    pub receives: u32,
    /// The ARN of the queue.
    pub source: String,
}

/// Delivers batches of the publish queue.
#[derive(Clone, Debug)]
pub struct Delivery<S, B, D, P, E> {
    /// The logs and the members.
    pub store: S,
    /// The broadcast state machine.
    pub broadcasts: B,
    /// Where messages go that can never be delivered.
    pub dead_letters: D,
    /// The sockets.
    pub poster: P,
    /// Time and fresh ids.
    pub world: E,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// How long a message is kept.
    pub retention: Duration,
    /// The most members that are posted to here.
    pub inline_limit: u64,
    /// How long a lease lasts.
    pub lease: Duration,
}

impl<S, B, D, P, E> Delivery<S, B, D, P, E>
where
    S: Log + Members,
    B: Broadcasts,
    D: DeadLetters,
    P: Poster,
    E: Clock + Ids,
{
    /// Delivers a batch; the queue's ids of the messages that the queue must deliver again. Behind a failed message, all later ones of
    /// its group are failed too, so that their order is kept.
    pub async fn deliver(&self, records: Vec<Record>) -> Vec<String> {
        let mut groups: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        for record in records {
            groups.entry(record.group.clone()).or_default().push(record);
        }
        let failed = join_all(groups.values().map(|group| self.deliver_group(group))).await;
        failed.into_iter().flatten().collect()
    }

    async fn deliver_group(&self, records: &[Record]) -> Vec<String> {
        let mut arrivals = Vec::new();
        let mut held_up = records.len();
        for (index, record) in records.iter().enumerate() {
            match Envelope::parse(&record.body, &record.group, self.max_body_bytes) {
                Ok(envelope) => arrivals.push((index, Arrival { envelope, at: record.sent_at })),
                Err(reason) => {
                    if let Err(error) = self.bury(record, &reason).await {
                        tracing::error!(message.queue_id = record.queue_id, %error, "dead letter not buried");
                        held_up = index;
                        break;
                    }
                }
            }
        }
        let first_failed = match self.append_and_dispatch(records, &arrivals).await {
            Ok(()) => held_up,
            Err(failure) => {
                tracing::error!(channel = failure.channel.to_string(), error = %failure.error, "not delivered");
                failure.from.min(held_up)
            }
        };
        records.iter().skip(first_failed).map(|record| record.queue_id.clone()).collect()
    }

    /// A dead letter is put on its queue before the message is taken off this one, so it may be there twice, but never not at all.
    async fn bury(&self, record: &Record, reason: &InvalidEnvelope) -> PortResult<()> {
        tracing::warn!(message.queue_id = record.queue_id, reason = reason.code(), "dead letter");
        self.dead_letters
            .bury(&DeadLetter {
                queue_id: record.queue_id.clone(),
                group: record.group.clone(),
                body: record.body.clone(),
                reason: reason.code(),
                detail: reason.to_string(),
                source: record.source.clone(),
                first_seen: record.sent_at,
            })
            .await
    }

    async fn append_and_dispatch(&self, records: &[Record], arrivals: &[(usize, Arrival)]) -> Result<(), Failure> {
        let Some(((first, arrival), (last, _))) = arrivals.first().zip(arrivals.last()) else {
            return Ok(());
        };
        let channel = &arrival.envelope.channel;
        let redelivered = records.iter().any(|record| record.receives > 1);
        let messages: Vec<Arrival> = arrivals.iter().map(|(_, arrival)| arrival.clone()).collect();
        append(&self.store, &self.world, channel, &messages, redelivered, self.retention)
            .await
            .map_err(|error| Failure { from: *first, channel: channel.clone(), error })?;
        // The messages are in the log. To deliver the last one again is enough to dispatch again.
        self.dispatch(channel, redelivered)
            .await
            .map_err(|error| Failure { from: *last, channel: channel.clone(), error })
    }

    /// Sees to it that what is in the log reaches the members: by posting it, or by a broadcast that is sure to see it.
    async fn dispatch(&self, channel: &Channel, redelivered: bool) -> PortResult<()> {
        let now = self.world.now();
        let Some(state) = self.store.state(channel).await? else {
            return Ok(());
        };
        if state.sent >= state.head {
            return Ok(());
        }
        if let Some(lease) = state.live_lease(now) {
            // Whoever took the lease may have died before the start. Only a redelivery can tell, and it starts it again.
            if redelivered {
                self.broadcasts.start(channel, &lease.id).await?;
            }
            return Ok(());
        }
        let members: u64 = self.store.counts(channel, state.shards).await?.iter().sum();
        if members > self.inline_limit {
            return self.wake(channel).await;
        }
        self.fan_out(channel, &state).await
    }

    /// Starts a broadcast. Where another run is faster, its broadcast sees the head that this one moved.
    async fn wake(&self, channel: &Channel) -> PortResult<()> {
        let now = self.world.now();
        let lease = Lease { id: lease::first(channel, &self.world.fresh()), until: now.plus(self.lease) };
        if self.store.take_lease(channel, &lease, now).await? {
            self.broadcasts.start(channel, &lease.id).await?;
            tracing::info!(%channel, lease = %lease.id, "broadcast started");
        }
        Ok(())
    }

    async fn fan_out(&self, channel: &Channel, state: &ChannelState) -> PortResult<()> {
        let range = (state.sent, state.head);
        let messages = read_range(&self.store, &self.world, channel, &state.epoch, range).await?;
        let frames = frames(channel, &state.epoch, &messages)?;
        let shards: Vec<Shard> = (0..state.shards).collect();
        let tally = fan_out(&self.store, &self.poster, &self.world, channel, &shards, &frames).await?;
        self.store.settle(channel, &state.epoch, state.head).await?;
        tracing::info!(
            %channel,
            seq = state.head.0,
            frames = frames.len(),
            members = tally.members,
            delivered = tally.delivered,
            gone = tally.gone,
            throttled = tally.throttled,
            failed = tally.failed,
            "fanned out"
        );
        Ok(())
    }
}

/// The messages of a group from an index on were not delivered.
struct Failure {
    from: usize,
    channel: Channel,
    error: PortError,
}
