//! `join`: become a member of a channel, and get the messages that were missed.

use super::action::Action;
use super::refusal::Refusal;
use super::caller::Caller;
use super::grant::Denied;
use super::handler::ClientHandler;
use super::target::RoomOrChannel;
use crate::log::recovery::{answer_budget, recover, Recovery, Since};
use crate::members::membership;
use crate::ports::{ClientStore, Env, Poster, PublishQueue};
use crate::presence::watch::watch;
use crate::wire::capabilities::Verb;
use crate::wire::channel::Channel;
use crate::wire::codes::ErrorCode;
use crate::wire::fields::{wire_struct, Malformed};
use crate::wire::id::Epoch;
use crate::wire::message::Seq;
use crate::wire::server_frame::ServerFrame;
use crate::wire::time::Timestamp;

wire_struct! {
    /// Become a member, and get the messages that were missed.
    Join {
        /// The channel.
        #[cfg_attr(feature = "schema", schemars(flatten))]
        channel: RoomOrChannel,
        /// The last sequence that was seen.
        since: Option<Seq>,
        /// The epoch in which it was seen.
        epoch: Option<Epoch>,
        /// Whether to be told who joins and leaves, which only rooms tell. Without it, nothing changes.
        presence: Option<bool>,
    }
}

impl Action for Join {
    const NAME: &'static str = "join";
    const TURNS: u32 = 0;

    fn validate(&self) -> Result<(), Malformed> {
        if self.presence.is_some() && !matches!(self.channel.0, Channel::Room(_)) {
            let expected = "left out: only rooms tell who joins and leaves";
            return Err(Malformed::Wrong { field: "presence", expected });
        }
        Ok(())
    }

    fn authorize(&self, caller: &Caller) -> Result<(), Denied> {
        caller.must_have_for_channel(Verb::Join, &self.channel.0)?;
        if self.presence == Some(true) { caller.must_have_for_channel(Verb::Who, &self.channel.0) } else { Ok(()) }
    }

    async fn run<S: ClientStore, Q: PublishQueue, P: Poster, E: Env>(
        self,
        handler: &ClientHandler<S, Q, P, E>,
        caller: &Caller,
    ) -> Result<ServerFrame<'static>, Refusal> {
        let ClientHandler { store, env, .. } = handler;
        let now = env.now();
        let Self { channel: RoomOrChannel(channel), since, epoch, presence } = self;
        let connection = store.connection(&caller.connection, now).await?.ok_or_else(|| {
            Refusal::new(ErrorCode::NotConnected, "this connection is not known any more: connect again")
        })?;
        handler.check_rooms(caller, &channel).await?;
        membership::join(store, env, &connection, &channel, handler.shard_members).await?;
        handler.check_ban(caller, &channel, now).await?;
        // INVARIANT: the head is read after the member is there, so that each message is either in the recovery or posted.
        let state = store.open(&channel, &Epoch::new(env.fresh())).await?;
        if state.closed {
            membership::leave(store, &caller.connection, &channel, now).await?;
            return Err(Refusal::new(ErrorCode::RoomClosed, format!("`{channel}` is closed")));
        }
        handler.wake_if_stalled(&channel, &state).await;
        let presence = match presence {
            Some(true) => Some(watch(store, &channel, &state, &connection, &handler.transport, now).await?),
            Some(false) => {
                store.remove_watcher(&channel, &caller.connection).await?;
                None
            }
            None => None,
        };
        let (recovered, messages, more) = match since {
            None => (None, None, None),
            Some(since) => {
                let budget = answer_budget(handler.transport.max_frame_bytes, presence.is_some());
                let since = Since { seq: since, epoch: epoch.as_ref() };
                match recover(store, &channel, &state, since, budget, now).await? {
                    Recovery::Recovered { messages, more } => (Some(true), Some(messages), Some(more)),
                    Recovery::Lost => (Some(false), None, None),
                }
            }
        };
        Ok(ServerFrame::Joined { channel, epoch: state.epoch, head: state.head, recovered, messages, more, presence })
    }
}

impl<S: ClientStore, Q: PublishQueue, P: Poster, E: Env> ClientHandler<S, Q, P, E> {
    /// INVARIANT: a ban is looked for after the member is there, because a ban is noted first and its members are looked for second.
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
}
