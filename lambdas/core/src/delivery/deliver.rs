//! Delivering the messages of the publish queue: append them to their channels' logs, then fan out or start a broadcast.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::lock::Mutex;

use super::age::record_ages;
use super::fan_out::{Audience, FanOut};
use super::settlement::{Settlement, settle};
use crate::log::append::{LookBack, NewMessage, append};
use crate::log::lease;
use crate::log::lease::Lease;
use crate::log::state::ChannelState;
use crate::members::shard::Shard;
use crate::metrics::DEAD_LETTERS;
use crate::moderation::moderator::{Moderator, ReceivedCommand};
use crate::names::MAX_RECEIVES;
use crate::ports::{
    Bans, Broadcasts, Clock, DeadLetter, DeadLetters, Ids, Log, Members, Meter, PortError, PortResult, Poster,
    Receipts, Senders,
};
use crate::wire::channel::Channel;
use crate::wire::id::MessageId;
use crate::wire::queue_message::{InvalidQueueMessage, QueueMessage, Wake};
use crate::wire::time::Timestamp;

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
    /// Whether it was put back from the dead-letter queue.
    pub redriven: bool,
    /// The ARN of the queue.
    pub source: String,
}

/// Delivers batches of the publish queue.
#[derive(Clone, Debug)]
pub struct Delivery<S, B, D, P, E> {
    /// Posts to the members of small channels.
    pub fan_out: FanOut<S, P, E>,
    /// The broadcast state machine.
    pub broadcasts: B,
    /// Where messages go that can never be delivered.
    pub dead_letters: D,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// How long a message is kept.
    pub retention: Duration,
    /// The most members that are posted to here.
    pub inline_limit: u64,
    /// How long a lease lasts.
    pub lease: Duration,
    /// Held by the large fan-out that is under way: this sender has one part in the budget, and one rate.
    pub large: Arc<Mutex<()>>,
}

impl<S, B, D, P, E> Delivery<S, B, D, P, E>
where
    S: Bans + Log + Members + Receipts + Senders,
    B: Broadcasts,
    D: DeadLetters,
    P: Poster,
    E: Clock + Ids + Meter,
{
    /// Delivers a batch, and returns the queue's ids of the messages that the queue must deliver again. After a failed message, all later messages
    /// of its group fail too, so that their order is kept.
    ///
    /// Members that are not posted to by the deadline recover.
    pub async fn deliver(&self, records: Vec<Record>, deadline: Timestamp) -> Vec<String> {
        let mut groups: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        for record in records {
            groups.entry(record.group.clone()).or_default().push(record);
        }
        let failed = join_all(groups.values().map(|group| self.deliver_group(group, deadline))).await;
        failed.into_iter().flatten().collect()
    }

    async fn deliver_group(&self, records: &[Record], deadline: Timestamp) -> Vec<String> {
        let batch = self.open(records).await;
        let first_failed = match &batch.channel {
            None => batch.end,
            Some(channel) => match self.append_and_dispatch(channel, records, &batch, deadline).await {
                Ok(()) => batch.end,
                Err(Failure { from, error }) => {
                    tracing::error!(%channel, %error, "not delivered");
                    from.min(batch.end)
                }
            },
        };
        records.iter().skip(first_failed).map(|record| record.queue_id.clone()).collect()
    }

    /// Reads a group's messages, and buries those that can never be delivered. It ends at the first that could not be buried.
    async fn open(&self, records: &[Record]) -> Batch {
        let mut batch = Batch { channel: None, steps: Vec::new(), last: 0, end: records.len() };
        for (index, record) in records.iter().enumerate() {
            match QueueMessage::parse(&record.body, &record.group, self.max_body_bytes) {
                Ok(QueueMessage::Message(envelope)) => {
                    batch.channel = Some(envelope.channel.clone());
                    batch.last = index;
                    batch.append(index, NewMessage::of(envelope, record.sent_at));
                }
                Ok(QueueMessage::Command(command)) => {
                    batch.channel = Some(command.channel.clone());
                    batch.last = index;
                    let id = MessageId::digest(&record.queue_id);
                    batch.steps.push((index, Step::CarryOut(ReceivedCommand { command, id, at: record.sent_at })));
                }
                Ok(QueueMessage::Wake(Wake { channel, .. })) => {
                    batch.channel = Some(channel);
                    batch.last = index;
                }
                Err(reason) => {
                    if let Err(error) = self.bury(record, &reason).await {
                        tracing::error!(message.queue_id = record.queue_id, %error, "dead letter not buried");
                        batch.end = index;
                        break;
                    }
                }
            }
        }
        batch
    }

    /// A dead letter is put on its queue before the message is taken off this one. So it may be there twice, but never be missing.
    async fn bury(&self, record: &Record, reason: &InvalidQueueMessage) -> PortResult<()> {
        tracing::warn!(message.queue_id = record.queue_id, reason = reason.reason().as_str(), "dead letter");
        self.dead_letters
            .bury(&DeadLetter {
                queue_id: record.queue_id.clone(),
                group: record.group.clone(),
                body: record.body.clone(),
                reason: reason.reason(),
                detail: reason.to_string(),
                source: record.source.clone(),
                first_seen: record.sent_at,
            })
            .await?;
        self.fan_out.env.record(DEAD_LETTERS, 1);
        Ok(())
    }

    async fn append_and_dispatch(
        &self,
        channel: &Channel,
        records: &[Record],
        Batch { steps, last, .. }: &Batch,
        deadline: Timestamp,
    ) -> Result<(), Failure> {
        let redelivered = records.iter().any(|record| record.receives > 1);
        let look_back =
            if records.iter().any(|record| record.redriven) { LookBack::Anywhere } else { LookBack::Newest };
        let moderator = Moderator {
            store: &self.fan_out.store,
            poster: &self.fan_out.poster,
            env: &self.fan_out.env,
            retention: self.retention,
            deadline,
        };
        for (index, step) in steps {
            let taken = match step {
                Step::Append(arrivals) => {
                    append(&self.fan_out.store, &self.fan_out.env, channel, arrivals, look_back, self.retention).await
                }
                Step::CarryOut(command) => moderator.carry_out(command).await,
            };
            taken.map_err(|error| Failure { from: *index, error })?;
        }
        // The messages are in the log. Delivering the last one again is enough to dispatch again. It must be one that could be read, because a
        // buried message dispatches nothing.
        match self.dispatch(channel, redelivered, deadline).await {
            // A message that is in the log must not become a dead letter. The members' pings have it sent.
            Err(error) if records.get(*last).is_some_and(|record| record.receives >= MAX_RECEIVES) => {
                tracing::error!(%channel, %error, "appended, but not sent");
                Ok(())
            }
            dispatched => dispatched.map_err(|error| Failure { from: *last, error }),
        }
    }

    /// Sends the log's unsent messages to the members: by posting them, or by a broadcast that is sure to see them.
    async fn dispatch(&self, channel: &Channel, redelivered: bool, deadline: Timestamp) -> PortResult<()> {
        let now = self.fan_out.env.now();
        let Some(state) = self.fan_out.store.state(channel).await? else {
            return Ok(());
        };
        if state.sent >= state.head {
            return Ok(());
        }
        if let Some(lease) = state.live_lease(now) {
            // The lease's owner may have crashed before the start. Only a redelivery can tell, and it starts the broadcast again.
            if redelivered {
                self.broadcasts.start(channel, &lease.id).await?;
            }
            return Ok(());
        }
        let members: u64 = self.fan_out.store.counts(channel, state.shards).await?.iter().sum();
        if members > self.inline_limit {
            return self.wake(channel).await;
        }
        self.fan_out(channel, &state, members, deadline).await
    }

    /// Starts a broadcast. Where another run is faster, its broadcast sees the head that this run moved.
    async fn wake(&self, channel: &Channel) -> PortResult<()> {
        let now = self.fan_out.env.now();
        let lease = Lease { id: lease::first(channel, &self.fan_out.env.fresh()), until: now.plus(self.lease) };
        if self.fan_out.store.take_lease(channel, &lease, now).await? {
            self.broadcasts.start(channel, &lease.id).await?;
            tracing::info!(%channel, lease = %lease.id, "broadcast started");
        }
        Ok(())
    }

    async fn fan_out(
        &self,
        channel: &Channel,
        state: &ChannelState,
        members: u64,
        deadline: Timestamp,
    ) -> PortResult<()> {
        let range = self.fan_out.pack(channel, &state.epoch, (state.sent, state.head)).await?;
        let shards: Vec<Shard> = (0..state.shards).collect();
        let budget = self.fan_out.share.budget;
        let is_large = budget.is_large(members.saturating_mul(range.frames.len() as u64));
        let audience = Audience { channel, shards: &shards, large: is_large.then_some(1), deadline };
        let tally = if is_large {
            let _alone = self.large.lock().await;
            let tally = self.fan_out.post(&range, audience).await;
            self.fan_out.poster.limit(budget.small_rate());
            tally?
        } else {
            self.fan_out.post(&range, audience).await?
        };
        let settlement = Settlement {
            channel,
            epoch: &state.epoch,
            to: state.head,
            messages: &range.messages,
            tally,
            retention: self.retention,
        };
        settle(&self.fan_out.store, &self.fan_out.poster, &self.fan_out.env, settlement).await?;
        record_ages(&self.fan_out.env, self.fan_out.env.now(), range.messages.iter().map(|message| message.at));
        tracing::info!(
            %channel,
            seq = state.head.0,
            frames = range.frames.len(),
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

/// A group's messages, read.
struct Batch {
    /// The group's channel, if any of the messages could be read.
    channel: Option<Channel>,
    /// The steps in the queue's order, each with its message's place in the batch.
    steps: Vec<(usize, Step)>,
    /// The place of the last message that could be read.
    last: usize,
    /// The end of the batch: the first message that could not be buried, or the place after the last.
    end: usize,
}

/// A step for a group.
enum Step {
    /// Messages that follow each other go into the log together.
    Append(Vec<NewMessage>),
    CarryOut(ReceivedCommand),
}

impl Batch {
    fn append(&mut self, index: usize, arrival: NewMessage) {
        match self.steps.last_mut() {
            Some((_, Step::Append(arrivals))) => arrivals.push(arrival),
            _ => self.steps.push((index, Step::Append(vec![arrival]))),
        }
    }
}

/// The messages of a group from an index on were not delivered.
struct Failure {
    from: usize,
    error: PortError,
}
