//! What the soak records beside the ledger.

use hubbub_client::Stats;
use hubbub_tests::record;

/// Clients are named by their users.
pub(crate) type Shared = record::Shared<String, Notes>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// The sum over all sessions that have ended.
    pub(crate) sessions: Stats,
    /// Sockets that were dropped without a close frame.
    pub(crate) cuts: u64,
    pub(crate) joins: u64,
    pub(crate) leaves: u64,
}

impl Notes {
    pub(crate) fn add_session(&mut self, session: Stats) {
        let Stats { connections, moves, resent, counters } = session;
        self.sessions.connections += connections;
        self.sessions.moves += moves;
        self.sessions.resent += resent;
        self.sessions.counters += counters;
    }
}
