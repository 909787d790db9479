//! `connect`: records a socket that opens.

use aws_lambda_events::event::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use hubbub_aws::runtime::FunctionError;
use hubbub_aws::socket_event::{accept, caller, refuse};
use hubbub_core::members::connection::Connection;
use hubbub_core::members::membership;
use hubbub_core::members::membership::Admission;
use hubbub_core::ports::{Bans, Clock, Ids, Log, Members};
use hubbub_core::settings::ConnectConfig;
use hubbub_core::wire::time::Timestamp;

/// Handles `$connect`.
#[derive(Clone, Debug)]
pub struct Handler<S, E> {
    store: S,
    env: E,
    shard_members: u64,
}

impl<S: Bans + Log + Members, E: Clock + Ids> Handler<S, E> {
    pub fn new(config: &ConnectConfig, store: S, env: E) -> Self {
        Self { store, env, shard_members: config.shard_members }
    }

    /// Records the connection. After an error the socket doesn't open, and its client tries again.
    ///
    /// # Errors
    /// When the store can't be reached, or the event isn't a WebSocket API's.
    pub async fn handle(
        &self,
        event: ApiGatewayWebsocketProxyRequest,
    ) -> Result<ApiGatewayProxyResponse, FunctionError> {
        let caller = caller(&event)?;
        let connected_at = u64::try_from(event.request_context.connected_at).unwrap_or_default();
        let connection = Connection {
            id: caller.connection,
            user: caller.user,
            connected_at: Timestamp(connected_at),
            until: caller.until,
        };
        match membership::connect(&self.store, &self.env, &connection, self.shard_members).await? {
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
    use hubbub_core::wire::channel::Channel;
    use hubbub_core::wire::id::ConnectionId;
    use hubbub_testkit::fixtures::{TestEnv, connection, user};
    use hubbub_testkit::memory::MemoryStore;
    use serde_json::Value;

    use super::*;
    use crate::testing::config;

    const EVENT: &str = include_str!("../events/connect.json");

    fn handle(store: &MemoryStore, env: &TestEnv, event: Value) -> Result<ApiGatewayProxyResponse, FunctionError> {
        let handler = Handler::new(&config(), store.clone(), env.clone());
        block_on(handler.handle(serde_json::from_value(event).unwrap()))
    }

    fn event() -> Value {
        serde_json::from_str(EVENT).unwrap()
    }

    #[test]
    fn connection_is_recorded_as_a_member_of_its_user_and_everyone() {
        let store = MemoryStore::default();
        assert_eq!(handle(&store, &TestEnv::default(), event()).unwrap().status_code, 200);
        let id = ConnectionId::new("L0SM9cOFvHcCIhw=");
        let alice = connection("L0SM9cOFvHcCIhw=", "alice", 1_700_000_000_123);
        let expected = Connection { until: Timestamp(1_700_003_600_000), ..alice };
        assert_eq!(block_on(store.connection(&id, Timestamp(1_700_000_000_123))).unwrap(), Some(expected));
        let memberships = block_on(store.memberships(&id)).unwrap();
        assert_eq!(memberships, [(Channel::User(user("alice")), 0), (Channel::Everyone, 0)]);
    }

    #[test]
    fn banned_user_is_answered_403() {
        let (store, env) = (MemoryStore::default(), TestEnv::at(1_700_000_000_200));
        let alice = user("alice");
        let everywhere = Channel::User(alice.clone());
        block_on(store.put_ban(&alice, &everywhere, Timestamp(1_700_000_000_201))).unwrap();
        assert_eq!(handle(&store, &env, event()).unwrap().status_code, 403);
    }

    #[test]
    fn subprotocol_is_answered_if_it_is_asked_for() {
        let mut event = event();
        for (asked, answered) in [("hubbub.v1, bearer.a.b.c", Some("hubbub.v1")), ("other", None)] {
            event["headers"]["Sec-WebSocket-Protocol"] = asked.into();
            let response = handle(&MemoryStore::default(), &TestEnv::default(), event.clone()).unwrap();
            let header = response.headers.get("sec-websocket-protocol").map(|value| value.to_str().unwrap());
            assert_eq!(header, answered, "{asked}");
        }
    }

    #[test]
    fn nobody_connects_without_an_authorizer() {
        let mut event = event();
        event["requestContext"]["authorizer"] = serde_json::json!({});
        let error = handle(&MemoryStore::default(), &TestEnv::default(), event).unwrap_err();
        assert_eq!(error.to_string(), "the event is not what this function takes: the authorizer named no user");
    }
}
