//! The demo's report: a table, a sentence for each surprise, and a line of JSON.

use std::fmt::Write;
use std::time::Duration;

use hubbub_ledger::Balance;
use hubbub_tests::figures::{milliseconds, percentile};
use serde::Serialize;

/// Pairs of a message and a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Pairs {
    pub(crate) expected: u64,
    pub(crate) delivered: u64,
    pub(crate) missing: u64,
}

impl Pairs {
    /// A message that was lost before the log is owed to no member; here it counts as one pair.
    pub(crate) const fn of(balance: &Balance) -> Self {
        Self {
            expected: balance.owed + balance.lost,
            delivered: balance.owed - balance.missing,
            missing: balance.missing + balance.lost,
        }
    }
}

/// The figures. Their names and order are those of the JSON line.
///
/// `expected`, `delivered` and `missing` count pairs of a message of the room and a socket. Executions, rounds and pages are the room's.
/// Posts are the room's frames that reached a socket; `posts_per_member` is the most that one socket was posted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Figures {
    pub(crate) clients: u32,
    pub(crate) messages: u32,
    pub(crate) expected: u64,
    pub(crate) delivered: u64,
    pub(crate) missing: u64,
    pub(crate) duplicates: u64,
    pub(crate) out_of_order: u64,
    pub(crate) executions: u64,
    pub(crate) rounds: u64,
    pub(crate) pages: u64,
    pub(crate) posts: u64,
    pub(crate) posts_per_member: u64,
    pub(crate) direct: Pairs,
    pub(crate) everyone: Pairs,
    pub(crate) pruned: u64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) last_ms: Option<f64>,
}

impl Figures {
    /// Fills in the latencies, the shortest of which comes first.
    pub(crate) fn set_latencies(&mut self, sorted: &[Duration]) {
        self.p50_ms = percentile(sorted, 50).map(milliseconds);
        self.p99_ms = percentile(sorted, 99).map(milliseconds);
        self.last_ms = percentile(sorted, 100).map(milliseconds);
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) figures: Figures,
    pub(crate) surprises: Vec<String>,
}

impl Report {
    /// Whether nothing is missing, nothing is out of order, and the client that was cut off was pruned.
    pub(crate) const fn is_success(&self) -> bool {
        let figures = &self.figures;
        let missing = figures.missing + figures.direct.missing + figures.everyone.missing;
        missing == 0 && figures.out_of_order == 0 && figures.pruned == 1
    }

    pub(crate) fn surprises(&self) -> &[String] {
        &self.surprises
    }

    pub(crate) const fn verdict(&self) -> &'static str {
        if self.is_success() {
            "Every message arrived, in order, and the client that was cut off was pruned."
        } else {
            "The demo failed: the table says what is missing, out of order or not pruned."
        }
    }

    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&self.figures)
    }

    pub(crate) fn table(&self) -> String {
        let figures = &self.figures;
        let mut table = format!("\n{:<22}{:>10}{:>11}{:>9}\n", "", "expected", "delivered", "missing");
        let room = Pairs { expected: figures.expected, delivered: figures.delivered, missing: figures.missing };
        let title = format!("room, {} messages", figures.messages);
        for (name, pairs) in [(title.as_str(), room), ("direct", figures.direct), ("everyone", figures.everyone)] {
            let Pairs { expected, delivered, missing } = pairs;
            // Writing to a string can't fail.
            let _ = writeln!(table, "{name:<22}{expected:>10}{delivered:>11}{missing:>9}");
        }
        let time = |time: Option<f64>| time.map_or_else(|| "-".to_owned(), |time| format!("{time:.1}"));
        let rows = [
            ("clients", figures.clients.to_string()),
            ("duplicates dropped", figures.duplicates.to_string()),
            ("out of order", figures.out_of_order.to_string()),
            ("p50 ms", time(figures.p50_ms)),
            ("p99 ms", time(figures.p99_ms)),
            ("last ms", time(figures.last_ms)),
            ("executions", figures.executions.to_string()),
            ("rounds", figures.rounds.to_string()),
            ("pages", figures.pages.to_string()),
            ("posts", figures.posts.to_string()),
            ("posts, at most each", figures.posts_per_member.to_string()),
            ("members pruned", figures.pruned.to_string()),
        ];
        for (name, value) in rows {
            let _ = writeln!(table, "{name:<22}{value:>10}");
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Report {
        let pairs = |count| Pairs { expected: count, delivered: count, missing: 0 };
        let mut figures = Figures {
            clients: 200,
            messages: 20,
            expected: 3_990,
            delivered: 3_990,
            executions: 1,
            rounds: 3,
            pages: 6,
            posts: 800,
            posts_per_member: 4,
            direct: pairs(22),
            everyone: pairs(200),
            pruned: 1,
            ..Figures::default()
        };
        figures.set_latencies(&[Duration::from_micros(1_234), Duration::from_millis(5)]);
        Report { figures, surprises: Vec::new() }
    }

    #[test]
    fn json_line_has_the_documented_fields_in_order() {
        assert_eq!(
            good().json().unwrap(),
            concat!(
                r#"{"clients":200,"messages":20,"expected":3990,"delivered":3990,"missing":0,"duplicates":0,"out_of_order":0,"#,
                r#""executions":1,"rounds":3,"pages":6,"posts":800,"posts_per_member":4,"direct":{"expected":22,"delivered":22,"missing":0},"#,
                r#""everyone":{"expected":200,"delivered":200,"missing":0},"pruned":1,"p50_ms":1.2,"p99_ms":5.0,"last_ms":5.0}"#,
            )
        );
    }

    #[test]
    fn missing_misordered_or_unpruned_is_a_failure() {
        let check = |change: fn(&mut Figures), expected: bool| {
            let mut report = good();
            change(&mut report.figures);
            assert_eq!(report.is_success(), expected);
        };
        check(|_| {}, true);
        check(|figures| figures.duplicates = 9, true);
        check(|figures| figures.missing = 1, false);
        check(|figures| figures.direct.missing = 1, false);
        check(|figures| figures.everyone.missing = 1, false);
        check(|figures| figures.out_of_order = 1, false);
        check(|figures| figures.pruned = 0, false);
    }
}
