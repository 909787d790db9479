//! What the demo records beside the ledger: how long the room's messages took.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hubbub_tests::record;

/// Clients are named by the numbers of their sockets.
pub(crate) type Shared = record::Shared<u32, Times>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    /// By the message's id.
    sent: BTreeMap<String, Instant>,
    latencies: Vec<Duration>,
}

impl Times {
    /// A message of the room is on its way. A second try is the same message, and counts from the first.
    pub(crate) fn send(&mut self, id: &str, at: Instant) {
        self.sent.entry(id.to_owned()).or_insert(at);
    }

    /// A client received a message.
    pub(crate) fn receive(&mut self, id: &str, at: Instant) {
        self.latencies.extend(self.sent.get(id).map(|sent| at.saturating_duration_since(*sent)));
    }

    /// From the send to each socket, the shortest first.
    pub(crate) fn latencies(&self) -> Vec<Duration> {
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        latencies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_count_from_the_first_send_and_are_sorted() {
        let (mut times, start) = (Times::default(), Instant::now());
        times.send("m", start);
        times.send("m", start + Duration::from_secs(9));
        times.receive("m", start + Duration::from_millis(7));
        times.receive("m", start + Duration::from_millis(5));
        times.receive("another run's", start);
        assert_eq!(times.latencies(), [5, 7].map(Duration::from_millis));
    }
}
