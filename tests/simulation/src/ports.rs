//! The rules' ports onto the world: each effect may be interrupted before and after, may not happen, or may happen without saying so.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;
use hubbub_core::channel::Channel;
use hubbub_core::envelope::{Envelope, order_to_json, wake_deduplication_id, wake_to_json};
use hubbub_core::frame::Frame;
use hubbub_core::id::{ConnectionId, Epoch, LeaseId, MessageId, SenderId, UserId};
use hubbub_core::lease::Lease;
use hubbub_core::limit::Turn;
use hubbub_core::member::{Connection, Shard};
use hubbub_core::message::{Message, Seq};
use hubbub_core::metrics::Metric;
use hubbub_core::order::Order;
use hubbub_core::outcome::Outcome;
use hubbub_core::ports::{
    Announced, Append, Appended, Bans, Broadcasts, ChannelState, Clock, Count, DeadLetter, DeadLetters, Ids, Limits,
    Log, MemberPage, Members, Meter, PortError, PortResult, Poster, Presences, PublishQueue, ReadLimit, Receipts, Roll,
    Senders,
};
use hubbub_core::protocol::Receipt;
use hubbub_core::rate::Rate;
use hubbub_core::time::Timestamp;

use crate::bug::Bug;
use crate::queue::Sending;
use crate::sockets::Phase;
use crate::workflows;
use crate::world::World;

/// All ports of one run of a function.
#[derive(Clone)]
pub(crate) struct Ports {
    world: Rc<World>,
    /// For [`Bug::RecoveryReadFirst`]: what the run has read first of each channel.
    first_read: Rc<RefCell<BTreeMap<Channel, ChannelState>>>,
    /// From when on the run posts to nobody any more, where it has to know.
    deadline: Option<Timestamp>,
}

impl Ports {
    pub(crate) fn new(world: &Rc<World>) -> Self {
        Self { world: Rc::clone(world), first_read: Rc::default(), deadline: None }
    }

    /// Those of a run that posts until then.
    pub(crate) fn until(world: &Rc<World>, deadline: Timestamp) -> Self {
        Self { deadline: Some(deadline), ..Self::new(world) }
    }

    /// Notes that members may have been left out of what is about to count as sent, because time was up.
    async fn note_left_out(&self, channel: &Channel, epoch: &Epoch, to: Seq) {
        let is_late = self.deadline.is_some_and(|deadline| deadline <= self.now());
        // The store in memory doesn't fail.
        if is_late && let Ok(Some(state)) = self.world.store.state(channel).await {
            self.world.ledger.leave_out(channel, epoch, (state.sent, to));
        }
    }

    fn has(&self, bug: Bug) -> bool {
        self.world.bug == Some(bug)
    }

    async fn effect<T>(
        &self,
        operation: &'static str,
        about: impl Display,
        work: impl AsyncFnOnce() -> PortResult<T>,
    ) -> PortResult<T> {
        let scheduler = &self.world.scheduler;
        let error = |detail: &str| PortError { operation, detail: detail.to_owned(), retryable: true };
        scheduler.pause().await;
        let faults = scheduler.faults();
        if scheduler.happens(faults.refuse) {
            scheduler.note(|| format!("{operation} {about}: refused"));
            return Err(error("refused"));
        }
        let result = work().await;
        let is_lost = scheduler.happens(faults.lose);
        scheduler.note(|| format!("{operation} {about}{}", if is_lost { ": the answer is lost" } else { "" }));
        scheduler.pause().await;
        if is_lost { Err(error("the answer is lost")) } else { result }
    }
}

impl Clock for Ports {
    fn now(&self) -> Timestamp {
        Timestamp(self.world.scheduler.now())
    }
}

impl Ids for Ports {
    fn fresh(&self) -> String {
        format!("{:026}", self.world.scheduler.fresh())
    }
}

/// The ledger knows better than any meter.
impl Meter for Ports {
    fn record(&self, _: Metric, _: u64) {}
}

impl Log for Ports {
    async fn state(&self, channel: &Channel) -> PortResult<Option<ChannelState>> {
        self.effect("read state", channel, async || self.world.store.state(channel).await).await
    }

    async fn open(&self, channel: &Channel, epoch: &Epoch) -> PortResult<ChannelState> {
        let state = self.effect("open", channel, async || self.world.store.open(channel, epoch).await).await?;
        if self.has(Bug::RecoveryReadFirst) {
            return Ok(self.first_read.borrow_mut().entry(channel.clone()).or_insert(state).clone());
        }
        Ok(state)
    }

    async fn append(&self, channel: &Channel, append: &Append<'_>) -> PortResult<Appended> {
        let about = format!("{channel} behind {}: {}", append.head, append.messages.len());
        self.effect("append", about, async || {
            let appended = self.world.store.append(channel, append).await?;
            if appended == Appended::Done {
                self.world.ledger.append(channel, append);
            }
            Ok(appended)
        })
        .await
    }

    async fn read(
        &self,
        channel: &Channel,
        epoch: &Epoch,
        after: Seq,
        limit: ReadLimit,
        now: Timestamp,
    ) -> PortResult<Vec<Message>> {
        let read = async || self.world.store.read(channel, epoch, after, limit, now).await;
        self.effect("read log", format_args!("{channel} behind {after}"), read).await
    }

    async fn read_back(
        &self,
        channel: &Channel,
        epoch: &Epoch,
        before: Seq,
        limit: ReadLimit,
        now: Timestamp,
    ) -> PortResult<Vec<Message>> {
        let read = async || match self.world.bug {
            Some(Bug::RedeliveryUnchecked) => Ok(Vec::new()),
            _ => self.world.store.read_back(channel, epoch, before, limit, now).await,
        };
        self.effect("read log", format_args!("{channel} before {before}"), read).await
    }

    async fn redact(&self, channel: &Channel, epoch: &Epoch, seq: Seq) -> PortResult<bool> {
        let redact = async || self.world.store.redact(channel, epoch, seq).await;
        self.effect("redact", format_args!("{channel} {seq}"), redact).await
    }

    async fn set_closed(&self, channel: &Channel, closed: bool) -> PortResult<()> {
        let set = async || self.world.store.set_closed(channel, closed).await;
        self.effect("set closed", format_args!("{channel} {closed}"), set).await
    }

    async fn settle(&self, channel: &Channel, epoch: &Epoch, to: Seq) -> PortResult<()> {
        let settle = async || {
            self.note_left_out(channel, epoch, to).await;
            self.world.store.settle(channel, epoch, to).await
        };
        self.effect("settle", format_args!("{channel} to {to}"), settle).await
    }

    async fn take_lease(&self, channel: &Channel, lease: &Lease, now: Timestamp) -> PortResult<bool> {
        let take = async || self.world.store.take_lease(channel, lease, now).await;
        self.effect("take lease", &lease.id, take).await
    }

    async fn replace_lease(&self, channel: &Channel, held: &LeaseId, next: &Lease) -> PortResult<bool> {
        let replace = async || self.world.store.replace_lease(channel, held, next).await;
        self.effect("replace lease", format_args!("{held} by {}", next.id), replace).await
    }

    async fn release_lease(&self, channel: &Channel, held: &LeaseId) -> PortResult<bool> {
        let store = &self.world.store;
        let release = async || {
            if self.has(Bug::LeaseGivenBackUnchecked) {
                let ended = Lease { id: held.clone(), until: Timestamp(0) };
                return store.replace_lease(channel, held, &ended).await;
            }
            store.release_lease(channel, held).await
        };
        self.effect("release lease", held, release).await
    }
}

impl Senders for Ports {
    async fn at_work(&self, sender: &SenderId, until: Timestamp, now: Timestamp) -> PortResult<u32> {
        let at_work = async || self.world.store.at_work(sender, until, now).await;
        self.effect("at work", sender, at_work).await
    }

    async fn at_rest(&self, sender: &SenderId) -> PortResult<()> {
        self.effect("at rest", sender, async || self.world.store.at_rest(sender).await).await
    }

    async fn is_any_at_work(&self, now: Timestamp) -> PortResult<bool> {
        self.effect("read senders", "", async || self.world.store.is_any_at_work(now).await).await
    }
}

impl Bans for Ports {
    async fn put_ban(&self, user: &UserId, channel: &Channel, until: Timestamp) -> PortResult<()> {
        self.effect("put ban", user, async || self.world.store.put_ban(user, channel, until).await).await
    }

    async fn remove_ban(&self, user: &UserId, channel: &Channel) -> PortResult<()> {
        self.effect("remove ban", user, async || self.world.store.remove_ban(user, channel).await).await
    }

    async fn ban(&self, user: &UserId, channel: &Channel, now: Timestamp) -> PortResult<Option<Timestamp>> {
        self.effect("read ban", user, async || self.world.store.ban(user, channel, now).await).await
    }
}

impl Limits for Ports {
    async fn take_turn(&self, user: &UserId, turn: Turn) -> PortResult<Result<(), Duration>> {
        self.effect("take turn", user, async || self.world.store.take_turn(user, turn).await).await
    }

    async fn take_posts(&self, second: u64, posts: u64, most: u64) -> PortResult<bool> {
        self.effect("take posts", second, async || self.world.store.take_posts(second, posts, most).await).await
    }
}

impl Presences for Ports {
    async fn put_watcher(&self, channel: &Channel, watcher: &Connection) -> PortResult<()> {
        self.effect("put watcher", channel, async || self.world.store.put_watcher(channel, watcher).await).await
    }

    async fn watch_shards(&self, channel: &Channel, shards: Range<Shard>, until: Timestamp) -> PortResult<()> {
        let watch = async || self.world.store.watch_shards(channel, shards, until).await;
        self.effect("watch shards", channel, watch).await
    }

    async fn remove_watcher(&self, channel: &Channel, id: &ConnectionId) -> PortResult<()> {
        self.effect("remove watcher", channel, async || self.world.store.remove_watcher(channel, id).await).await
    }

    async fn claim_announcement(&self, channel: &Channel, due: Timestamp, stale: Timestamp) -> PortResult<bool> {
        let claim = async || self.world.store.claim_announcement(channel, due, stale).await;
        self.effect("claim announcement", channel, claim).await
    }

    async fn request_announcement(&self, channel: &Channel, due: Timestamp) -> PortResult<()> {
        let request = async || self.world.store.request_announcement(channel, due).await;
        self.effect("request announcement", channel, request).await
    }

    async fn begin_announcement(&self, channel: &Channel) -> PortResult<()> {
        self.effect("begin announcement", channel, async || self.world.store.begin_announcement(channel).await).await
    }

    async fn roll(&self, channel: &Channel, now: Timestamp) -> PortResult<Roll> {
        self.effect("read roll", channel, async || self.world.store.roll(channel, now).await).await
    }

    async fn put_announced(
        &self,
        channel: &Channel,
        last: Option<Timestamp>,
        announced: &Announced,
    ) -> PortResult<bool> {
        let put = async || self.world.store.put_announced(channel, last, announced).await;
        self.effect("put announced", channel, put).await
    }
}

impl Receipts for Ports {
    async fn put_receipt(&self, from: &UserId, receipt: &Receipt, expires: Timestamp) -> PortResult<()> {
        let put = async || self.world.store.put_receipt(from, receipt, expires).await;
        self.effect("put receipt", &receipt.id, put).await
    }

    async fn receipt(
        &self,
        channel: &Channel,
        from: &UserId,
        id: &MessageId,
        now: Timestamp,
    ) -> PortResult<Option<Receipt>> {
        self.effect("read receipt", id, async || self.world.store.receipt(channel, from, id, now).await).await
    }
}

impl Members for Ports {
    async fn put_connection(&self, connection: &Connection) -> PortResult<()> {
        self.effect("put connection", &connection.id, async || self.world.store.put_connection(connection).await).await
    }

    async fn connection(&self, id: &ConnectionId, now: Timestamp) -> PortResult<Option<Connection>> {
        self.effect("read connection", id, async || self.world.store.connection(id, now).await).await
    }

    async fn remove_connection(&self, id: &ConnectionId) -> PortResult<()> {
        self.effect("remove connection", id, async || self.world.store.remove_connection(id).await).await
    }

    async fn put_membership(&self, connection: &Connection, channel: &Channel, shard: Shard) -> PortResult<Shard> {
        let put = async || self.world.store.put_membership(connection, channel, shard).await;
        self.effect("put membership", format_args!("{} {channel}", connection.id), put).await
    }

    async fn membership(&self, id: &ConnectionId, channel: &Channel) -> PortResult<Option<Shard>> {
        let read = async || self.world.store.membership(id, channel).await;
        self.effect("read membership", format_args!("{id} {channel}"), read).await
    }

    async fn memberships(&self, id: &ConnectionId) -> PortResult<Vec<(Channel, Shard)>> {
        self.effect("read memberships", id, async || self.world.store.memberships(id).await).await
    }

    async fn remove_membership(&self, id: &ConnectionId, channel: &Channel) -> PortResult<()> {
        let remove = async || self.world.store.remove_membership(id, channel).await;
        self.effect("remove membership", format_args!("{id} {channel}"), remove).await
    }

    async fn put_member(&self, channel: &Channel, shard: Shard, member: &Connection) -> PortResult<bool> {
        let put = async || {
            self.world.ledger.put_member(channel, &member.id);
            self.world.store.put_member(channel, shard, member).await
        };
        self.effect("put member", format_args!("{channel}#{shard} {}", member.id), put).await
    }

    async fn remove_member(&self, channel: &Channel, shard: Shard, id: &ConnectionId) -> PortResult<bool> {
        let remove = async || {
            if self.world.sockets.get(id).is_none_or(|socket| socket.phase() == Phase::Closed) {
                self.world.ledger.count("forgotten");
            }
            self.world.store.remove_member(channel, shard, id).await
        };
        self.effect("remove member", format_args!("{channel}#{shard} {id}"), remove).await
    }

    async fn add_to_count(&self, channel: &Channel, shard: Shard, difference: i64) -> PortResult<Count> {
        let add = async || self.world.store.add_to_count(channel, shard, difference).await;
        self.effect("add to count", format_args!("{channel}#{shard} {difference:+}"), add).await
    }

    async fn correct_count(&self, channel: &Channel, shard: Shard, count: u64, counted: u64) -> PortResult<()> {
        let correct = async || self.world.store.correct_count(channel, shard, count, counted).await;
        self.effect("correct count", format_args!("{channel}#{shard} {count} to {counted}"), correct).await
    }

    async fn counts(&self, channel: &Channel, shards: u32) -> PortResult<Vec<u64>> {
        self.effect("read counts", channel, async || self.world.store.counts(channel, shards).await).await
    }

    async fn grow(&self, channel: &Channel, from: u32, to: u32) -> PortResult<()> {
        let grow = async || self.world.store.grow(channel, from, to).await;
        self.effect("grow", format_args!("{channel} from {from} to {to}"), grow).await
    }

    async fn member_page(
        &self,
        channel: &Channel,
        shard: Shard,
        after: Option<&ConnectionId>,
        limit: usize,
        now: Timestamp,
    ) -> PortResult<MemberPage> {
        let read = async || {
            let mut page = self.world.store.member_page(channel, shard, after, limit, now).await?;
            if self.has(Bug::PrunedYoung) {
                page.members.iter_mut().for_each(|member| member.connected_at = Timestamp(0));
            }
            Ok(page)
        };
        self.effect("read members", format_args!("{channel}#{shard}"), read).await
    }
}

impl PublishQueue for Ports {
    async fn enqueue(&self, envelope: &Envelope) -> PortResult<()> {
        let group = envelope.channel.to_string();
        let body = written(envelope.to_json())?;
        let sending = Sending { group, deduplication: envelope.deduplication_id(), body, redriven: false };
        self.effect("enqueue", &envelope.id, async || {
            self.world.queue.send(&self.world.scheduler, sending);
            Ok(())
        })
        .await
    }

    async fn order(&self, order: &Order, id: &str) -> PortResult<()> {
        let body = written(order_to_json(order))?;
        let sending = Sending { group: order.channel.to_string(), deduplication: id.to_owned(), body, redriven: false };
        self.effect("enqueue", format_args!("an order for {}", order.channel), async || {
            self.world.queue.send(&self.world.scheduler, sending);
            Ok(())
        })
        .await
    }

    async fn wake(&self, channel: &Channel, reason: &str) -> PortResult<()> {
        let body = written(wake_to_json(channel))?;
        let deduplication = wake_deduplication_id(reason);
        let sending = Sending { group: channel.to_string(), deduplication, body, redriven: false };
        self.effect("enqueue", format_args!("a wake for {channel}"), async || {
            self.world.queue.send(&self.world.scheduler, sending);
            Ok(())
        })
        .await
    }
}

fn written(text: serde_json::Result<String>) -> PortResult<String> {
    text.map_err(|error| PortError { operation: "write envelope", detail: error.to_string(), retryable: false })
}

impl DeadLetters for Ports {
    async fn bury(&self, letter: &DeadLetter) -> PortResult<()> {
        self.effect("bury", &letter.body, async || {
            self.world.ledger.bury(&letter.body, letter.reason);
            Ok(())
        })
        .await
    }
}

impl Broadcasts for Ports {
    async fn start(&self, channel: &Channel, lease: &LeaseId) -> PortResult<()> {
        self.effect("start", lease, async || {
            workflows::start(&self.world, channel, lease);
            Ok(())
        })
        .await
    }
}

impl Poster for Ports {
    async fn post(&self, frames: &[Frame], connections: &[ConnectionId]) -> Vec<Outcome> {
        let contents: Vec<_> = frames.iter().filter_map(|frame| Posted::read(&frame.text)).collect();
        if self.has(Bug::SentBeforePosted) {
            for Posted { channel, epoch, seqs } in &contents {
                let to = Seq(seqs.last().copied().unwrap_or_default());
                // The store in memory doesn't fail.
                let _ = self.world.store.settle(channel, epoch, to).await;
            }
        }
        join_all(connections.iter().map(|id| self.post_to(id, frames, &contents))).await
    }

    async fn try_post(&self, frame: &Frame, connections: &[ConnectionId]) -> Vec<Outcome> {
        self.post(std::slice::from_ref(frame), connections).await
    }

    async fn close(&self, connection: &ConnectionId, farewell: &Frame) {
        self.world.scheduler.pause().await;
        if let Some(socket) = self.world.sockets.get(connection) {
            socket.push(farewell.text.clone());
            socket.close();
        }
    }

    /// Time passes as the scheduler wants it.
    fn limit(&self, _: Rate) {}
}

impl Ports {
    async fn post_to(&self, id: &ConnectionId, frames: &[Frame], contents: &[Posted]) -> Outcome {
        let scheduler = &self.world.scheduler;
        for content in contents {
            self.world.ledger.attempt(id, content);
        }
        for frame in frames {
            scheduler.pause().await;
            let outcome = match self.world.sockets.get(id) {
                Some(socket) => socket.post(scheduler, &frame.text).await,
                None => Outcome::Gone,
            };
            scheduler.note(|| format!("post up to {} to {id}: {outcome:?}", frame.last));
            scheduler.pause().await;
            if outcome != Outcome::Delivered {
                return outcome;
            }
        }
        Outcome::Delivered
    }
}

/// What a frame holds; nothing where it is a receipt.
pub(crate) struct Posted {
    pub(crate) channel: Channel,
    pub(crate) epoch: Epoch,
    pub(crate) seqs: Vec<u64>,
}

impl Posted {
    fn read(text: &str) -> Option<Self> {
        let hubbub_client::ServerFrame::Messages(posted) = hubbub_client::frames::Incoming::parse(text).frame else {
            return None;
        };
        Some(Self {
            channel: posted.channel.to_string().parse().ok()?,
            epoch: Epoch::new(posted.epoch),
            seqs: posted.messages.iter().map(|message| message.seq).collect(),
        })
    }
}
