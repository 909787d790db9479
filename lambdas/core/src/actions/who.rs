//! `who`: about how many connections are members of a room, and the first users.

use super::action::Action;
use super::refusal::Refusal;
use super::caller::Caller;
use super::grant::Denied;
use super::handler::ClientHandler;
use crate::ports::{ClientStore, Env, Poster, PublishQueue};
use crate::wire::capabilities::Verb;
use crate::wire::channel::Channel;
use crate::wire::fields::wire_struct;
use crate::wire::id::{Epoch, RoomId, UserId};
use crate::wire::server_frame::{MAX_NAMED_USERS, ServerFrame};

/// How many members are read at a time.
const MEMBERS_AT_ONCE: usize = 200;

wire_struct! {
    /// About how many connections are members, and the first users.
    Who {
        /// The room.
        room: RoomId,
    }
}

impl Action for Who {
    const NAME: &'static str = "who";
    const TURNS: u32 = 0;

    fn authorize(&self, caller: &Caller) -> Result<(), Denied> {
        caller.must_have(Verb::Who, self.room.as_str())
    }

    async fn run<S: ClientStore, Q: PublishQueue, P: Poster, E: Env>(
        self,
        handler: &ClientHandler<S, Q, P, E>,
        caller: &Caller,
    ) -> Result<ServerFrame<'static>, Refusal> {
        let ClientHandler { store, env, .. } = handler;
        let channel = Channel::Room(self.room);
        handler.check_member(caller, &channel).await?;
        let state = store.open(&channel, &Epoch::new(env.fresh())).await?;
        let count = store.counts(&channel, state.shards).await?.iter().sum();
        let users = handler.first_users(&channel, state.shards).await?;
        Ok(ServerFrame::Members { channel, count, users })
    }
}

impl<S: ClientStore, Q: PublishQueue, P: Poster, E: Env> ClientHandler<S, Q, P, E> {
    async fn first_users(&self, channel: &Channel, shards: u32) -> Result<Vec<UserId>, Refusal> {
        let mut users: Vec<UserId> = Vec::new();
        for shard in 0..shards {
            let mut after = None;
            loop {
                let now = self.env.now();
                let page = self.store.member_page(channel, shard, after.as_ref(), MEMBERS_AT_ONCE, now).await?;
                for member in page.members {
                    if !users.contains(&member.user) {
                        users.push(member.user);
                    }
                    if users.len() == MAX_NAMED_USERS {
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
}
