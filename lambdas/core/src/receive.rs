//! Answering a client's frame.
//!
//! Every frame gets an answer, whatever is in it and whatever fails: an error frame is an answer.

use crate::channel::Channel;
use crate::id::{MessageId, RoomId, UserId};
use crate::envelope::Envelope;
use crate::membership;
use crate::message::{Body, Seq};
use crate::id::Epoch;
use crate::ports::{Clock, Ids, Log, Members, PortError, PublishQueue};
use crate::protocol::{Action, Answer, Caller, ClientFrame, ErrorCode, Refused, ServerFrame};
use crate::recovery::{Recovery, history, recover};

/// How many users `who` names.
const WHO_USERS: usize = 100;

/// How many members are read at a time to find them.
const WHO_CHUNK: usize = 200;

/// Answers clients' frames.
#[derive(Clone, Debug)]
pub struct Reception<S, Q, E> {
    /// The logs and the members.
    pub store: S,
    /// Where messages are put.
    pub queue: Q,
    /// Time and fresh ids.
    pub world: E,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// Members for each shard before the shards double.
    pub shard_members: u64,
}

/// Why an action wasn't carried out.
struct Refusal {
    code: ErrorCode,
    message: String,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
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

impl<S: Log + Members, Q: PublishQueue, E: Clock + Ids> Reception<S, Q, E> {
    /// Carries out a frame and answers it.
    pub async fn answer(&self, caller: &Caller, text: &str) -> Answer {
        let ClientFrame { reference, action } = match ClientFrame::parse(text, self.max_body_bytes) {
            Ok(frame) => frame,
            Err(refused) => return refused.into(),
        };
        let id = match &action {
            Action::Publish { id, .. } => id.clone(),
            _ => None,
        };
        match self.carry_out(caller, action).await {
            Ok(frame) => Answer { frame, reference },
            Err(Refusal { code, message }) => Refused { code, message, id, reference }.into(),
        }
    }

    async fn carry_out(&self, caller: &Caller, action: Action) -> Result<ServerFrame<'static>, Refusal> {
        match action {
            Action::Join { channel, since, epoch } => self.join(caller, channel, since, epoch).await,
            Action::Leave { room } => self.leave(caller, room).await,
            Action::Publish { channel, body, id } => self.publish(caller, channel, body, id).await,
            Action::History { channel, before, limit } => self.history(caller, channel, before, limit).await,
            Action::Who { room } => self.who(caller, room).await,
            Action::Ping => Ok(ServerFrame::Pong { at: self.world.now() }),
        }
    }

    async fn join(
        &self,
        caller: &Caller,
        channel: Channel,
        since: Option<Seq>,
        epoch: Option<Epoch>,
    ) -> Result<ServerFrame<'static>, Refusal> {
        check_allowed(caller, &channel)?;
        let now = self.world.now();
        let connection = self.store.connection(&caller.connection, now).await?.ok_or_else(|| {
            Refusal::new(ErrorCode::NotConnected, "this connection is not known any more: connect again")
        })?;
        membership::join(&self.store, &self.world, &connection, &channel, self.shard_members).await?;
        // INVARIANT: the head is read after the member is there, so that each message is either in the recovery or posted.
        let state = self.store.open(&channel, &Epoch::new(self.world.fresh())).await?;
        let (recovered, messages, more) = match since {
            None => (None, None, None),
            Some(since) => match recover(&self.store, &channel, &state, since, epoch.as_ref(), now).await? {
                Recovery::Recovered { messages, more } => (Some(true), Some(messages), Some(more)),
                Recovery::Lost => (Some(false), None, None),
            },
        };
        Ok(ServerFrame::Joined { channel, epoch: state.epoch, head: state.head, recovered, messages, more })
    }

    async fn leave(&self, caller: &Caller, room: RoomId) -> Result<ServerFrame<'static>, Refusal> {
        let channel = Channel::Room(room);
        membership::leave(&self.store, &caller.connection, &channel).await?;
        Ok(ServerFrame::Left { channel })
    }

    async fn publish(
        &self,
        caller: &Caller,
        channel: Channel,
        body: Body,
        id: Option<MessageId>,
    ) -> Result<ServerFrame<'static>, Refusal> {
        if matches!(channel, Channel::Room(_)) {
            self.check_member(caller, &channel).await?;
        }
        let id = match id {
            Some(id) => id,
            None => MessageId::parse(&self.world.fresh())
                .map_err(|error| Refusal::new(ErrorCode::Unavailable, error.to_string()))?,
        };
        let envelope = Envelope { channel, id, from: caller.user.clone(), body };
        self.queue.enqueue(&envelope).await?;
        Ok(ServerFrame::Accepted { id: envelope.id, channel: envelope.channel })
    }

    async fn history(
        &self,
        caller: &Caller,
        channel: Channel,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<ServerFrame<'static>, Refusal> {
        check_allowed(caller, &channel)?;
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
                let page = self
                    .store
                    .member_page(channel, shard, after.as_ref(), WHO_CHUNK, self.world.now())
                    .await?;
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

/// Rooms are open to all; of the users' channels, only one's own is.
fn check_allowed(caller: &Caller, channel: &Channel) -> Result<(), Refusal> {
    match channel {
        Channel::User(user) if *user != caller.user => Err(Refusal::new(
            ErrorCode::NotAllowed,
            format!("`{channel}` belongs to another user: a user reads `user:{}` alone", caller.user),
        )),
        _ => Ok(()),
    }
}
