//! From `$connect`'s event to the rules.

use aws_lambda_events::event::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use hubbub_aws::runtime::Fault;
use hubbub_aws::socket_event::{accept, caller, refuse};
use hubbub_core::member::Connection;
use hubbub_core::membership::{self, Admission};
use hubbub_core::ports::{Bans, Clock, Ids, Log, Members};
use hubbub_core::time::Timestamp;

/// Handles `$connect`.
#[derive(Clone, Debug)]
pub struct Handler<S, E> {
    /// The channels and the members.
    pub store: S,
    /// Time and fresh ids.
    pub world: E,
    /// Members for each shard before the shards double.
    pub shard_members: u64,
}

impl<S: Bans + Log + Members, E: Clock + Ids> Handler<S, E> {
    /// Records the connection. After an error the socket doesn't open, and its client tries again.
    ///
    /// # Errors
    /// When the store can't be reached, or the event isn't a WebSocket API's.
    pub async fn handle(&self, event: ApiGatewayWebsocketProxyRequest) -> Result<ApiGatewayProxyResponse, Fault> {
        let caller = caller(&event)?;
        let connected_at = u64::try_from(event.request_context.connected_at).unwrap_or_default();
        let connection = Connection {
            id: caller.connection,
            user: caller.user,
            connected_at: Timestamp(connected_at),
            until: caller.until,
        };
        match membership::connect(&self.store, &self.world, &connection, self.shard_members).await? {
            Admission::Connected => Ok(accept(&event)),
            Admission::Banned => {
                tracing::info!(user = %connection.user, "refused: banned");
                Ok(refuse())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use hubbub_core::channel::Channel;
    use hubbub_core::id::ConnectionId;
    use hubbub_core::memory::MemoryStore;
    use hubbub_core::testing::{World, connection, user};

    use super::*;

    const EVENT: &str = include_str!("../events/connect.json");

    #[test]
    fn a_connection_is_recorded_and_is_a_member_of_its_user_and_of_everyone() {
        let store = MemoryStore::default();
        let handler = Handler { store: store.clone(), world: World::default(), shard_members: 2_000 };
        let response = block_on(handler.handle(serde_json::from_str(EVENT).unwrap())).unwrap();
        assert_eq!(response.status_code, 200);
        let id = ConnectionId::new("L0SM9cOFvHcCIhw=");
        let alice = connection("L0SM9cOFvHcCIhw=", "alice", 1_700_000_000_123);
        let expected = Connection { until: Timestamp(1_700_003_600_000), ..alice };
        assert_eq!(block_on(store.connection(&id, Timestamp(1_700_000_000_123))).unwrap(), Some(expected));
        let memberships = block_on(store.memberships(&id)).unwrap();
        assert_eq!(memberships, [(Channel::User(user("alice")), 0), (Channel::Everyone, 0)]);
    }

    #[test]
    fn who_is_banned_everywhere_does_not_connect() {
        let (store, world) = (MemoryStore::default(), World::at(1_700_000_000_200));
        let alice = user("alice");
        block_on(store.put_ban(&alice, &Channel::User(alice.clone()), Timestamp(1_700_000_000_201))).unwrap();
        let handler = Handler { store: store.clone(), world: world.clone(), shard_members: 2_000 };
        let connect = || block_on(handler.handle(serde_json::from_str(EVENT).unwrap())).unwrap().status_code;
        assert_eq!(connect(), 403);
        assert_eq!(block_on(store.memberships(&ConnectionId::new("L0SM9cOFvHcCIhw="))).unwrap(), []);
        world.set(1_700_000_000_201);
        assert_eq!(connect(), 200);
    }

    #[test]
    fn the_subprotocol_is_answered_where_it_is_asked_for() {
        let handler = Handler { store: MemoryStore::default(), world: World::default(), shard_members: 2_000 };
        let mut event: serde_json::Value = serde_json::from_str(EVENT).unwrap();
        for (asked, answered) in [("hubbub.v1, bearer.a.b.c", Some("hubbub.v1")), ("other", None)] {
            event["headers"]["Sec-WebSocket-Protocol"] = asked.into();
            let response = block_on(handler.handle(serde_json::from_value(event.clone()).unwrap())).unwrap();
            let header = response.headers.get("sec-websocket-protocol").map(|value| value.to_str().unwrap());
            assert_eq!(header, answered, "{asked}");
        }
    }

    #[test]
    fn without_an_authorizer_nobody_gets_in() {
        let mut event: serde_json::Value = serde_json::from_str(EVENT).unwrap();
        event["requestContext"]["authorizer"] = serde_json::json!({});
        let handler = Handler { store: MemoryStore::default(), world: World::default(), shard_members: 2_000 };
        let fault = block_on(handler.handle(serde_json::from_value(event).unwrap())).unwrap_err();
        assert_eq!(fault.to_string(), "the event is not what this function takes: the authorizer named no user");
    }
}
