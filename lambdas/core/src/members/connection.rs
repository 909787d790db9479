//! Connections: sockets that are open, as far as is known.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::transport::Transport;
use crate::wire::id::{ConnectionId, UserId};
use crate::wire::time::Timestamp;

/// How long rows outlive their connection where `$disconnect` never came.
const SLACK: Duration = Duration::from_secs(10 * 60);

/// A socket that is open, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// Whose it is.
    pub user: UserId,
    /// When it was opened.
    pub connected_at: Timestamp,
    /// When its token ends, and with it the socket.
    pub until: Timestamp,
}

impl Connection {
    /// When its rows expire, if the connection was not forgotten before.
    #[must_use]
    pub fn expires(&self, transport: &Transport) -> Timestamp {
        self.connected_at.plus(transport.max_connection_age + SLACK)
    }

    /// Whether its token has ended.
    #[must_use]
    pub fn has_ended(&self, now: Timestamp) -> bool {
        now >= self.until
    }

    /// Whether a post that was answered 410 means that the socket has gone.
    #[must_use]
    pub fn may_be_pruned(&self, transport: &Transport, now: Timestamp) -> bool {
        now.since(self.connected_at) >= transport.min_prune_age
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::API_GATEWAY;

    #[test]
    fn young_connection_is_not_pruned() {
        let connection = Connection {
            id: ConnectionId::new("c"),
            user: UserId::parse("alice").unwrap(),
            connected_at: Timestamp(5_000),
            until: Timestamp(u64::MAX),
        };
        assert!(!connection.may_be_pruned(&API_GATEWAY, Timestamp(14_999)));
        assert!(connection.may_be_pruned(&API_GATEWAY, Timestamp(15_000)));
        assert!(!connection.may_be_pruned(&API_GATEWAY, Timestamp(0)), "a clock that is behind");
    }
}
