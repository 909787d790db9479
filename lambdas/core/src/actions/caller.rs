//! The client that sent a frame.

use crate::wire::capabilities::Capabilities;
use crate::wire::id::{ConnectionId, UserId};
use crate::wire::time::Timestamp;

/// The client that sent a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The socket.
    pub connection: ConnectionId,
    /// The socket's user: the token's `sub`.
    pub user: UserId,
    /// What the token grants.
    pub capabilities: Capabilities,
    /// When the token ends.
    pub until: Timestamp,
}
