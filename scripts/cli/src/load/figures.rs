//! What was measured, in figures.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hubbub_core::wire::id::RoomId;
use serde_json::{Value, json};

use super::Measured;
use crate::console::counted;

/// The percentiles that are reported.
pub(super) const PERCENTILES: [usize; 3] = [50, 95, 99];

/// What a run has shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Report {
    accepted: u64,
    refused: (u64, Option<String>),
    received: u64,
    lost: u64,
    out_of_order: u64,
    ended: u64,
    posts_a_second: f64,
    /// Latencies, the shortest first.
    latencies: Vec<Duration>,
    /// The latencies' percentiles of each second in which messages were published.
    pub(super) seconds: BTreeMap<u64, [Duration; 3]>,
}

impl Report {
    /// Each message that was accepted should have come to each client.
    pub(super) fn of(measured: &Measured, clients: u64, began: Instant) -> Self {
        let received = u64::try_from(measured.received.len()).unwrap_or(u64::MAX);
        let mut latencies = Vec::new();
        let mut by_second: BTreeMap<u64, Vec<Duration>> = BTreeMap::new();
        for sighting in &measured.received {
            if let Some(sent) = measured.sent.get(&sighting.number) {
                let latency = sighting.at.saturating_duration_since(*sent);
                latencies.push(latency);
                by_second.entry(sent.saturating_duration_since(began).as_secs()).or_default().push(latency);
            }
        }
        latencies.sort_unstable();
        let seconds = by_second.into_iter().map(|(second, mut latencies)| {
            latencies.sort_unstable();
            (second, PERCENTILES.map(|percent| percentile(&latencies, percent).unwrap_or_default()))
        });
        let last = measured.received.iter().map(|sighting| sighting.at).max();
        let first = measured.sent.values().min();
        let span = last.zip(first).map(|(last, first)| last.saturating_duration_since(*first).as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "no run has 2^53 posts")]
        let posts = received as f64;
        Self {
            accepted: measured.accepted,
            refused: measured.refused.clone(),
            received,
            lost: measured.accepted.saturating_mul(clients).saturating_sub(received),
            out_of_order: measured.out_of_order,
            ended: measured.ended,
            posts_a_second: span.filter(|span| *span > 0.0).map_or(0.0, |span| posts / span),
            latencies,
            seconds: seconds.collect(),
        }
    }

    /// Whether everything that was accepted came, in order, and there was something.
    pub(super) const fn is_well(&self) -> bool {
        self.accepted > 0 && self.lost == 0 && self.out_of_order == 0
    }

    /// A percentile of all latencies, in milliseconds.
    pub(super) fn latency_ms(&self, percent: usize) -> f64 {
        milliseconds(percentile(&self.latencies, percent).unwrap_or_default())
    }

    pub(super) fn to_json(&self, room: &RoomId, arguments: &Value) -> Value {
        json!({
            "room": room,
            "arguments": arguments,
            "accepted": self.accepted,
            "refused": self.refused.0,
            "received": self.received,
            "lost": self.lost,
            "out_of_order": self.out_of_order,
            "sockets_ended": self.ended,
            "posts_a_second": (self.posts_a_second * 10.0).round() / 10.0,
            "latency_ms": {"p50": self.latency_ms(50), "p95": self.latency_ms(95), "p99": self.latency_ms(99)},
        })
    }

    pub(super) fn lines(&self, room: &RoomId) -> Vec<String> {
        let [p50, p95, p99] = PERCENTILES.map(|percent| self.latency_ms(percent));
        let refused = match &self.refused {
            (0, _) => String::new(),
            (count, why) => format!(", {count} refused: {}", why.as_deref().unwrap_or_default()),
        };
        let ended = if self.ended > 0 { format!(", {} ended", counted(self.ended, "socket")) } else { String::new() };
        vec![
            format!("room      {room}"),
            format!("messages  {} accepted{refused}", self.accepted),
            format!(
                "received  {} ({:.1} posts/s), {} lost, {} out of order{ended}",
                self.received, self.posts_a_second, self.lost, self.out_of_order
            ),
            format!(
                "latency   p50 {p50} ms, p95 {p95} ms, p99 {p99} ms, from publishing to the last byte at the client"
            ),
        ]
    }
}

/// The smallest value that so many percent of all do not exceed. The shortest comes first.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// In milliseconds, to a tenth.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::load::Sighting;

    /// Messages, one a second, that two clients get after so many milliseconds each.
    pub(in super::super) fn measured(latencies: &[u64], began: Instant) -> Measured {
        let mut measured = Measured::default();
        for (number, latency) in (0..).zip(latencies) {
            let sent = began + Duration::from_secs(number);
            measured.sent.insert(number, sent);
            measured.accepted += 1;
            let sighting = Sighting { number, at: sent + Duration::from_millis(*latency) };
            measured.received.extend([sighting, sighting]);
        }
        measured
    }

    #[test]
    fn what_came_to_everyone_is_well_and_what_did_not_is_lost() {
        let began = Instant::now();
        let mut measured = measured(&[10, 20, 30, 40], began);
        let report = Report::of(&measured, 2, began);
        assert!(report.is_well());
        assert_eq!((report.latency_ms(50), report.latency_ms(99)), (20.0, 40.0));
        assert_eq!(report.seconds.len(), 4);
        measured.received.pop();
        let report = Report::of(&measured, 2, began);
        assert_eq!((report.lost, report.is_well()), (1, false));
    }

    #[test]
    fn what_came_out_of_order_is_not_well_and_neither_is_nothing() {
        let began = Instant::now();
        let mut measured = measured(&[10], began);
        measured.out_of_order = 1;
        assert!(!Report::of(&measured, 2, began).is_well());
        assert!(!Report::of(&Measured::default(), 2, began).is_well());
    }
}
