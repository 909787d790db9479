//! `history`: a page of a channel's log, backwards from `before`.

use super::action::Action;
use super::refusal::Refusal;
use super::caller::Caller;
use super::grant::Denied;
use super::handler::ClientHandler;
use super::target::RoomOrChannel;
use crate::log::recovery::{answer_budget, history};
use crate::ports::{ClientStore, Env, Poster, PublishQueue};
use crate::wire::capabilities::Verb;
use crate::wire::fields::{wire_struct, Field, Fields, Malformed};
use crate::wire::id::Epoch;
use crate::wire::message::Seq;
use crate::wire::server_frame::{MAX_HISTORY, ServerFrame};

/// The messages that `history` gives without a `limit`.
pub const DEFAULT_HISTORY: usize = 50;

wire_struct! {
    /// A page of the log, backwards from `before`.
    History {
        /// The channel.
        #[cfg_attr(feature = "schema", schemars(flatten))]
        channel: RoomOrChannel,
        /// Only messages before this one; without it, the newest.
        before: Option<Seq>,
        /// The most messages.
        limit: Option<PageSize>,
    }
}

impl Action for History {
    const NAME: &'static str = "history";
    const TURNS: u32 = 0;

    fn authorize(&self, caller: &Caller) -> Result<(), Denied> {
        caller.must_have_for_channel(Verb::History, &self.channel.0)
    }

    async fn run<S: ClientStore, Q: PublishQueue, P: Poster, E: Env>(
        self,
        handler: &ClientHandler<S, Q, P, E>,
        caller: &Caller,
    ) -> Result<ServerFrame<'static>, Refusal> {
        let ClientHandler { store, env, transport, .. } = handler;
        let Self { channel: RoomOrChannel(channel), before, limit } = self;
        let PageSize(limit) = limit.unwrap_or(PageSize(DEFAULT_HISTORY));
        handler.check_member(caller, &channel).await?;
        let state = store.open(&channel, &Epoch::new(env.fresh())).await?;
        let budget = answer_budget(transport.max_frame_bytes, false);
        let page = history(store, &channel, &state, before, limit, budget, env.now()).await?;
        Ok(ServerFrame::History { channel, epoch: state.epoch, messages: page.messages, more: page.more })
    }
}

/// A number of messages, from 1 to [`MAX_HISTORY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize(usize);

impl PageSize {
    /// The number.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl Field for PageSize {
    fn read_optional(fields: &Fields, field: &'static str) -> Result<Option<Self>, Malformed> {
        let expected = "a whole number from 1 to 200";
        match fields.value::<usize>(field, expected)? {
            None => Ok(None),
            Some(limit) if (1..=MAX_HISTORY).contains(&limit) => Ok(Some(Self(limit))),
            Some(_) => Err(Malformed::Wrong { field, expected }),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for PageSize {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PageSize".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": MAX_HISTORY, "default": DEFAULT_HISTORY })
    }
}
