//! The store in memory: the reference that tests and simulations run on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hubbub_core::limits::turns::Turn;
use hubbub_core::log::lease::Lease;
use hubbub_core::log::state::ChannelState;
use hubbub_core::members::connection::Connection;
use hubbub_core::members::shard::Shard;
use hubbub_core::ports::{
    Announced, Append, Appended, Bans, Count, Limits, Log, MemberPage, Members, PortResult, PresenceSnapshot,
    Presences, ReadLimit, Receipts, Senders, Watch,
};
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{ConnectionId, Epoch, LeaseId, MessageId, SenderId, UserId};
use hubbub_core::wire::message::{Content, Message, Seq};
use hubbub_core::wire::server_frame::Receipt;
use hubbub_core::wire::time::Timestamp;

/// A store in memory. Clones share their content.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Rows>>);

#[derive(Debug, Default)]
struct Rows {
    channels: BTreeMap<Channel, ChannelState>,
    logs: BTreeMap<Channel, BTreeMap<Seq, Row>>,
    connections: BTreeMap<ConnectionId, Connection>,
    memberships: BTreeMap<(ConnectionId, Channel), Shard>,
    members: BTreeMap<(Channel, Shard), BTreeMap<ConnectionId, Connection>>,
    counts: BTreeMap<(Channel, Shard), u64>,
    receipts: BTreeMap<(Channel, UserId, MessageId), (Receipt, Timestamp)>,
    senders: BTreeMap<SenderId, Timestamp>,
    new_messages: BTreeMap<UserId, Timestamp>,
    bans: BTreeMap<(UserId, Channel), Timestamp>,
    posts: BTreeMap<u64, u64>,
    watches: BTreeMap<(Channel, Shard), Watch>,
    watchers: BTreeMap<Channel, BTreeMap<ConnectionId, Timestamp>>,
    announced: BTreeMap<Channel, Announced>,
    requested: Vec<Channel>,
}

#[derive(Debug)]
struct Row {
    epoch: Epoch,
    message: Message,
    expires: Timestamp,
}

impl MemoryStore {
    fn content(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The announcements that were asked for since this was called last.
    #[must_use]
    pub fn take_requested(&self) -> Vec<Channel> {
        std::mem::take(&mut self.content().requested)
    }

    /// Ends a channel's log and begins a new one, as an operator may who erases a channel.
    pub fn erase(&self, channel: &Channel, epoch: Epoch) {
        let mut content = self.content();
        content.logs.remove(channel);
        if let Some(state) = content.channels.get_mut(channel) {
            *state = ChannelState { shards: state.shards, ..ChannelState::new(epoch) };
        }
    }
}

/// Takes messages until a limit is reached.
fn take<'a>(rows: impl Iterator<Item = &'a Row>, epoch: &Epoch, limit: ReadLimit, now: Timestamp) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut bytes: usize = 0;
    for row in rows.filter(|row| row.epoch == *epoch && now < row.expires) {
        if messages.len() >= limit.messages || bytes >= limit.bytes {
            break;
        }
        bytes = bytes.saturating_add(row.message.content.bytes());
        messages.push(row.message.clone());
    }
    messages
}

impl Log for MemoryStore {
    async fn state(&self, channel: &Channel) -> PortResult<Option<ChannelState>> {
        Ok(self.content().channels.get(channel).cloned())
    }

    async fn open(&self, channel: &Channel, epoch: &Epoch) -> PortResult<ChannelState> {
        let mut content = self.content();
        let state = content.channels.entry(channel.clone()).or_insert_with(|| ChannelState::new(epoch.clone()));
        Ok(state.clone())
    }

    async fn append(&self, channel: &Channel, append: &Append<'_>) -> PortResult<Appended> {
        let Append { epoch, head, messages, now, expires } = *append;
        let mut content = self.content();
        let Some(state) = content.channels.get_mut(channel) else {
            return Ok(Appended::HeadMoved);
        };
        if state.epoch != *epoch || state.head != head {
            return Ok(Appended::HeadMoved);
        }
        if let Some(last) = messages.last() {
            state.head = last.seq;
            state.moved_at = now;
        }
        let log = content.logs.entry(channel.clone()).or_default();
        for message in messages {
            log.insert(message.seq, Row { epoch: epoch.clone(), message: message.clone(), expires });
        }
        Ok(Appended::Done)
    }

    async fn read(
        &self,
        channel: &Channel,
        epoch: &Epoch,
        after: Seq,
        limit: ReadLimit,
        now: Timestamp,
    ) -> PortResult<Vec<Message>> {
        let content = self.content();
        let rows = content.logs.get(channel).into_iter().flat_map(|log| log.range(after.next()..));
        Ok(take(rows.map(|(_, row)| row), epoch, limit, now))
    }

    async fn read_back(
        &self,
        channel: &Channel,
        epoch: &Epoch,
        before: Seq,
        limit: ReadLimit,
        now: Timestamp,
    ) -> PortResult<Vec<Message>> {
        let content = self.content();
        let rows = content.logs.get(channel).into_iter().flat_map(|log| log.range(..before).rev());
        Ok(take(rows.map(|(_, row)| row), epoch, limit, now))
    }

    async fn redact(&self, channel: &Channel, epoch: &Epoch, seq: Seq) -> PortResult<bool> {
        let mut content = self.content();
        let row = content.logs.get_mut(channel).and_then(|log| log.get_mut(&seq)).filter(|row| row.epoch == *epoch);
        let Some(row) = row else { return Ok(false) };
        let gone = Content::Deleted(seq);
        let may_go = row.message.content.body().is_some() || row.message.content == gone;
        if may_go {
            row.message.content = gone;
        }
        Ok(may_go)
    }

    async fn set_closed(&self, channel: &Channel, closed: bool) -> PortResult<()> {
        if let Some(state) = self.content().channels.get_mut(channel) {
            state.closed = closed;
        }
        Ok(())
    }

    async fn settle(&self, channel: &Channel, epoch: &Epoch, to: Seq) -> PortResult<()> {
        if let Some(state) = self.content().channels.get_mut(channel)
            && state.epoch == *epoch
            && to <= state.head
        {
            state.sent = state.sent.max(to);
        }
        Ok(())
    }

    async fn take_lease(&self, channel: &Channel, lease: &Lease, now: Timestamp) -> PortResult<bool> {
        let mut content = self.content();
        let free = |state: &&mut ChannelState| state.live_lease(now).is_none() || holds(state, &lease.id);
        let Some(state) = content.channels.get_mut(channel).filter(free) else {
            return Ok(false);
        };
        state.lease = Some(lease.clone());
        Ok(true)
    }

    async fn replace_lease(&self, channel: &Channel, held: &LeaseId, next: &Lease) -> PortResult<bool> {
        let mut content = self.content();
        let ours = |state: &&mut ChannelState| holds(state, held) || holds(state, &next.id);
        let Some(state) = content.channels.get_mut(channel).filter(ours) else {
            return Ok(false);
        };
        state.lease = Some(next.clone());
        Ok(true)
    }

    async fn release_lease(&self, channel: &Channel, held: &LeaseId) -> PortResult<bool> {
        let mut content = self.content();
        let released = content.channels.get_mut(channel).filter(|state| holds(state, held) && state.sent == state.head);
        Ok(released.map(|state| state.lease = None).is_some())
    }
}

fn holds(state: &ChannelState, lease: &LeaseId) -> bool {
    state.lease.as_ref().is_some_and(|held| held.id == *lease)
}

impl Receipts for MemoryStore {
    async fn put_receipt(&self, from: &UserId, receipt: &Receipt, expires: Timestamp) -> PortResult<()> {
        let key = (receipt.channel.clone(), from.clone(), receipt.id.clone());
        self.content().receipts.insert(key, (receipt.clone(), expires));
        Ok(())
    }

    async fn receipt(
        &self,
        channel: &Channel,
        from: &UserId,
        id: &MessageId,
        now: Timestamp,
    ) -> PortResult<Option<Receipt>> {
        let content = self.content();
        let found = content.receipts.get(&(channel.clone(), from.clone(), id.clone()));
        Ok(found.filter(|(_, expires)| now < *expires).map(|(receipt, _)| receipt.clone()))
    }
}

impl Senders for MemoryStore {
    async fn at_work(&self, sender: &SenderId, until: Timestamp, now: Timestamp) -> PortResult<u32> {
        let mut content = self.content();
        content.senders.insert(sender.clone(), until);
        let senders = content.senders.values().filter(|until| now < **until).count();
        Ok(u32::try_from(senders).unwrap_or(u32::MAX))
    }

    async fn at_rest(&self, sender: &SenderId) -> PortResult<()> {
        self.content().senders.remove(sender);
        Ok(())
    }

    async fn is_any_at_work(&self, now: Timestamp) -> PortResult<bool> {
        Ok(self.content().senders.values().any(|until| now < *until))
    }
}

impl Bans for MemoryStore {
    async fn put_ban(&self, user: &UserId, channel: &Channel, until: Timestamp) -> PortResult<()> {
        self.content().bans.insert((user.clone(), channel.clone()), until);
        Ok(())
    }

    async fn remove_ban(&self, user: &UserId, channel: &Channel) -> PortResult<()> {
        self.content().bans.remove(&(user.clone(), channel.clone()));
        Ok(())
    }

    async fn ban(&self, user: &UserId, channel: &Channel, now: Timestamp) -> PortResult<Option<Timestamp>> {
        let until = self.content().bans.get(&(user.clone(), channel.clone())).copied();
        Ok(until.filter(|until| now < *until))
    }
}

impl Limits for MemoryStore {
    async fn take_turn(&self, user: &UserId, turn: Turn) -> PortResult<Result<(), Duration>> {
        let mut content = self.content();
        Ok(turn.take(content.new_messages.get(user).copied()).map(|new_message| {
            content.new_messages.insert(user.clone(), new_message);
        }))
    }

    async fn take_posts(&self, second: u64, posts: u64, most: u64) -> PortResult<bool> {
        let mut content = self.content();
        let taken = content.posts.entry(second).or_default();
        let fits = taken.saturating_add(posts) <= most;
        if fits {
            *taken += posts;
        }
        Ok(fits)
    }
}

impl Presences for MemoryStore {
    async fn put_watcher(&self, channel: &Channel, watcher: &Connection) -> PortResult<()> {
        let mut content = self.content();
        content.watchers.entry(channel.clone()).or_default().insert(watcher.id.clone(), watcher.expires(&API_GATEWAY));
        Ok(())
    }

    async fn watch_shards(&self, channel: &Channel, shards: Range<Shard>, until: Timestamp) -> PortResult<()> {
        let mut content = self.content();
        for shard in shards {
            let watch = content.watches.entry((channel.clone(), shard)).or_insert(Watch { until, due: None });
            watch.until = watch.until.max(until);
        }
        Ok(())
    }

    async fn remove_watcher(&self, channel: &Channel, id: &ConnectionId) -> PortResult<()> {
        if let Some(watchers) = self.content().watchers.get_mut(channel) {
            watchers.remove(id);
        }
        Ok(())
    }

    async fn claim_announcement(&self, channel: &Channel, due: Timestamp, stale: Timestamp) -> PortResult<bool> {
        let mut content = self.content();
        let free = |watch: &&mut Watch| watch.due.is_none_or(|due| due <= stale);
        Ok(content.watches.get_mut(&(channel.clone(), 0)).filter(free).map(|watch| watch.due = Some(due)).is_some())
    }

    async fn request_announcement(&self, channel: &Channel, _: Timestamp) -> PortResult<()> {
        self.content().requested.push(channel.clone());
        Ok(())
    }

    async fn begin_announcement(&self, channel: &Channel) -> PortResult<()> {
        if let Some(watch) = self.content().watches.get_mut(&(channel.clone(), 0)) {
            watch.due = None;
        }
        Ok(())
    }

    async fn presence_snapshot(&self, channel: &Channel, now: Timestamp) -> PortResult<PresenceSnapshot> {
        let content = self.content();
        let watchers = content.watchers.get(channel).into_iter().flatten();
        Ok(PresenceSnapshot {
            announced: content.announced.get(channel).filter(|announced| now < announced.expires).cloned(),
            watchers: watchers.filter(|(_, expires)| now < **expires).map(|(id, _)| id.clone()).collect(),
        })
    }

    async fn put_announced(
        &self,
        channel: &Channel,
        last: Option<Timestamp>,
        announced: &Announced,
    ) -> PortResult<bool> {
        let mut content = self.content();
        let is_last = last.is_none() || content.announced.get(channel).map(|announced| announced.at) == last;
        if is_last {
            content.announced.insert(channel.clone(), announced.clone());
        }
        Ok(is_last)
    }
}

impl Members for MemoryStore {
    async fn put_connection(&self, connection: &Connection) -> PortResult<()> {
        self.content().connections.insert(connection.id.clone(), connection.clone());
        Ok(())
    }

    async fn connection(&self, id: &ConnectionId, now: Timestamp) -> PortResult<Option<Connection>> {
        let content = self.content();
        Ok(content.connections.get(id).filter(|connection| now < connection.expires(&API_GATEWAY)).cloned())
    }

    async fn remove_connection(&self, id: &ConnectionId) -> PortResult<()> {
        self.content().connections.remove(id);
        Ok(())
    }

    async fn put_membership(&self, connection: &Connection, channel: &Channel, shard: Shard) -> PortResult<Shard> {
        let key = (connection.id.clone(), channel.clone());
        Ok(*self.content().memberships.entry(key).or_insert(shard))
    }

    async fn membership(&self, id: &ConnectionId, channel: &Channel) -> PortResult<Option<Shard>> {
        Ok(self.content().memberships.get(&(id.clone(), channel.clone())).copied())
    }

    async fn memberships(&self, id: &ConnectionId) -> PortResult<Vec<(Channel, Shard)>> {
        let content = self.content();
        let own = content.memberships.iter().filter(|((connection, _), _)| connection == id);
        Ok(own.map(|((_, channel), shard)| (channel.clone(), *shard)).collect())
    }

    async fn remove_membership(&self, id: &ConnectionId, channel: &Channel) -> PortResult<()> {
        self.content().memberships.remove(&(id.clone(), channel.clone()));
        Ok(())
    }

    async fn put_member(&self, channel: &Channel, shard: Shard, member: &Connection) -> PortResult<bool> {
        let mut content = self.content();
        let members = content.members.entry((channel.clone(), shard)).or_default();
        Ok(members.insert(member.id.clone(), member.clone()).is_none())
    }

    async fn remove_member(&self, channel: &Channel, shard: Shard, id: &ConnectionId) -> PortResult<bool> {
        let mut content = self.content();
        let members = content.members.get_mut(&(channel.clone(), shard));
        Ok(members.is_some_and(|members| members.remove(id).is_some()))
    }

    async fn add_to_count(&self, channel: &Channel, shard: Shard, difference: i64) -> PortResult<Count> {
        let mut content = self.content();
        let count = content.counts.entry((channel.clone(), shard)).or_default();
        *count = count.saturating_add_signed(difference);
        let members = *count;
        Ok(Count { members, watch: content.watches.get(&(channel.clone(), shard)).copied() })
    }

    async fn correct_count(&self, channel: &Channel, shard: Shard, count: u64, counted: u64) -> PortResult<()> {
        let mut content = self.content();
        let present = content.counts.entry((channel.clone(), shard)).or_default();
        if *present == count {
            *present = counted;
        }
        Ok(())
    }

    async fn counts(&self, channel: &Channel, shards: u32) -> PortResult<Vec<u64>> {
        let content = self.content();
        let count = |shard| content.counts.get(&(channel.clone(), shard)).copied().unwrap_or_default();
        Ok((0..shards).map(count).collect())
    }

    async fn grow(&self, channel: &Channel, from: u32, to: u32) -> PortResult<()> {
        if let Some(state) = self.content().channels.get_mut(channel)
            && state.shards == from
        {
            state.shards = to;
        }
        Ok(())
    }

    async fn member_page(
        &self,
        channel: &Channel,
        shard: Shard,
        after: Option<&ConnectionId>,
        limit: usize,
        now: Timestamp,
    ) -> PortResult<MemberPage> {
        let content = self.content();
        let key = (channel.clone(), shard);
        let members = content.members.get(&key).into_iter().flatten();
        let rows: Vec<&Connection> = members
            .filter(|(id, _)| after.is_none_or(|after| *id > after))
            .map(|(_, member)| member)
            .take(limit)
            .collect();
        let next = (rows.len() == limit).then(|| rows.last().map(|last| last.id.clone())).flatten();
        Ok(MemberPage {
            members: rows.into_iter().filter(|member| now < member.expires(&API_GATEWAY)).cloned().collect(),
            count: after.is_none().then(|| content.counts.get(&key).copied()).flatten(),
            next,
        })
    }
}
