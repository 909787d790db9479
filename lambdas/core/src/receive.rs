//! Answering a client's frame.
//!
//! Every frame gets an answer, whatever is in it and whatever fails: an error frame is an answer.

use futures::future::join_all;

use crate::capability::check;
use crate::channel::Channel;
use crate::envelope::Envelope;
use crate::expulsion::dismiss;
use crate::id::{Epoch, MessageId, RoomId, UserId};
use crate::limit::PublishRate;
use crate::membership;
use crate::message::{Body, ReceiptTo, Seq};
use crate::metrics::ACCEPTED;
use crate::order::Order;
use crate::ports::{
    Bans, ChannelState, Clock, Ids, Limits, Log, Members, Meter, PortError, Poster, PublishQueue, Senders,
};
use crate::presence::{MAX_COMPANY, watch};
use crate::protocol::{Action, Answer, Caller, ClientFrame, ClosingCode, ErrorCode, Refused, Seen, ServerFrame};
use crate::rate::Budget;
use crate::recovery::{Recovery, history, recover};
use crate::signal::{self, Signal};
use crate::time::Timestamp;

/// How many users `who` names.
pub(crate) const WHO_USERS: usize = 100;

/// How many members are read at a time to find them.
const WHO_CHUNK: usize = 200;

/// Answers clients' frames.
#[derive(Clone, Debug)]
pub struct Reception<S, Q, P, E> {
    /// The logs and the members.
    pub store: S,
    /// Where messages are put.
    pub queue: Q,
    /// The sockets, to close those whose token has ended.
    pub poster: P,
    /// Time, fresh ids, and a meter.
    pub world: E,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// Members for each shard before the shards double.
    pub shard_members: u64,
    /// How fast a user may publish.
    pub user_rate: PublishRate,
    /// How many rooms a connection may be a member of.
    pub max_rooms: u64,
    /// The callback budget, of which signals have a part.
    pub budget: Budget,
}

/// What a client publishes.
struct Publication {
    id: Option<MessageId>,
    body: Body,
    receipt: Option<ReceiptTo>,
}

/// What a client knows of a channel that it joins, and wants to know.
struct Return {
    since: Option<Seq>,
    epoch: Option<Epoch>,
    presence: Option<bool>,
}

/// Why an action wasn't carried out.
struct Refusal {
    code: ErrorCode,
    message: String,
    retry_ms: Option<u64>,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_ms: None }
    }

    fn not_a_member(channel: &Channel) -> Self {
        Self::new(ErrorCode::NotAMember, format!("this connection is not a member of `{channel}`: join first"))
    }
}

impl From<PortError> for Refusal {
    /// The log gets the error, the client only that it may try again.
    fn from(error: PortError) -> Self {
        tracing::error!(%error, "frame not carried out");
        Self::new(ErrorCode::Unavailable, "nothing was done: try again after a moment")
    }
}

impl<S, Q, P, E> Reception<S, Q, P, E>
where
    S: Bans + Limits + Log + Members + Senders,
    Q: PublishQueue,
    P: Poster,
    E: Clock + Ids + Meter,
{
    /// Carries out a frame and answers it.
    pub async fn answer(&self, caller: &Caller, text: &str) -> Answer {
        if self.world.now() >= caller.until {
            return self.close(caller).await;
        }
        let ClientFrame { reference, action } = match ClientFrame::parse(text, self.max_body_bytes) {
            Ok(frame) => frame,
            Err(refused) => return refused.into(),
        };
        let id = match &action {
            Action::Publish { id, .. } => id.clone(),
            _ => None,
        };
        let carried_out = match check(caller, &action) {
            Ok(()) => self.carry_out(caller, action).await,
            Err(denied) => Err(Refusal::new(ErrorCode::NotAllowed, denied.to_string())),
        };
        match carried_out {
            Ok(frame) => Answer { frame, reference },
            Err(Refusal { code, message, retry_ms }) => Refused { code, message, id, retry_ms, reference }.into(),
        }
    }

    /// A socket lives no longer than its token. The answer repeats the last frame, for the case that the socket could not be closed.
    async fn close(&self, caller: &Caller) -> Answer {
        let code = ClosingCode::TokenExpired;
        if let Err(error) = dismiss(&self.store, &self.poster, &self.world, &caller.connection, code).await {
            tracing::warn!(connection.id = %caller.connection, %error, "not forgotten");
        }
        Answer { frame: ServerFrame::closing(code), reference: None }
    }

    /// Puts an order on the queue, so that it takes its place among the channel's messages.
    async fn order(&self, caller: &Caller, order: Order) -> Result<ServerFrame<'static>, Refusal> {
        self.take_turns(caller, 1).await?;
        self.queue.order(&order, &self.world.fresh()).await?;
        let Order { channel, command, .. } = order;
        Ok(ServerFrame::Ordered { channel, order: command.name(), user: command.user().cloned() })
    }

    async fn carry_out(&self, caller: &Caller, action: Action) -> Result<ServerFrame<'static>, Refusal> {
        match action {
            Action::Join { channel, since, epoch, presence } => {
                self.join(caller, channel, Return { since, epoch, presence }).await
            }
            Action::Leave { room } => self.leave(caller, room).await,
            Action::Publish { channel, body, id, receipt } => {
                let receipt = receipt.then(|| ReceiptTo::Connection(caller.connection.clone()));
                self.publish(caller, channel, Publication { id, body, receipt }).await
            }
            Action::Signal { channel, body } => self.signal(caller, channel, body).await,
            Action::History { channel, before, limit } => self.history(caller, channel, before, limit).await,
            Action::Who { room } => self.who(caller, room).await,
            Action::Order { channel, command } => {
                self.order(caller, Order { channel, command, from: caller.user.clone() }).await
            }
            Action::Ping { seen } => self.ping(caller, seen).await,
        }
    }

    async fn join(
        &self,
        caller: &Caller,
        channel: Channel,
        Return { since, epoch, presence }: Return,
    ) -> Result<ServerFrame<'static>, Refusal> {
        let now = self.world.now();
        let connection = self.store.connection(&caller.connection, now).await?.ok_or_else(|| {
            Refusal::new(ErrorCode::NotConnected, "this connection is not known any more: connect again")
        })?;
        self.check_rooms(caller, &channel).await?;
        membership::join(&self.store, &self.world, &connection, &channel, self.shard_members).await?;
        self.check_ban(caller, &channel, now).await?;
        // INVARIANT: the head is read after the member is there, so that each message is either in the recovery or posted.
        let state = self.store.open(&channel, &Epoch::new(self.world.fresh())).await?;
        if state.closed {
            membership::leave(&self.store, &caller.connection, &channel, now).await?;
            return Err(Refusal::new(ErrorCode::RoomClosed, format!("`{channel}` is closed")));
        }
        self.watch_over(&channel, &state).await;
        let presence = match presence {
            Some(true) => Some(watch(&self.store, &channel, &state, &connection, now).await?),
            Some(false) => {
                self.store.remove_watcher(&channel, &caller.connection).await?;
                None
            }
            None => None,
        };
        let (recovered, messages, more) = match since {
            None => (None, None, None),
            Some(since) => {
                let recovery =
                    recover(&self.store, &channel, &state, since, epoch.as_ref(), presence.is_some(), now).await?;
                match recovery {
                    Recovery::Recovered { messages, more } => (Some(true), Some(messages), Some(more)),
                    Recovery::Lost => (Some(false), None, None),
                }
            }
        };
        Ok(ServerFrame::Joined { channel, epoch: state.epoch, head: state.head, recovered, messages, more, presence })
    }

    async fn leave(&self, caller: &Caller, room: RoomId) -> Result<ServerFrame<'static>, Refusal> {
        let channel = Channel::Room(room);
        membership::leave(&self.store, &caller.connection, &channel, self.world.now()).await?;
        Ok(ServerFrame::Left { channel, reason: None })
    }

    async fn publish(
        &self,
        caller: &Caller,
        channel: Channel,
        Publication { id, body, receipt }: Publication,
    ) -> Result<ServerFrame<'static>, Refusal> {
        if matches!(channel, Channel::Room(_)) {
            self.check_member(caller, &channel).await?;
        }
        self.take_turns(caller, 1).await?;
        let id = match id {
            Some(id) => id,
            None => MessageId::parse(&self.world.fresh())
                .map_err(|error| Refusal::new(ErrorCode::Unavailable, error.to_string()))?,
        };
        let envelope = Envelope { channel, id, from: caller.user.clone(), body, receipt };
        self.queue.enqueue(&envelope).await?;
        self.world.record(ACCEPTED, 1);
        Ok(ServerFrame::Accepted { id: envelope.id, channel: envelope.channel })
    }

    async fn signal(&self, caller: &Caller, channel: Channel, body: Body) -> Result<ServerFrame<'static>, Refusal> {
        if matches!(channel, Channel::Room(_)) {
            self.check_member(caller, &channel).await?;
        }
        // Before anything is read: a room that is too large costs a turn as well.
        self.take_turns(caller, 1).await?;
        let signal = Signal { store: &self.store, poster: &self.poster, world: &self.world, budget: self.budget };
        let Some(others) = signal.others(&channel, &caller.connection).await? else {
            let message =
                format!("`{channel}` has more than {MAX_COMPANY} members, and signals are for fewer: publish instead");
            return Err(Refusal::new(ErrorCode::TooManyMembers, message));
        };
        if let rest @ 1.. = signal::turns(others.len()) - 1 {
            self.take_turns(caller, rest).await?;
        }
        let delivered = signal.post(&channel, &caller.user, body, &others).await?;
        Ok(ServerFrame::Signalled { channel, delivered })
    }

    /// A user's messages come at the user's rate, from whichever socket.
    async fn take_turns(&self, caller: &Caller, count: u32) -> Result<(), Refusal> {
        let turn = self.user_rate.turns(self.world.now(), count);
        let Err(wait) = self.store.take_turn(&caller.user, turn).await? else { return Ok(()) };
        let message = format!(
            "`{}` may publish {} messages a second: try again in {} ms",
            caller.user,
            self.user_rate.per_second,
            wait.as_millis()
        );
        Err(Refusal { retry_ms: u64::try_from(wait.as_millis()).ok(), ..Refusal::new(ErrorCode::TooFast, message) })
    }

    /// INVARIANT: a ban is looked for after the member is there, because whoever bans notes the ban first and looks for members second.
    async fn check_ban(&self, caller: &Caller, channel: &Channel, now: Timestamp) -> Result<(), Refusal> {
        if !matches!(channel, Channel::Room(_)) {
            return Ok(());
        }
        let Some(until) = self.store.ban(&caller.user, channel, now).await? else { return Ok(()) };
        membership::leave(&self.store, &caller.connection, channel, now).await?;
        let wait = u64::try_from(until.since(now).as_millis()).ok();
        let message = format!("`{}` is banned from `{channel}`", caller.user);
        Err(Refusal { retry_ms: wait, ..Refusal::new(ErrorCode::Banned, message) })
    }

    /// Joining a room again is always allowed.
    async fn check_rooms(&self, caller: &Caller, channel: &Channel) -> Result<(), Refusal> {
        if !matches!(channel, Channel::Room(_)) {
            return Ok(());
        }
        let memberships = self.store.memberships(&caller.connection).await?;
        let is_member = memberships.iter().any(|(own, _)| own == channel);
        let rooms = memberships.iter().filter(|(own, _)| matches!(own, Channel::Room(_))).count() as u64;
        if is_member || rooms < self.max_rooms {
            return Ok(());
        }
        let message = format!("this connection is a member of {rooms} rooms, the most that it may be: leave one first");
        Err(Refusal::new(ErrorCode::TooManyRooms, message))
    }

    /// Says in which of its channels a client is behind: another epoch, a newer head, or no member any more. So the loss of a
    /// channel's newest frame, which leaves no gap to be seen, is noticed at the next ping.
    async fn ping(&self, caller: &Caller, seen: Vec<Seen>) -> Result<ServerFrame<'static>, Refusal> {
        let at = self.world.now();
        if seen.is_empty() {
            return Ok(ServerFrame::Pong { at, behind: Vec::new() });
        }
        let memberships = self.store.memberships(&caller.connection).await?;
        let behind = join_all(seen.into_iter().map(async |Seen { channel, epoch, seq }| {
            let is_member = memberships.iter().any(|(own, _)| *own == channel);
            let is_behind = !is_member || self.is_behind(&channel, &epoch, seq).await?;
            Ok::<_, Refusal>(is_behind.then_some(channel))
        }));
        let behind: Vec<Option<Channel>> = behind.await.into_iter().collect::<Result<_, _>>()?;
        Ok(ServerFrame::Pong { at, behind: behind.into_iter().flatten().collect() })
    }

    async fn is_behind(&self, channel: &Channel, epoch: &Epoch, seq: Seq) -> Result<bool, Refusal> {
        let Some(state) = self.store.state(channel).await? else { return Ok(true) };
        self.watch_over(channel, &state).await;
        Ok(state.epoch != *epoch || seq < state.head)
    }

    /// Puts a wake on the queue where messages are unsent and whoever was to send them seems to have died. Members look at their
    /// channels often, the more the larger the channel is, so that no other watchman is needed.
    async fn watch_over(&self, channel: &Channel, state: &ChannelState) {
        if !state.is_stalled(self.world.now()) {
            return;
        }
        let lease = state.lease.as_ref().map_or("", |lease| lease.id.as_str());
        let reason = format!("{}/{}/{lease}", state.epoch, state.head);
        match self.queue.wake(channel, &reason).await {
            Ok(()) => tracing::warn!(%channel, seq = state.head.0, "woken"),
            Err(error) => tracing::error!(%channel, %error, "not woken"),
        }
    }

    async fn history(
        &self,
        caller: &Caller,
        channel: Channel,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<ServerFrame<'static>, Refusal> {
        self.check_member(caller, &channel).await?;
        let state = self.store.open(&channel, &Epoch::new(self.world.fresh())).await?;
        let (messages, more) = history(&self.store, &channel, &state, before, limit, self.world.now()).await?;
        Ok(ServerFrame::History { channel, epoch: state.epoch, messages, more })
    }

    async fn who(&self, caller: &Caller, room: RoomId) -> Result<ServerFrame<'static>, Refusal> {
        let channel = Channel::Room(room);
        self.check_member(caller, &channel).await?;
        let state = self.store.open(&channel, &Epoch::new(self.world.fresh())).await?;
        let count = self.store.counts(&channel, state.shards).await?.iter().sum();
        let users = self.first_users(&channel, state.shards).await?;
        Ok(ServerFrame::Members { channel, count, users })
    }

    async fn first_users(&self, channel: &Channel, shards: u32) -> Result<Vec<UserId>, Refusal> {
        let mut users: Vec<UserId> = Vec::new();
        for shard in 0..shards {
            let mut after = None;
            loop {
                let page = self.store.member_page(channel, shard, after.as_ref(), WHO_CHUNK, self.world.now()).await?;
                for member in page.members {
                    if !users.contains(&member.user) {
                        users.push(member.user);
                    }
                    if users.len() == WHO_USERS {
                        return Ok(users);
                    }
                }
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok(users)
    }

    async fn check_member(&self, caller: &Caller, channel: &Channel) -> Result<(), Refusal> {
        match self.store.membership(&caller.connection, channel).await? {
            Some(_) => Ok(()),
            None => Err(Refusal::not_a_member(channel)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::executor::block_on;

    use super::*;
    use crate::append::{Arrival, LookBack, append};
    use crate::id::{ConnectionId, LeaseId};
    use crate::lease::Lease;
    use crate::memory::MemoryStore;
    use crate::ports::Presences;
    use crate::testing::{Recorder, World, arrival, caller, connection, room, user};

    type TestReception = Reception<MemoryStore, Recorder, Recorder, World>;

    const NOW: u64 = 1_000_000;

    /// Alice and bob are connected, and are members of nothing but their own channels and everyone.
    fn reception() -> TestReception {
        let reception = Reception {
            store: MemoryStore::default(),
            queue: Recorder::default(),
            poster: Recorder::default(),
            world: World::at(NOW),
            max_body_bytes: 24_576,
            shard_members: 2_000,
            user_rate: PublishRate { per_second: 20, burst: 3 },
            max_rooms: 2,
            budget: Budget::of(8_000),
        };
        for name in ["alice", "bob"] {
            let one = connection(name, name, NOW);
            block_on(membership::connect(&reception.store, &reception.world, &one, 2_000)).unwrap();
        }
        reception
    }

    fn say(reception: &TestReception, name: &str, text: &str) -> serde_json::Value {
        serde_json::to_value(block_on(reception.answer(&caller(name), text))).unwrap()
    }

    fn publish(reception: &TestReception, channel: &Channel, ids: impl IntoIterator<Item = String>) {
        for id in ids {
            let arrivals = [arrival("svc", &id)];
            let retention = Duration::from_secs(60);
            block_on(append(&reception.store, &reception.world, channel, &arrivals, LookBack::Newest, retention))
                .unwrap();
        }
    }

    fn ids(answer: &serde_json::Value) -> Vec<&str> {
        let messages = answer["messages"].as_array().unwrap();
        messages.iter().map(|message| message["id"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_member_publishes_and_the_message_is_on_the_queue_before_it_is_accepted() {
        let reception = reception();
        assert_eq!(say(&reception, "alice", r#"{"action":"join","room":"a"}"#)["type"], "joined");
        let answer = say(&reception, "alice", r#"{"action":"publish","room":"a","body":{"n":1},"id":"m","ref":"r"}"#);
        assert_eq!(answer.to_string(), r#"{"channel":"room:a","id":"m","ref":"r","type":"accepted"}"#);
        assert_eq!(reception.world.measured().total(ACCEPTED), 1);
        let envelope = reception.queue.seen().enqueued[0].to_json().unwrap();
        assert_eq!(envelope, r#"{"v":1,"channel":"room:a","id":"m","from":"alice","body":{"n":1}}"#);
    }

    #[test]
    fn a_message_without_an_id_gets_one() {
        let reception = reception();
        let answer = say(&reception, "alice", r#"{"action":"direct","to":"bob","body":"hi"}"#);
        assert_eq!(answer["id"].as_str(), Some(reception.queue.seen().enqueued[0].id.as_str()));
        assert_eq!(answer["channel"], "user:bob");
    }

    #[test]
    fn what_the_queue_did_not_take_is_not_accepted() {
        let reception = reception();
        reception.queue.refuse(Some("enqueue"));
        let answer = say(&reception, "alice", r#"{"action":"direct","to":"bob","body":1,"id":"m","ref":"r"}"#);
        let expected = r#"{"code":"unavailable","id":"m","message":"nothing was done: try again after a moment","ref":"r","type":"error"}"#;
        assert_eq!(answer.to_string(), expected);
        assert_eq!(reception.world.measured().total(ACCEPTED), 0);
    }

    #[test]
    fn only_members_publish_read_and_see_who_is_there() {
        let reception = reception();
        for frame in [
            r#"{"action":"publish","room":"a","body":1}"#,
            r#"{"action":"history","room":"a"}"#,
            r#"{"action":"who","room":"a"}"#,
        ] {
            let answer = say(&reception, "alice", frame);
            assert_eq!(answer["code"], "not_a_member", "{frame}");
            assert_eq!(answer["message"], "this connection is not a member of `room:a`: join first");
        }
    }

    #[test]
    fn nobody_reads_another_users_channel() {
        let reception = reception();
        for frame in
            [r#"{"action":"join","channel":"user:bob","since":0}"#, r#"{"action":"history","channel":"user:bob"}"#]
        {
            assert_eq!(say(&reception, "alice", frame)["code"], "not_allowed", "{frame}");
        }
    }

    #[test]
    fn a_connection_that_was_forgotten_can_not_join() {
        let reception = reception();
        block_on(membership::forget(&reception.store, &ConnectionId::new("alice"), Timestamp(NOW))).unwrap();
        assert_eq!(say(&reception, "alice", r#"{"action":"join","room":"a"}"#)["code"], "not_connected");
    }

    #[test]
    fn joining_with_since_gives_what_was_missed() {
        let reception = reception();
        publish(&reception, &room("a"), (1..=5).map(|number| format!("m-{number}")));
        let join = |rest: &str| say(&reception, "bob", &format!(r#"{{"action":"join","room":"a"{rest}}}"#));
        let epoch = join("")["epoch"].as_str().unwrap().to_owned();
        let answer = join(&format!(r#","since":2,"epoch":"{epoch}""#));
        assert_eq!((&answer["recovered"], &answer["more"], &answer["head"]), (&true.into(), &false.into(), &5.into()));
        assert_eq!(ids(&answer), ["m-3", "m-4", "m-5"]);
        assert_eq!(ids(&join(r#","since":0"#)).len(), 5, "without an epoch, all that is kept");
        let nothing = join(&format!(r#","since":5,"epoch":"{epoch}""#));
        assert_eq!((ids(&nothing).len(), &nothing["recovered"]), (0, &true.into()));
    }

    #[test]
    fn what_can_not_be_recovered_is_said() {
        let reception = reception();
        publish(&reception, &room("a"), ["m-1".to_owned()]);
        let join = |rest: &str| say(&reception, "bob", &format!(r#"{{"action":"join","room":"a"{rest}}}"#));
        let epoch = join("")["epoch"].as_str().unwrap().to_owned();
        for rest in [r#","since":1,"epoch":"another""#.to_owned(), format!(r#","since":2,"epoch":"{epoch}""#)] {
            let answer = join(&rest);
            assert_eq!(answer["recovered"], false, "{rest}");
            assert_eq!((&answer["head"], answer.get("messages")), (&1.into(), None));
        }
        reception.world.set(NOW + 60_000);
        publish(&reception, &room("a"), ["m-2".to_owned()]);
        assert_eq!(join(&format!(r#","since":0,"epoch":"{epoch}""#))["recovered"], false, "retention has passed");
        assert_eq!(join(&format!(r#","since":1,"epoch":"{epoch}""#))["recovered"], true);
    }

    #[test]
    fn an_inbox_is_recovered_like_a_room() {
        let reception = reception();
        publish(&reception, &Channel::User(user("bob")), ["d-1".to_owned(), "d-2".to_owned()]);
        let answer = say(&reception, "bob", r#"{"action":"join","channel":"user:bob","since":0}"#);
        assert_eq!(ids(&answer), ["d-1", "d-2"]);
    }

    #[test]
    fn a_recovery_larger_than_a_frame_comes_in_parts_without_gap_or_overlap() {
        let reception = reception();
        let channel = room("a");
        for number in 0..9 {
            let content = crate::message::Content::Body(crate::testing::body(&"x".repeat(10_000)));
            let arrivals = [Arrival { content, ..arrival("svc", &format!("m-{number}")) }];
            let retention = Duration::from_secs(60);
            block_on(append(&reception.store, &reception.world, &channel, &arrivals, LookBack::Newest, retention))
                .unwrap();
        }
        let (mut since, mut read) = (0, Vec::new());
        loop {
            let answer = say(&reception, "bob", &format!(r#"{{"action":"join","room":"a","since":{since}}}"#));
            assert!(answer.to_string().len() <= crate::frame::MAX_FRAME_BYTES);
            read.extend(ids(&answer).into_iter().map(str::to_owned));
            since = answer["messages"].as_array().unwrap().last().unwrap()["seq"].as_u64().unwrap();
            if answer["more"] == false {
                break;
            }
        }
        assert_eq!(read, (0..9).map(|number| format!("m-{number}")).collect::<Vec<_>>());
    }

    #[test]
    fn history_pages_backwards() {
        let reception = reception();
        say(&reception, "bob", r#"{"action":"join","room":"a"}"#);
        publish(&reception, &room("a"), (1..=5).map(|number| format!("m-{number}")));
        let history = |rest: &str| say(&reception, "bob", &format!(r#"{{"action":"history","room":"a"{rest}}}"#));
        let newest = history(r#","limit":2"#);
        assert_eq!((ids(&newest), &newest["more"]), (vec!["m-4", "m-5"], &true.into()));
        let older = history(r#","limit":3,"before":4"#);
        assert_eq!((ids(&older), &older["more"]), (vec!["m-1", "m-2", "m-3"], &false.into()));
        assert_eq!(ids(&history("")).len(), 5);
        assert_eq!(ids(&history(r#","before":1"#)).len(), 0);
    }

    #[test]
    fn who_counts_connections_and_names_users_once() {
        let reception = reception();
        let second = connection("alice-2", "alice", NOW);
        block_on(membership::connect(&reception.store, &reception.world, &second, 2_000)).unwrap();
        for (connection, name) in [("alice", "alice"), ("alice-2", "alice"), ("bob", "bob")] {
            let caller = Caller { connection: ConnectionId::new(connection), ..caller(name) };
            block_on(reception.answer(&caller, r#"{"action":"join","room":"a"}"#));
        }
        let answer = say(&reception, "bob", r#"{"action":"who","room":"a"}"#);
        assert_eq!(answer.to_string(), r#"{"channel":"room:a","count":3,"type":"members","users":["alice","bob"]}"#);
        say(&reception, "bob", r#"{"action":"leave","room":"a"}"#);
        assert_eq!(say(&reception, "alice", r#"{"action":"who","room":"a"}"#)["count"], 2);
    }

    #[test]
    fn a_ping_is_answered_with_the_time() {
        assert_eq!(say(&reception(), "bob", r#"{"action":"ping"}"#).to_string(), r#"{"at":1000000,"type":"pong"}"#);
    }

    #[test]
    fn a_ping_tells_a_client_what_it_is_behind_in() {
        let reception = reception();
        let epoch = say(&reception, "bob", r#"{"action":"join","room":"a"}"#)["epoch"].as_str().unwrap().to_owned();
        let ping = |channel: &str, epoch: &str, seq: u64| {
            let seen = serde_json::json!({ channel: { "epoch": epoch, "seq": seq } });
            let pong = say(&reception, "bob", &serde_json::json!({ "action": "ping", "seen": seen }).to_string());
            pong.get("behind").is_some()
        };
        assert!(!ping("room:a", &epoch, 0));
        publish(&reception, &room("a"), ["m-1".to_owned()]);
        assert!(ping("room:a", &epoch, 0), "the newest message was missed");
        assert!(!ping("room:a", &epoch, 1));
        assert!(ping("room:a", "another", 1), "another epoch");
        assert!(ping("room:b", &epoch, 1), "not a member");
        say(&reception, "bob", r#"{"action":"leave","room":"a"}"#);
        assert!(ping("room:a", &epoch, 1), "no member any more");
    }

    #[test]
    fn members_wake_a_channel_whose_delivery_has_died() {
        let reception = reception();
        say(&reception, "bob", r#"{"action":"join","room":"a"}"#);
        publish(&reception, &room("a"), ["m-1".to_owned()]);
        let ping = r#"{"action":"ping","seen":{"room:a":{"epoch":"E","seq":0}}}"#;
        reception.world.set(NOW + 29_999);
        say(&reception, "bob", ping);
        assert_eq!(reception.queue.seen().woken, [], "a delivery may take so long");
        reception.world.set(NOW + 30_000);
        say(&reception, "bob", ping);
        say(&reception, "alice", r#"{"action":"join","room":"a"}"#);
        let woken = reception.queue.seen().woken.clone();
        assert_eq!(woken.len(), 2);
        assert_eq!(woken[0], woken[1], "the same wake, so that the queue takes it once");
        let lease = Lease { id: LeaseId::new("L"), until: Timestamp(NOW + 40_000) };
        assert!(block_on(reception.store.take_lease(&room("a"), &lease, Timestamp(NOW + 30_000))).unwrap());
        say(&reception, "bob", ping);
        assert_eq!(reception.queue.seen().woken.len(), 2, "somebody looks after it");
        reception.world.set(NOW + 40_000);
        say(&reception, "bob", ping);
        assert_eq!(reception.queue.seen().woken.len(), 3, "and has died");
    }

    #[test]
    fn who_wants_a_receipt_says_so_in_the_envelope() {
        let reception = reception();
        say(&reception, "alice", r#"{"action":"direct","to":"bob","body":1,"id":"m","receipt":true}"#);
        let envelope = reception.queue.seen().enqueued[0].to_json().unwrap();
        let expected =
            r#"{"v":1,"channel":"user:bob","id":"m","from":"alice","body":1,"receipt":true,"connection":"alice"}"#;
        assert_eq!(envelope, expected);
    }

    #[test]
    fn a_user_who_publishes_too_fast_is_told_when_to_try_again() {
        let reception = reception();
        let direct = r#"{"action":"direct","to":"bob","body":1,"id":"m"}"#;
        for _ in 0..3 {
            assert_eq!(say(&reception, "alice", direct)["type"], "accepted");
        }
        let answer = say(&reception, "alice", direct);
        let expected = r#"{"code":"too_fast","id":"m","message":"`alice` may publish 20 messages a second: try again in 50 ms","retry_ms":50,"type":"error"}"#;
        assert_eq!(answer.to_string(), expected);
        assert_eq!(say(&reception, "bob", direct)["type"], "accepted", "another user isn't slowed down");
        reception.world.set(NOW + 50);
        assert_eq!(say(&reception, "alice", direct)["type"], "accepted");
        assert_eq!(reception.queue.seen().enqueued.len(), 5);
    }

    #[test]
    fn a_connection_is_a_member_of_so_many_rooms() {
        let reception = reception();
        let join = |room: &str| say(&reception, "alice", &format!(r#"{{"action":"join","room":"{room}"}}"#));
        assert_eq!((&join("a")["type"], &join("b")["type"]), (&"joined".into(), &"joined".into()));
        assert_eq!(join("c")["code"], "too_many_rooms");
        assert_eq!(join("a")["type"], "joined", "joining again changes nothing");
        say(&reception, "alice", r#"{"action":"leave","room":"a"}"#);
        assert_eq!(join("c")["type"], "joined");
    }

    /// What a connection was posted.
    fn posted(reception: &TestReception, id: &str) -> Vec<String> {
        reception.poster.seen().posted.get(&ConnectionId::new(id)).cloned().unwrap_or_default()
    }

    /// Has so many more connections join the room, each of a user of its own.
    fn crowd(reception: &TestReception, members: usize) {
        for number in 0..members {
            let id = format!("c{number:03}");
            let one = connection(&id, &id, NOW);
            block_on(membership::join(&reception.store, &reception.world, &one, &room("a"), 2_000)).unwrap();
        }
    }

    #[test]
    fn a_signal_is_posted_to_the_others_at_once_and_leaves_nothing_behind() {
        let reception = reception();
        for name in ["alice", "bob"] {
            say(&reception, name, r#"{"action":"join","room":"a"}"#);
        }
        let signal = r#"{"action":"signal","room":"a","body":{"typing":true},"ref":"r"}"#;
        let answer = say(&reception, "alice", signal);
        assert_eq!(answer.to_string(), r#"{"channel":"room:a","delivered":1,"ref":"r","type":"signalled"}"#);
        let expected = r#"{"type":"signal","channel":"room:a","from":"alice","at":1000000,"body":{"typing":true}}"#;
        assert_eq!(posted(&reception, "bob"), [expected]);
        assert_eq!(posted(&reception, "alice"), Vec::<String>::new());
        assert_eq!(block_on(reception.store.state(&room("a"))).unwrap().unwrap().head, Seq::ZERO);
        assert!(reception.queue.seen().enqueued.is_empty());
        let direct = say(&reception, "alice", r#"{"action":"signal","to":"bob","body":1}"#);
        assert_eq!((&direct["type"], &direct["delivered"]), (&"signalled".into(), &1.into()));
        let nobody = say(&reception, "alice", r#"{"action":"signal","to":"carol","body":1}"#);
        assert_eq!((&nobody["type"], &nobody["delivered"]), (&"signalled".into(), &0.into()));
    }

    #[test]
    fn a_signal_is_for_members_and_small_rooms_and_has_a_kibibyte() {
        let reception = reception();
        let signal =
            |body: &str| say(&reception, "alice", &format!(r#"{{"action":"signal","room":"a","body":{body}}}"#));
        assert_eq!(signal("1")["code"], "not_a_member");
        say(&reception, "alice", r#"{"action":"join","room":"a"}"#);
        assert_eq!(signal(&format!("\"{}\"", "x".repeat(1_022)))["type"], "signalled");
        assert_eq!(signal(&format!("\"{}\"", "x".repeat(1_023)))["code"], "body_too_large");
        crowd(&reception, 99);
        assert_eq!(signal("1")["delivered"], 99);
        crowd(&reception, 100);
        assert_eq!(signal("1")["code"], "too_fast", "before the members are read");
        reception.world.set(NOW + 1_000);
        let answer = signal("1");
        assert_eq!(answer["code"], "too_many_members");
        let message = "`room:a` has more than 100 members, and signals are for fewer: publish instead";
        assert_eq!(answer["message"], message);
    }

    #[test]
    fn a_signal_to_many_counts_as_several_messages_of_the_users_rate() {
        let reception = reception();
        say(&reception, "alice", r#"{"action":"join","room":"a"}"#);
        crowd(&reception, 21);
        let signal = r#"{"action":"signal","room":"a","body":1}"#;
        assert_eq!(say(&reception, "alice", signal)["delivered"], 21);
        assert_eq!(
            say(&reception, "alice", signal)["code"],
            "too_fast",
            "it counted as three, and three may come at once"
        );
        reception.world.set(NOW + 100);
        assert_eq!(say(&reception, "alice", signal)["delivered"], 21);
    }

    #[test]
    fn a_signal_is_dropped_where_posts_are_short() {
        let reception = TestReception { budget: Budget::of(500), ..reception() };
        say(&reception, "alice", r#"{"action":"join","room":"a"}"#);
        crowd(&reception, 16);
        let signal = r#"{"action":"signal","room":"a","body":1}"#;
        let sender = crate::id::SenderId::new("sender");
        block_on(reception.store.at_work(&sender, Timestamp(NOW + 60_000), Timestamp(NOW))).unwrap();
        let mut delivered = Vec::new();
        for step in [0, 200] {
            reception.world.set(NOW + step);
            delivered.push(say(&reception, "alice", signal)["delivered"].as_u64().unwrap());
        }
        assert_eq!(delivered, [0, 0], "500 posts a second leave 15 to signals while a large fan-out is under way");
        block_on(reception.store.at_rest(&sender)).unwrap();
        reception.world.set(NOW + 400);
        assert_eq!(say(&reception, "alice", signal)["delivered"], 16);
        assert_eq!(posted(&reception, "c000").len(), 1);
    }

    #[test]
    fn a_socket_that_has_gone_is_pruned_by_a_signal() {
        let reception = reception();
        for name in ["alice", "bob"] {
            say(&reception, name, r#"{"action":"join","room":"a"}"#);
        }
        reception.poster.outcome("bob", crate::outcome::Outcome::Gone);
        let signal = r#"{"action":"signal","room":"a","body":1}"#;
        assert_eq!(say(&reception, "alice", signal)["delivered"], 0);
        assert_eq!(block_on(reception.store.memberships(&ConnectionId::new("bob"))).unwrap().len(), 3, "too young");
        reception.world.set(NOW + 10_000);
        say(&reception, "alice", signal);
        assert_eq!(block_on(reception.store.memberships(&ConnectionId::new("bob"))).unwrap(), []);
    }

    #[test]
    fn who_asks_is_told_who_is_there_and_that_others_come_and_go() {
        let reception = reception();
        say(&reception, "bob", r#"{"action":"join","room":"a"}"#);
        let answer = say(&reception, "alice", r#"{"action":"join","room":"a","presence":true}"#);
        assert_eq!(answer["presence"].to_string(), r#"{"count":2,"users":["alice","bob"]}"#);
        say(&reception, "bob", r#"{"action":"leave","room":"a"}"#);
        assert_eq!(reception.store.take_requested(), [room("a")]);
        let again = say(&reception, "alice", r#"{"action":"join","room":"a"}"#);
        assert_eq!(again.get("presence"), None);
        let watchers = || block_on(reception.store.roll(&room("a"), Timestamp(NOW))).unwrap().watchers;
        assert_eq!(watchers(), [ConnectionId::new("alice")], "joining again changes nothing");
        say(&reception, "alice", r#"{"action":"join","room":"a","presence":false}"#);
        assert_eq!(watchers(), []);
        crowd(&reception, 100);
        let answer = say(&reception, "alice", r#"{"action":"join","room":"a","presence":true}"#);
        assert_eq!(answer["presence"].to_string(), r#"{"count":101,"paused":true}"#);
        let other = say(&reception, "alice", r#"{"action":"join","channel":"everyone","presence":true}"#);
        assert_eq!(other["code"], "wrong_field");
    }

    #[test]
    fn an_answer_with_a_hundred_users_and_a_recovery_fits_a_frame() {
        let reception = reception();
        let long = |number: usize| format!("{number:064}");
        for number in 0..99 {
            let one = connection(&long(number), &long(number), NOW);
            block_on(membership::join(&reception.store, &reception.world, &one, &room("a"), 2_000)).unwrap();
        }
        for number in 0..4 {
            let content = crate::message::Content::Body(crate::testing::body(&"x".repeat(24_574)));
            let arrivals = [Arrival { content, ..arrival(&long(1), &long(number)) }];
            let retention = Duration::from_secs(60);
            block_on(append(&reception.store, &reception.world, &room("a"), &arrivals, LookBack::Newest, retention))
                .unwrap();
        }
        let join =
            r#"{"action":"join","room":"a","presence":true,"since":0,"ref":"REF"}"#.replace("REF", &"é".repeat(64));
        let answer = say(&reception, "alice", &join);
        assert_eq!((&answer["recovered"], &answer["more"], ids(&answer).len()), (&true.into(), &true.into(), 1));
        assert_eq!(answer["presence"]["users"].as_array().unwrap().len(), 100);
        assert!(answer.to_string().len() <= crate::frame::MAX_FRAME_BYTES, "{}", answer.to_string().len());
    }

    #[test]
    fn a_frame_behind_the_tokens_end_closes_the_socket() {
        let reception = reception();
        reception.world.set(crate::testing::FOREVER.0);
        let answer = say(&reception, "alice", r#"{"action":"join","room":"a"}"#);
        assert_eq!((&answer["type"], &answer["code"]), (&"closing".into(), &"token_expired".into()));
        assert_eq!(reception.poster.seen().closed.len(), 1);
        assert_eq!(block_on(reception.store.memberships(&ConnectionId::new("alice"))).unwrap(), []);
    }

    #[test]
    fn who_is_banned_from_a_room_does_not_get_in() {
        let reception = reception();
        block_on(reception.store.put_ban(&user("alice"), &room("a"), Timestamp(NOW + 500))).unwrap();
        let join = |name: &str| say(&reception, name, r#"{"action":"join","room":"a"}"#);
        let answer = join("alice");
        assert_eq!((&answer["code"], &answer["retry_ms"]), (&"banned".into(), &500.into()));
        assert_eq!(block_on(reception.store.membership(&ConnectionId::new("alice"), &room("a"))).unwrap(), None);
        assert_eq!(join("bob")["type"], "joined");
        reception.world.set(NOW + 500);
        assert_eq!(join("alice")["type"], "joined");
    }

    #[test]
    fn a_closed_room_can_not_be_joined_until_it_is_opened() {
        let reception = reception();
        let join = || say(&reception, "bob", r#"{"action":"join","room":"a"}"#);
        assert_eq!(join()["type"], "joined");
        block_on(reception.store.set_closed(&room("a"), true)).unwrap();
        assert_eq!(join()["code"], "room_closed");
        let publish = r#"{"action":"publish","room":"a","body":1}"#;
        assert_eq!(say(&reception, "bob", publish)["code"], "not_a_member", "who tried is no member any more");
        block_on(reception.store.set_closed(&room("a"), false)).unwrap();
        assert_eq!(join()["type"], "joined");
    }

    #[test]
    fn an_admins_order_goes_on_the_queue_and_nobody_elses_does() {
        let reception = reception();
        let kick = r#"{"action":"kick","room":"a","user":"bob"}"#;
        assert_eq!(say(&reception, "alice", kick)["code"], "not_allowed");
        let capabilities = crate::capability::Capabilities::parse(r#"{"admin":["*"]}"#).unwrap();
        let admin = Caller { capabilities, ..caller("alice") };
        for (text, order, user) in [
            (kick, "kick", Some("bob")),
            (r#"{"action":"ban","user":"bob","until":5}"#, "ban", Some("bob")),
            (r#"{"action":"delete","room":"a","seq":1}"#, "delete", None),
            (r#"{"action":"close","room":"a","erase":true}"#, "close", None),
            (r#"{"action":"open","room":"a"}"#, "open", None),
        ] {
            // Orders come at the user's rate, as messages do.
            reception.world.set(reception.world.now().0 + 1_000);
            let answer = serde_json::to_value(block_on(reception.answer(&admin, text))).unwrap();
            assert_eq!((&answer["type"], &answer["order"]), (&"ordered".into(), &order.into()), "{answer}");
            assert_eq!(answer.get("user").and_then(serde_json::Value::as_str), user, "{answer}");
        }
        let seen = reception.queue.seen();
        let channels: Vec<String> = seen.ordered.iter().map(|order| order.channel.to_string()).collect();
        assert_eq!(channels, ["room:a", "user:bob", "room:a", "room:a", "room:a"]);
        assert_eq!(seen.ordered[0].from, user("alice"));
    }
}
