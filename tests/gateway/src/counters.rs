//! What a gateway was asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a gateway was asked since it started, or since its counters were reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Counters {
    /// Posts that were answered, by status.
    pub answers: BTreeMap<u16, u64>,
    /// Requests that arrived, answered or not.
    pub requests: u64,
    /// Bytes of the bodies that were taken.
    pub bytes: u64,
    /// Requests that came in beside the posts, and used up quota.
    pub inbound: u64,
    /// Those of them for which none was left.
    pub inbound_refused: u64,
    /// HTTP connections that were opened.
    pub connections: u64,
    /// HTTP connections that are open now.
    pub open: u64,
    /// Requests that are under way now.
    pub under_way: u64,
    /// The most requests that were under way at once.
    pub most_under_way: u64,
}

impl Counters {
    /// How many requests were answered with this status.
    #[must_use]
    pub fn answered(&self, status: u16) -> u64 {
        self.answers.get(&status).copied().unwrap_or_default()
    }

    /// Resets the counts, but not the requests that are under way.
    pub(crate) fn reset(&mut self) {
        *self = Self { open: self.open, under_way: self.under_way, most_under_way: self.under_way, ..Self::default() };
    }
}
