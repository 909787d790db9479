//! Delivering what lies on the publish queue: append each channel's messages, then fan out or wake the broadcast.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::lock::Mutex;

use crate::append::{Arrival, LookBack, append};
use crate::channel::Channel;
use crate::envelope::{InvalidEnvelope, Parcel};
use crate::fan_out::{FanOut, Share, closes, frames, read_range};
use crate::id::MessageId;
use crate::lease::{self, Lease};
use crate::member::Shard;
use crate::metrics::{DEAD_LETTERS, record_ages};
use crate::names::MAX_RECEIVES;
use crate::order::{Executive, ReceivedOrder};
use crate::ports::{
    Bans, Broadcasts, ChannelState, Clock, DeadLetter, DeadLetters, Ids, Log, Members, Meter, PortError, PortResult,
    Poster, Receipts, Senders,
};
use crate::settlement::{Settlement, settle};
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
    /// Whether it was put back from the dead-letter queue.
    pub redriven: bool,
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
    /// Time, fresh ids, and a meter.
    pub world: E,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// How long a message is kept.
    pub retention: Duration,
    /// The most members that are posted to here.
    pub inline_limit: u64,
    /// How long a lease lasts.
    pub lease: Duration,
    /// This sender's part in the callback budget.
    pub share: Share,
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
    /// Delivers a batch; the queue's ids of the messages that the queue must deliver again. Behind a failed message, all later ones of
    /// its group are failed too, so that their order is kept.
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

    /// Opens a group's parcels, and buries those that can never be delivered. It ends at the first that could not be buried.
    async fn open(&self, records: &[Record]) -> Batch {
        let mut batch = Batch { channel: None, steps: Vec::new(), last: 0, end: records.len() };
        for (index, record) in records.iter().enumerate() {
            match Parcel::parse(&record.body, &record.group, self.max_body_bytes) {
                Ok(Parcel::Message(envelope)) => {
                    batch.channel = Some(envelope.channel.clone());
                    batch.last = index;
                    batch.append(index, Arrival::of(envelope, record.sent_at));
                }
                Ok(Parcel::Order(order)) => {
                    batch.channel = Some(order.channel.clone());
                    batch.last = index;
                    let id = MessageId::digest(&record.queue_id);
                    batch.steps.push((index, Step::CarryOut(ReceivedOrder { order, id, at: record.sent_at })));
                }
                Ok(Parcel::Wake(channel)) => {
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
            .await?;
        self.world.record(DEAD_LETTERS, 1);
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
        let executive = Executive {
            store: &self.store,
            poster: &self.poster,
            world: &self.world,
            retention: self.retention,
            deadline,
        };
        for (index, step) in steps {
            let taken = match step {
                Step::Append(arrivals) => {
                    append(&self.store, &self.world, channel, arrivals, look_back, self.retention).await
                }
                Step::CarryOut(order) => executive.carry_out(order).await,
            };
            taken.map_err(|error| Failure { from: *index, error })?;
        }
        // The messages are in the log. To deliver the last one again is enough to dispatch again; it must be one that could be read,
        // because what was buried dispatches nothing.
        match self.dispatch(channel, redelivered, deadline).await {
            // What is in the log must not become a dead letter. The members see to it that it is sent, by their pings.
            Err(error) if records.get(*last).is_some_and(|record| record.receives >= MAX_RECEIVES) => {
                tracing::error!(%channel, %error, "appended, but not sent");
                Ok(())
            }
            dispatched => dispatched.map_err(|error| Failure { from: *last, error }),
        }
    }

    /// Sees to it that what is in the log reaches the members: by posting it, or by a broadcast that is sure to see it.
    async fn dispatch(&self, channel: &Channel, redelivered: bool, deadline: Timestamp) -> PortResult<()> {
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
        self.fan_out(channel, &state, members, deadline).await
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

    async fn fan_out(
        &self,
        channel: &Channel,
        state: &ChannelState,
        members: u64,
        deadline: Timestamp,
    ) -> PortResult<()> {
        let range = (state.sent, state.head);
        let messages = read_range(&self.store, &self.world, channel, &state.epoch, range).await?;
        let frames = frames(channel, &state.epoch, &messages)?;
        let shards: Vec<Shard> = (0..state.shards).collect();
        let Share { budget, .. } = self.share;
        let is_large = budget.is_large(members.saturating_mul(frames.len() as u64));
        let fan_out = FanOut {
            store: &self.store,
            poster: &self.poster,
            world: &self.world,
            channel,
            messages: messages.len(),
            frames: &frames,
            share: is_large.then_some(&self.share),
            senders: 1,
            deadline,
            closes: closes(&self.store, channel, &messages).await?,
        };
        let tally = if is_large {
            let _alone = self.large.lock().await;
            let tally = fan_out.run(&shards).await;
            self.poster.limit(budget.small_rate());
            tally?
        } else {
            fan_out.run(&shards).await?
        };
        let settlement = Settlement {
            channel,
            epoch: &state.epoch,
            to: state.head,
            messages: &messages,
            tally,
            retention: self.retention,
        };
        settle(&self.store, &self.poster, &self.world, settlement).await?;
        record_ages(&self.world, self.world.now(), messages.iter().map(|message| message.at));
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

/// A group's parcels, opened.
struct Batch {
    /// The group's channel, if any of the parcels could be read.
    channel: Option<Channel>,
    /// What is to be done, in the queue's order, with the place in the batch of what it is for.
    steps: Vec<(usize, Step)>,
    /// The place of the last parcel that could be read.
    last: usize,
    /// Where the batch ends: at what could not be buried, or behind the last.
    end: usize,
}

/// Something to be done for a group.
enum Step {
    /// Messages that follow each other go into the log together.
    Append(Vec<Arrival>),
    CarryOut(ReceivedOrder),
}

impl Batch {
    fn append(&mut self, index: usize, arrival: Arrival) {
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

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::id::{ConnectionId, LeaseId, SenderId};
    use crate::member::Connection;
    use crate::memory::MemoryStore;
    use crate::message::Seq;
    use crate::metrics::{AGE, APPENDED, DELIVERED, FAILED, GONE, POSTS, THROTTLED};
    use crate::outcome::Outcome;
    use crate::ports::{MemberPage, ReadLimit};
    use crate::rate::Budget;
    use crate::testing::{Recorder, World, connection, room};
    use crate::{lease, membership};

    type TestDelivery = Delivery<MemoryStore, Recorder, Recorder, Recorder, World>;

    const NOW: u64 = 1_000_000;
    const NEVER: Timestamp = Timestamp(u64::MAX);

    fn delivery(inline_limit: u64) -> TestDelivery {
        let recorder = Recorder::default();
        Delivery {
            store: MemoryStore::default(),
            broadcasts: recorder.clone(),
            dead_letters: recorder.clone(),
            poster: recorder,
            world: World::at(NOW),
            max_body_bytes: 100,
            retention: Duration::from_secs(60),
            inline_limit,
            lease: Duration::from_secs(60),
            share: Share { budget: Budget::of(400), sender: SenderId::new("sender") },
            large: Arc::default(),
        }
    }

    fn join(delivery: &TestDelivery, id: &str, connected_at: u64) {
        let one = connection(id, "alice", connected_at);
        block_on(membership::join(&delivery.store, &delivery.world, &one, &room("lobby"), 2_000)).unwrap();
    }

    fn record(id: &str, receives: u32) -> Record {
        let envelope = crate::testing::envelope("alice", id);
        Record {
            queue_id: format!("queue-{id}"),
            group: envelope.channel.to_string(),
            body: envelope.to_json().unwrap(),
            sent_at: Timestamp(NOW),
            receives,
            redriven: false,
            source: "arn:aws:sqs:us-east-1:000000000000:publish.fifo".to_owned(),
        }
    }

    fn garbage(id: &str) -> Record {
        Record { body: "garbage".to_owned(), ..record(id, 1) }
    }

    fn log(delivery: &TestDelivery) -> Vec<String> {
        let limit = ReadLimit { messages: usize::MAX, bytes: usize::MAX };
        let channel = room("lobby");
        let Some(state) = block_on(delivery.store.state(&channel)).unwrap() else {
            return Vec::new();
        };
        let messages =
            block_on(delivery.store.read(&channel, &state.epoch, Seq(0), limit, delivery.world.now())).unwrap();
        messages.into_iter().map(|message| message.id.to_string()).collect()
    }

    fn state(delivery: &TestDelivery) -> ChannelState {
        block_on(delivery.store.state(&room("lobby"))).unwrap().unwrap()
    }

    fn posts(delivery: &TestDelivery, id: &str) -> usize {
        delivery.poster.seen().posted.get(&ConnectionId::new(id)).map_or(0, Vec::len)
    }

    #[test]
    fn a_small_channel_is_fanned_out_at_once_and_settled() {
        let delivery = delivery(2);
        join(&delivery, "one", NOW);
        join(&delivery, "two", NOW);
        assert_eq!(block_on(delivery.deliver(vec![record("a", 1), record("b", 1)], NEVER)), Vec::<String>::new());
        assert_eq!(log(&delivery), ["a", "b"]);
        assert_eq!((posts(&delivery, "one"), posts(&delivery, "two")), (1, 1), "both messages share a frame");
        assert_eq!(state(&delivery).sent, Seq(2));
        assert_eq!(delivery.broadcasts.seen().started, []);
    }

    #[test]
    fn what_becomes_of_each_message_is_measured_however_many_share_a_post() {
        let delivery = delivery(3);
        for id in ["one", "two", "three"] {
            join(&delivery, id, NOW);
        }
        delivery.poster.outcome("two", Outcome::Gone);
        delivery.poster.outcome("three", Outcome::Throttled);
        delivery.world.set(NOW + 250);
        block_on(delivery.deliver(vec![record("a", 1), record("b", 1), garbage("c")], NEVER));
        // Delivered again, they are in the log and sent already.
        block_on(delivery.deliver(vec![record("a", 2), record("b", 2)], NEVER));
        let measured = delivery.world.measured();
        let counts = [APPENDED, DELIVERED, GONE, THROTTLED, FAILED, POSTS, DEAD_LETTERS];
        assert_eq!(counts.map(|metric| measured.total(metric)), [2, 2, 2, 2, 0, 3, 1]);
        let ages = measured.iter().find(|(metric, _)| **metric == AGE).unwrap().1;
        assert_eq!(ages, [250, 250]);
    }

    #[test]
    fn a_large_channel_wakes_one_broadcast() {
        let delivery = delivery(1);
        join(&delivery, "one", NOW);
        join(&delivery, "two", NOW);
        block_on(delivery.deliver(vec![record("a", 1)], NEVER));
        block_on(delivery.deliver(vec![record("b", 1)], NEVER));
        assert_eq!(log(&delivery), ["a", "b"]);
        assert_eq!(posts(&delivery, "one"), 0);
        let started = delivery.broadcasts.seen().started.clone();
        assert_eq!(started.len(), 1, "the lease is held when the second message comes");
        assert_eq!(state(&delivery).lease.map(|lease| lease.id), Some(started[0].1.clone()));
    }

    #[test]
    fn a_channel_that_is_being_broadcast_is_not_fanned_out_beside_it() {
        let delivery = delivery(1_000);
        join(&delivery, "one", NOW);
        let held = Lease { id: LeaseId::new("held"), until: Timestamp(NOW + 1) };
        assert!(block_on(delivery.store.take_lease(&room("lobby"), &held, Timestamp(NOW))).unwrap());
        block_on(delivery.deliver(vec![record("a", 1)], NEVER));
        assert_eq!(posts(&delivery, "one"), 0);
        delivery.world.set(NOW + 1);
        block_on(delivery.deliver(vec![record("b", 1)], NEVER));
        assert_eq!(posts(&delivery, "one"), 1, "a lease that has ended holds up nobody");
        assert_eq!(state(&delivery).sent, Seq(2));
    }

    #[test]
    fn a_redelivered_message_is_appended_once_and_posted_again() {
        let delivery = delivery(1_000);
        join(&delivery, "one", NOW);
        block_on(delivery.deliver(vec![record("a", 1)], NEVER));
        block_on(delivery.deliver(vec![record("a", 2), record("b", 1)], NEVER));
        assert_eq!(log(&delivery), ["a", "b"]);
    }

    #[test]
    fn a_broadcast_that_could_not_be_started_is_started_by_the_redelivery() {
        let delivery = delivery(0);
        join(&delivery, "one", NOW);
        delivery.broadcasts.refuse(Some("start"));
        assert_eq!(block_on(delivery.deliver(vec![record("a", 1), record("b", 1)], NEVER)), ["queue-b"]);
        assert_eq!(log(&delivery), ["a", "b"]);
        delivery.broadcasts.refuse(None);
        assert_eq!(block_on(delivery.deliver(vec![record("b", 2)], NEVER)), Vec::<String>::new());
        assert_eq!(log(&delivery), ["a", "b"]);
        assert_eq!(delivery.broadcasts.seen().started.len(), 1);
    }

    #[test]
    fn garbage_is_buried_with_its_reason_and_the_next_message_passes() {
        let delivery = delivery(1_000);
        join(&delivery, "one", NOW);
        let failed = block_on(delivery.deliver(vec![garbage("a"), record("b", 1)], NEVER));
        assert_eq!(failed, Vec::<String>::new());
        assert_eq!(log(&delivery), ["b"]);
        let buried = delivery.dead_letters.seen().buried.clone();
        assert_eq!(buried.len(), 1);
        assert_eq!((buried[0].body.as_str(), buried[0].reason), ("garbage", "not_json"));
        assert_eq!((buried[0].queue_id.as_str(), buried[0].first_seen), ("queue-a", Timestamp(NOW)));
    }

    #[test]
    fn garbage_behind_a_message_does_not_hide_that_it_was_not_sent() {
        let delivery = delivery(0);
        join(&delivery, "one", NOW);
        delivery.broadcasts.refuse(Some("start"));
        assert_eq!(block_on(delivery.deliver(vec![record("a", 1), garbage("b")], NEVER)), ["queue-a", "queue-b"]);
    }

    #[test]
    fn a_run_that_was_overtaken_by_the_redelivery_appends_nothing_twice() {
        let delivery = delivery(1_000);
        block_on(delivery.deliver(vec![record("a", 2), record("b", 1)], NEVER));
        block_on(delivery.deliver(vec![record("a", 1)], NEVER));
        assert_eq!(log(&delivery), ["a", "b"]);
    }

    #[test]
    fn what_can_not_be_buried_is_delivered_again_with_all_behind_it() {
        let delivery = delivery(1_000);
        delivery.dead_letters.refuse(Some("bury"));
        let batch = vec![record("a", 1), garbage("b"), record("c", 1)];
        assert_eq!(block_on(delivery.deliver(batch, NEVER)), ["queue-b", "queue-c"]);
        assert_eq!(log(&delivery), ["a"], "what came before is delivered");
    }

    #[test]
    fn a_channel_in_trouble_does_not_hold_up_another() {
        let delivery = delivery(1_000);
        delivery.dead_letters.refuse(Some("bury"));
        let other = Record { group: "room:other".to_owned(), ..garbage("x") };
        assert_eq!(block_on(delivery.deliver(vec![other, record("a", 1)], NEVER)), ["queue-x"]);
        assert_eq!(log(&delivery), ["a"]);
    }

    #[test]
    fn a_member_that_has_gone_is_pruned_unless_it_is_young() {
        let delivery = delivery(1_000);
        join(&delivery, "old", NOW - 10_000);
        join(&delivery, "young", NOW - 9_999);
        join(&delivery, "here", NOW - 60_000);
        delivery.poster.outcome("old", Outcome::Gone);
        delivery.poster.outcome("young", Outcome::Gone);
        block_on(delivery.deliver(vec![record("a", 1)], NEVER));
        let page: MemberPage =
            block_on(delivery.store.member_page(&room("lobby"), 0, None, 10, Timestamp(NOW))).unwrap();
        let left: Vec<&str> = page.members.iter().map(|member| member.id.as_str()).collect();
        assert_eq!(left, ["here", "young"]);
        assert_eq!(page.count, Some(2));
        assert_eq!(block_on(delivery.store.memberships(&ConnectionId::new("old"))).unwrap(), []);
    }

    #[test]
    fn one_members_outcome_changes_nothing_for_the_others() {
        let delivery = delivery(1_000);
        for id in ["a", "b", "c", "d"] {
            join(&delivery, id, NOW);
        }
        delivery.poster.outcome("a", Outcome::Failed);
        delivery.poster.outcome("c", Outcome::Throttled);
        assert_eq!(block_on(delivery.deliver(vec![record("a", 1)], NEVER)), Vec::<String>::new());
        assert_eq!((posts(&delivery, "b"), posts(&delivery, "d")), (1, 1));
        assert_eq!(state(&delivery).sent, Seq(1));
    }

    #[test]
    fn a_count_that_has_drifted_is_corrected_by_the_fan_out() {
        let delivery = delivery(1_000);
        join(&delivery, "one", NOW);
        block_on(delivery.store.add_to_count(&room("lobby"), 0, 7)).unwrap();
        block_on(delivery.deliver(vec![record("a", 1)], NEVER));
        assert_eq!(block_on(delivery.store.counts(&room("lobby"), 1)).unwrap(), [1]);
    }

    #[test]
    fn an_order_is_carried_out_in_its_place_in_the_channel() {
        let delivery = delivery(1_000);
        let one = connection("one", "bob", NOW);
        block_on(membership::connect(&delivery.store, &delivery.world, &one, 2_000)).unwrap();
        block_on(membership::join(&delivery.store, &delivery.world, &one, &room("lobby"), 2_000)).unwrap();
        let text = r#"{"v":1,"channel":"room:lobby","from":"mod","order":"kick","user":"bob"}"#;
        let kick = Record { body: text.to_owned(), ..record("kick", 1) };
        assert_eq!(block_on(delivery.deliver(vec![record("a", 1), kick], NEVER)), Vec::<String>::new());
        assert_eq!(log(&delivery), ["a"]);
        assert_eq!(block_on(delivery.store.membership(&one.id, &room("lobby"))).unwrap(), None);
        block_on(delivery.deliver(vec![record("b", 1)], NEVER));
        assert!(delivery.poster.seen().posted[&one.id].iter().all(|frame| !frame.contains(r#""seq":2"#)));
    }

    #[test]
    fn a_socket_lives_no_longer_than_its_token() {
        let delivery = delivery(1_000);
        let one = Connection { until: Timestamp(NOW), ..connection("one", "bob", NOW) };
        block_on(membership::connect(&delivery.store, &delivery.world, &one, 2_000)).unwrap();
        block_on(membership::join(&delivery.store, &delivery.world, &one, &room("lobby"), 2_000)).unwrap();
        join(&delivery, "two", NOW);
        block_on(delivery.deliver(vec![record("a", 1)], NEVER));
        assert_eq!((posts(&delivery, "one"), posts(&delivery, "two")), (0, 1));
        let seen = delivery.poster.seen();
        assert_eq!(seen.closed.len(), 1);
        assert!(seen.closed[0].1.starts_with(r#"{"type":"closing","code":"token_expired""#), "{:?}", seen.closed);
        assert_eq!(block_on(delivery.store.memberships(&one.id)).unwrap(), []);
    }

    #[test]
    fn only_a_large_fan_out_shares_the_budget() {
        let delivery = delivery(1_000);
        let budget = delivery.share.budget;
        let burst = budget.small_rate().burst;
        for number in 0..burst {
            join(&delivery, &number.to_string(), NOW);
        }
        block_on(delivery.deliver(vec![record("a", 1)], NEVER));
        assert_eq!(delivery.poster.seen().limits, []);
        join(&delivery, "one more", NOW);
        let other = SenderId::new("other");
        block_on(delivery.store.at_work(&other, Timestamp(NOW + 1), Timestamp(NOW))).unwrap();
        block_on(delivery.deliver(vec![record("b", 1)], NEVER));
        assert_eq!(delivery.poster.seen().limits, [budget.large_rate(2), budget.small_rate()]);
        let left = block_on(delivery.store.at_work(&other, Timestamp(NOW + 1), Timestamp(NOW)));
        assert_eq!(left, Ok(1), "it is over");
    }

    #[test]
    fn a_wake_sends_what_is_in_the_log_and_appends_nothing() {
        let delivery = delivery(1_000);
        block_on(delivery.deliver(vec![record("a", 1)], NEVER));
        join(&delivery, "late", NOW);
        let state = state(&delivery);
        let messages = [crate::testing::message(2, "unsent")];
        let append = crate::ports::Append {
            epoch: &state.epoch,
            head: Seq(1),
            messages: &messages,
            now: Timestamp(NOW),
            expires: Timestamp(NOW + 60_000),
        };
        block_on(delivery.store.append(&room("lobby"), &append)).unwrap();
        let body = crate::envelope::wake_to_json(&room("lobby")).unwrap();
        let wake = Record { body, ..record("wake", 1) };
        assert_eq!(block_on(delivery.deliver(vec![wake], NEVER)), Vec::<String>::new());
        assert_eq!(log(&delivery), ["a", "m-2"]);
        assert_eq!(posts(&delivery, "late"), 1);
        assert_eq!(self::state(&delivery).sent, Seq(2));
    }

    #[test]
    fn what_is_in_the_log_does_not_become_a_dead_letter() {
        let delivery = delivery(0);
        join(&delivery, "one", NOW);
        delivery.broadcasts.refuse(Some("start"));
        assert_eq!(block_on(delivery.deliver(vec![record("a", MAX_RECEIVES - 1)], NEVER)), ["queue-a"]);
        assert_eq!(block_on(delivery.deliver(vec![record("a", MAX_RECEIVES)], NEVER)), Vec::<String>::new());
        assert_eq!(log(&delivery), ["a"]);
    }

    #[test]
    fn a_message_that_was_a_dead_letter_is_looked_for_in_the_whole_log() {
        let delivery = delivery(1_000);
        let count = crate::append::REDELIVERY_WINDOW + 1;
        for number in 0..count {
            block_on(delivery.deliver(vec![record(&number.to_string(), 1)], NEVER));
        }
        let redriven = Record { redriven: true, ..record("0", 1) };
        block_on(delivery.deliver(vec![redriven], NEVER));
        assert_eq!(log(&delivery).len(), count);
    }

    #[test]
    fn a_receipt_is_given_when_a_small_channel_is_fanned_out() {
        let delivery = delivery(1_000);
        join(&delivery, "one", NOW);
        let mut envelope = crate::testing::envelope("alice", "a");
        envelope.receipt = Some(crate::message::ReceiptTo::Service);
        let asked = Record { body: envelope.to_json().unwrap(), ..record("a", 1) };
        block_on(delivery.deliver(vec![asked], NEVER));
        let found = block_on(delivery.store.receipt(&room("lobby"), &envelope.from, &envelope.id, Timestamp(NOW)));
        assert_eq!(found.unwrap().map(|receipt| (receipt.seq, receipt.delivered)), Some((Seq(1), 1)));
    }

    fn order(id: &str, order: &str) -> Record {
        let body = format!(r#"{{"v":1,"channel":"room:lobby","from":"mod",{order}}}"#);
        Record { body, ..record(id, 1) }
    }

    #[test]
    fn a_message_that_is_deleted_is_posted_without_its_body_and_members_are_told() {
        let delivery = delivery(1_000);
        join(&delivery, "one", NOW);
        let batch = vec![record("a", 1), order("b", r#""order":"delete","seq":1"#)];
        assert_eq!(block_on(delivery.deliver(batch, NEVER)), Vec::<String>::new());
        let told = delivery.poster.seen().posted[&ConnectionId::new("one")].concat();
        assert!(told.contains(r#""id":"a","from":"alice","deleted":1"#), "{told}");
        assert!(told.contains(r#""seq":2"#) && told.contains(r#""from":"mod","deleted":1"#), "{told}");
    }

    #[test]
    fn an_order_holds_for_what_the_queue_took_before_it_also_when_it_is_delivered_again() {
        let delivery = delivery(1_000);
        join(&delivery, "one", NOW);
        let erase = order("b", r#""order":"close","erase":true"#);
        let batch = [record("a", 1), erase, record("c", 1)];
        for receives in 1..=2 {
            let again = batch.clone().map(|record| Record { receives, ..record }).to_vec();
            assert_eq!(block_on(delivery.deliver(again, NEVER)), Vec::<String>::new());
        }
        let limit = ReadLimit { messages: usize::MAX, bytes: usize::MAX };
        let epoch = state(&delivery).epoch;
        let log = block_on(delivery.store.read(&room("lobby"), &epoch, Seq(0), limit, Timestamp(NOW))).unwrap();
        let has_body: Vec<bool> = log.iter().map(|message| message.content.body().is_some()).collect();
        assert_eq!(has_body, [false, false, true]);
    }

    #[test]
    fn who_is_told_that_a_room_is_closed_is_a_member_no_more() {
        let delivery = delivery(1_000);
        join(&delivery, "one", NOW);
        join(&delivery, "two", NOW);
        delivery.poster.outcome("two", Outcome::Failed);
        block_on(delivery.deliver(vec![order("a", r#""order":"close""#)], NEVER));
        let told = delivery.poster.seen().posted[&ConnectionId::new("one")].concat();
        assert!(told.contains(r#""from":"mod","closed":"kept""#), "{told}");
        let counts = block_on(delivery.store.counts(&room("lobby"), 1)).unwrap();
        assert_eq!(counts, [0], "also who could not be told");
        block_on(delivery.deliver(vec![record("b", 1)], NEVER));
        assert_eq!(
            (posts(&delivery, "one"), log(&delivery).len()),
            (1, 2),
            "what comes then is in the log, for nobody"
        );
    }

    #[test]
    fn who_joins_a_room_that_was_opened_again_is_not_seen_off_by_the_old_notice() {
        let delivery = delivery(0);
        join(&delivery, "one", NOW);
        // The notice waits for the broadcast.
        block_on(delivery.deliver(vec![order("a", r#""order":"close""#), order("b", r#""order":"open""#)], NEVER));
        let messages = block_on(read_range(
            &delivery.store,
            &delivery.world,
            &room("lobby"),
            &state(&delivery).epoch,
            (Seq(0), state(&delivery).head),
        ));
        assert_eq!(block_on(closes(&delivery.store, &room("lobby"), &messages.unwrap())), Ok(false));
    }

    #[test]
    fn a_lease_is_named_after_its_channel() {
        assert_eq!(lease::first(&room("lobby"), "X").as_str(), "room_lobby-X-1");
    }
}
