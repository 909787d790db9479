//! `ping`: keep the socket open, and learn which channels to join again.

use super::action::Action;
use super::refusal::Refusal;
use super::caller::Caller;
use super::grant::Denied;
use super::handler::ClientHandler;
use std::collections::BTreeMap;

use futures::future::join_all;
use serde::Deserialize;

use crate::ports::{ClientStore, Env, Poster, PublishQueue};
use crate::wire::channel::Channel;
use crate::wire::fields::{wire_struct, Field, Fields, Malformed};
use crate::wire::id::Epoch;
use crate::wire::message::Seq;
use crate::wire::server_frame::{MAX_SEEN, ServerFrame};

wire_struct! {
    /// Keep the socket open, and learn which channels to join again.
    Ping {
        /// The newest message that the client saw, for each channel.
        #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = MAX_SEEN)))]
        seen: Option<BTreeMap<Channel, Position>>,
    }
}

impl Action for Ping {
    const NAME: &'static str = "ping";
    const TURNS: u32 = 0;

    fn authorize(&self, _: &Caller) -> Result<(), Denied> {
        Ok(())
    }

    async fn run<S: ClientStore, Q: PublishQueue, P: Poster, E: Env>(
        self,
        handler: &ClientHandler<S, Q, P, E>,
        caller: &Caller,
    ) -> Result<ServerFrame<'static>, Refusal> {
        let at = handler.env.now();
        let Some(seen) = self.seen.filter(|seen| !seen.is_empty()) else {
            return Ok(ServerFrame::Pong { at, rejoin: Vec::new() });
        };
        let memberships = handler.store.memberships(&caller.connection).await?;
        let rejoin = join_all(seen.into_iter().map(async |(channel, position)| {
            let is_member = memberships.iter().any(|(own, _)| *own == channel);
            let must_rejoin = !is_member || handler.has_missed(&channel, &position).await?;
            Ok::<_, Refusal>(must_rejoin.then_some(channel))
        }));
        let rejoin: Vec<Option<Channel>> = rejoin.await.into_iter().collect::<Result<_, _>>()?;
        Ok(ServerFrame::Pong { at, rejoin: rejoin.into_iter().flatten().collect() })
    }
}

/// A client's place in a channel's log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Position {
    /// The epoch.
    pub epoch: Epoch,
    /// The last sequence that the client saw.
    pub seq: Seq,
}

impl Field for BTreeMap<Channel, Position> {
    fn read_optional(fields: &Fields, field: &'static str) -> Result<Option<Self>, Malformed> {
        let expected = "an object of at most 100 channels, each with its `epoch` and `seq`";
        let positions: Option<Self> = fields.value(field, expected)?;
        match positions {
            Some(positions) if positions.len() > MAX_SEEN => Err(Malformed::Wrong { field, expected }),
            positions => Ok(positions),
        }
    }
}

impl<S: ClientStore, Q: PublishQueue, P: Poster, E: Env> ClientHandler<S, Q, P, E> {
    /// Whether a client has missed messages of a channel: the epoch is another, or the head is newer. So the loss of a channel's newest frame,
    /// which leaves no gap to be seen, is noticed at the next ping.
    async fn has_missed(&self, channel: &Channel, position: &Position) -> Result<bool, Refusal> {
        let Some(state) = self.store.state(channel).await? else { return Ok(true) };
        self.wake_if_stalled(channel, &state).await;
        Ok(state.epoch != position.epoch || position.seq < state.head)
    }
}
