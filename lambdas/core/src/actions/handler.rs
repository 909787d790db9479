//! What all client actions share: the ports, the limits, and the checks.

use super::caller::Caller;
use super::refusal::Refusal;
use crate::limits::budget::Budget;
use crate::limits::turns::PublishRate;
use crate::log::state::ChannelState;
use crate::ports::{ClientStore, Env, Poster, PublishQueue};
use crate::transport::Transport;
use crate::wire::channel::Channel;
use crate::wire::codes::ErrorCode;

/// Answers clients' frames.
#[derive(Clone, Debug)]
pub struct ClientHandler<S, Q, P, E> {
    /// The logs and the members.
    pub store: S,
    /// Where messages are put.
    pub queue: Q,
    /// The sockets, to post signals and to close sockets whose token has ended.
    pub poster: P,
    /// Time, fresh ids, and a meter.
    pub env: E,
    /// The transport's limits.
    pub transport: Transport,
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

impl<S: ClientStore, Q: PublishQueue, P: Poster, E: Env> ClientHandler<S, Q, P, E> {
    /// Takes turns of the user's rate, which all of the user's sockets share.
    pub(super) async fn take_turns(&self, caller: &Caller, count: u32) -> Result<(), Refusal> {
        if count == 0 {
            return Ok(());
        }
        let turn = self.user_rate.turns(self.env.now(), count);
        let Err(wait) = self.store.take_turn(&caller.user, turn).await? else { return Ok(()) };
        let message = format!(
            "`{}` may publish {} messages a second: try again in {} ms",
            caller.user,
            self.user_rate.per_second,
            wait.as_millis()
        );
        Err(Refusal { retry_ms: u64::try_from(wait.as_millis()).ok(), ..Refusal::new(ErrorCode::TooFast, message) })
    }

    pub(super) async fn check_member(&self, caller: &Caller, channel: &Channel) -> Result<(), Refusal> {
        match self.store.membership(&caller.connection, channel).await? {
            Some(_) => Ok(()),
            None => Err(Refusal::not_a_member(channel)),
        }
    }

    /// Sends a wake where messages are unsent and their sender appears to have crashed. Members look at their channels often, the more so the
    /// larger the channel is, so no other watchdog is needed.
    pub(super) async fn wake_if_stalled(&self, channel: &Channel, state: &ChannelState) {
        if !state.is_stalled(self.env.now()) {
            return;
        }
        let lease = state.lease.as_ref().map_or("", |lease| lease.id.as_str());
        let reason = format!("{}/{}/{lease}", state.epoch, state.head);
        match self.queue.wake(channel, &reason).await {
            Ok(()) => tracing::warn!(%channel, seq = state.head.0, "woken"),
            Err(error) => tracing::error!(%channel, %error, "not woken"),
        }
    }
}
