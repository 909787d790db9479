//! `disconnect`: forgets a socket that has closed. API Gateway doesn't call it for every one; `hubbub_core::delivery::fan_out` prunes the rest.

use aws_lambda_events::event::apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest};
use hubbub_aws::runtime::FunctionError;
use hubbub_aws::socket_event::{connection_id, ok};
use hubbub_core::members::membership;
use hubbub_core::metrics::CONNECTION_MINUTES;
use hubbub_core::ports::{Clock, Members, Meter};
use hubbub_core::wire::time::Timestamp;

/// Handles `$disconnect`.
#[derive(Clone, Debug)]
pub struct Handler<S, E> {
    store: S,
    env: E,
}

impl<S: Members, E: Clock + Meter> Handler<S, E> {
    pub const fn new(store: S, env: E) -> Self {
        Self { store, env }
    }

    /// Forgets the connection.
    ///
    /// # Errors
    /// When the store can't be reached, or the event isn't a WebSocket API's.
    pub async fn handle(
        &self,
        event: ApiGatewayWebsocketProxyRequest,
    ) -> Result<ApiGatewayProxyResponse, FunctionError> {
        membership::forget(&self.store, &connection_id(&event)?, self.env.now()).await?;
        // Counted at the end, because there is no event in between. A repeated event counts again.
        if let Ok(connected_at @ 1..) = u64::try_from(event.request_context.connected_at) {
            let seconds = self.env.now().since(Timestamp(connected_at)).as_secs();
            self.env.record(CONNECTION_MINUTES, seconds / 60 + 1);
        }
        Ok(ok())
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use hubbub_core::wire::channel::Channel;
    use hubbub_core::wire::id::ConnectionId;
    use hubbub_testkit::fixtures::{TestEnv, connection, room};
    use hubbub_testkit::memory::MemoryStore;

    use super::*;

    #[test]
    fn connection_is_forgotten_with_all_its_memberships() {
        let store = MemoryStore::default();
        let one = connection("L0SM9cOFvHcCIhw=", "alice", 5);
        let other = connection("another", "alice", 5);
        for member in [&one, &other] {
            block_on(membership::connect(&store, &TestEnv::default(), member, 2_000)).unwrap();
            block_on(membership::join(&store, &TestEnv::default(), member, &room("lobby"), 2_000)).unwrap();
        }
        let event = serde_json::from_str(include_str!("../events/disconnect.json")).unwrap();
        let env = TestEnv::at(1_700_000_000_123 + 61_000);
        block_on(Handler::new(store.clone(), env.clone()).handle(event)).unwrap();
        assert_eq!(env.measured().total(CONNECTION_MINUTES), 2);
        let id = ConnectionId::new("L0SM9cOFvHcCIhw=");
        assert_eq!(block_on(store.connection(&id, one.connected_at)).unwrap(), None);
        assert_eq!(block_on(store.memberships(&id)).unwrap(), []);
        for channel in [room("lobby"), Channel::Everyone, Channel::User(one.user.clone())] {
            assert_eq!(block_on(store.counts(&channel, 1)).unwrap(), [1], "{channel}");
            let page = block_on(store.member_page(&channel, 0, None, 10, one.connected_at)).unwrap();
            assert_eq!(page.members, std::slice::from_ref(&other), "{channel}");
        }
    }
}
