//! `announce`: tells the watchers of rooms who is in them, when the presence queue asks for it.

use std::collections::BTreeSet;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use hubbub_aws::runtime::FunctionError;
use hubbub_core::limits::budget::Budget;
use hubbub_core::ports::{Clock, Log, Members, Meter, Poster};
use hubbub_core::presence::announcer::Announcer;
use hubbub_core::settings::AnnounceConfig;
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::time::Timestamp;

/// Handles batches of the presence queue.
#[derive(Clone, Debug)]
pub struct Handler<S, P, E>(Announcer<S, P, E>);

/// What `announce` reads, writes and posts to. The poster posts at the budget's rate of announcements.
#[derive(Clone, Debug)]
pub struct Ports<S, P, E> {
    pub store: S,
    pub poster: P,
    pub env: E,
}

impl<S: Log + Members, P: Poster, E: Clock + Meter> Handler<S, P, E> {
    pub fn new(config: &AnnounceConfig, Ports { store, poster, env }: Ports<S, P, E>) -> Self {
        let rate = Budget::of(config.callback_rps).announce_rate();
        Self(Announcer { store, poster, env, rate, transport: API_GATEWAY })
    }

    /// Announces each room of a batch once. The queue delivers nothing again: the rules ask anew for an announcement that failed, so that it
    /// doesn't hold up the room's later ones.
    ///
    /// # Errors
    /// None that is known.
    pub async fn handle(&self, event: SqsEvent, deadline: Timestamp) -> Result<SqsBatchResponse, FunctionError> {
        let rooms: BTreeSet<Channel> = event.records.iter().filter_map(room).collect();
        self.0.announce(&rooms, deadline).await;
        Ok(SqsBatchResponse::default())
    }
}

/// The room that a message names. A message that names none is dropped: it can never succeed.
fn room(message: &SqsMessage) -> Option<Channel> {
    let room = message.body.as_deref().and_then(|body| body.parse().ok()).filter(|it| matches!(it, Channel::Room(_)));
    if room.is_none() {
        tracing::error!(message.id = message.message_id, "a request for an announcement names no room");
    }
    room
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use hubbub_core::members::membership;
    use hubbub_core::ports::Presences;
    use hubbub_core::wire::id::ConnectionId;
    use hubbub_testkit::fixtures::{Recorder, TestEnv, connection, envelope, room};
    use hubbub_testkit::memory::MemoryStore;
    use serde_json::json;

    use super::*;
    use crate::testing::config;

    const NOW: u64 = 1_000_000;

    /// Hands messages with these bodies to the function; the number of frames that the room's only watcher was posted.
    fn announce(bodies: &[&str]) -> usize {
        let (store, poster, env) = (MemoryStore::default(), Recorder::default(), TestEnv::at(NOW));
        let watcher = connection("w", "watcher", NOW - 60_000);
        block_on(membership::join(&store, &env, &watcher, &room("lobby"), 2_000)).unwrap();
        block_on(store.put_watcher(&room("lobby"), &watcher)).unwrap();
        let handler = Handler::new(&config(), Ports { store, poster: poster.clone(), env });
        let messages: Vec<_> = bodies.iter().map(|body| json!({ "messageId": body, "body": body })).collect();
        let event = serde_json::from_value(json!({ "Records": messages })).unwrap();
        let response = block_on(handler.handle(event, Timestamp(NOW + 10_000))).unwrap();
        assert_eq!(response.batch_item_failures.len(), 0);
        poster.seen().posted.remove(&ConnectionId::new("w")).unwrap_or_default().len()
    }

    #[test]
    fn room_that_is_asked_for_twice_is_announced_once() {
        assert_eq!(announce(&["room:lobby"]), 1);
        assert_eq!(announce(&["room:lobby", "room:lobby"]), 1);
    }

    #[test]
    fn message_that_names_no_room_does_not_hold_up_the_others() {
        let published = envelope("alice", "m-1").to_json().unwrap();
        assert_eq!(announce(&["user:alice", "everyone", "nonsense", "", &published]), 0);
        assert_eq!(announce(&["user:alice", &published, "room:lobby"]), 1);
    }
}
