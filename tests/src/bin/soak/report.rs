//! The soak's report: a table, a sentence for each surprise, and a line of JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use hubbub_core::functions::Function;
use hubbub_ledger::Balance;
use serde::Serialize;

use crate::Arguments;
use crate::record::Notes;

/// The figures. Their names and order are those of the JSON line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Figures {
    /// Messages that a sender was told are durable.
    pub(crate) accepted: u64,
    /// Accepted messages that the log doesn't have.
    pub(crate) lost: u64,
    /// Messages that a client received after a later one, or that stand in a log before an earlier one of their sender.
    pub(crate) out_of_order: u64,
    /// Messages that a client gave to its application twice.
    pub(crate) duplicates_after_dedup: u64,
    /// Messages that a member was owed and never received.
    pub(crate) unrecovered: u64,
    /// Messages that are in a log twice.
    pub(crate) repeated_in_log: u64,
    /// Empty places in logs.
    pub(crate) holes_in_log: u64,
    /// Messages that a client received and that the log does not have in this place.
    pub(crate) altered: u64,
    /// How often a client was told that it can't have what it missed.
    pub(crate) resets: u64,
    /// Messages that can't be delivered.
    pub(crate) dead_letters: u64,
    /// Pairs of a message and a member that was owed it.
    pub(crate) owed: u64,
    /// Messages that came more than once, and that the clients dropped.
    pub(crate) duplicates: u64,
    /// Messages that came before an earlier one.
    pub(crate) early: u64,
    /// Messages that a join brought because the client had missed them.
    pub(crate) recovered: u64,
    pub(crate) cuts: u64,
    /// Sockets that replaced one that had ended.
    pub(crate) reconnects: u64,
    /// Sockets that replaced one that still worked.
    pub(crate) moves: u64,
    pub(crate) joins: u64,
    pub(crate) leaves: u64,
    /// Publishes that were repeated because no answer came.
    pub(crate) repeats: u64,
    pub(crate) executions: u64,
    /// Processes that were killed.
    pub(crate) killed: u64,
    pub(crate) clients: u32,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
}

impl Figures {
    /// What the ledger and the clients say. Dead letters and executions are read from the stack.
    pub(crate) fn new(
        arguments: &Arguments,
        seed: u64,
        balance: &Balance,
        notes: &Notes,
        killed: &BTreeMap<Function, u64>,
    ) -> Self {
        let sessions = notes.sessions;
        Self {
            accepted: balance.accepted,
            lost: balance.lost,
            out_of_order: balance.misplaced + balance.out_of_order,
            duplicates_after_dedup: balance.duplicates,
            unrecovered: balance.missing,
            repeated_in_log: balance.repeated,
            holes_in_log: balance.holes,
            altered: balance.altered,
            resets: balance.resets,
            dead_letters: 0,
            owed: balance.owed,
            duplicates: sessions.counters.duplicates,
            early: sessions.counters.early,
            recovered: sessions.counters.recovered,
            cuts: notes.cuts,
            reconnects: sessions.connections.saturating_sub(sessions.moves + u64::from(arguments.clients)),
            moves: sessions.moves,
            joins: notes.joins,
            leaves: notes.leaves,
            repeats: sessions.resent,
            executions: 0,
            killed: killed.values().sum(),
            clients: arguments.clients,
            seconds: arguments.seconds,
            seed,
        }
    }

    /// Each figure that must be zero, with its name.
    const fn faults(&self) -> [(&'static str, u64); 9] {
        [
            ("lost", self.lost),
            ("out of order", self.out_of_order),
            ("twice after de-duplication", self.duplicates_after_dedup),
            ("never recovered", self.unrecovered),
            ("twice in a log", self.repeated_in_log),
            ("holes in a log", self.holes_in_log),
            ("altered", self.altered),
            ("resets", self.resets),
            ("dead letters", self.dead_letters),
        ]
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) figures: Figures,
    pub(crate) killed: BTreeMap<Function, u64>,
    pub(crate) surprises: Vec<String>,
}

impl Report {
    /// Whether everything that must be zero is, and there was something to count.
    pub(crate) fn is_success(&self) -> bool {
        self.figures.accepted > 0 && self.figures.faults().iter().all(|(_, count)| *count == 0)
    }

    pub(crate) fn surprises(&self) -> &[String] {
        &self.surprises
    }

    pub(crate) fn verdict(&self) -> &'static str {
        if self.is_success() {
            "Every accepted message is in its log once, and every member received what it is owed, once and in order."
        } else {
            "Not every message is accounted for: see the first lines of the table."
        }
    }

    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&self.figures)
    }

    pub(crate) fn table(&self) -> String {
        let figures = &self.figures;
        let counts = [
            ("accepted", figures.accepted),
            ("owed to members", figures.owed),
            ("dropped duplicates", figures.duplicates),
            ("early", figures.early),
            ("recovered by a join", figures.recovered),
            ("cuts", figures.cuts),
            ("reconnects", figures.reconnects),
            ("moves to fresh sockets", figures.moves),
            ("joins", figures.joins),
            ("leaves", figures.leaves),
            ("repeated publishes", figures.repeats),
            ("executions", figures.executions),
        ];
        let mut table = String::from("\n");
        for (name, count) in figures.faults().into_iter().chain(counts) {
            // Writing to a string can't fail.
            let _ = writeln!(table, "{name:<28}{count:>10}");
        }
        for (function, count) in &self.killed {
            let _ = writeln!(table, "{:<28}{count:>10}", format!("killed {function}"));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_line_begins_with_the_documented_fields() {
        let json = Report::default().json().unwrap();
        let documented = r#"{"accepted":0,"lost":0,"out_of_order":0,"duplicates_after_dedup":0,"unrecovered":0,"#;
        assert!(json.starts_with(documented), "{json}");
    }

    #[test]
    fn any_fault_is_a_failure_and_so_is_no_message_at_all() {
        let check = |change: fn(&mut Figures), expected: bool| {
            let mut report = Report { figures: Figures { accepted: 9, ..Figures::default() }, ..Report::default() };
            change(&mut report.figures);
            assert_eq!(report.is_success(), expected, "{:?}", report.figures);
        };
        check(|_| {}, true);
        check(|figures| figures.duplicates = 5, true);
        check(|figures| figures.recovered = 5, true);
        check(|figures| figures.accepted = 0, false);
        check(|figures| figures.lost = 1, false);
        check(|figures| figures.out_of_order = 1, false);
        check(|figures| figures.duplicates_after_dedup = 1, false);
        check(|figures| figures.unrecovered = 1, false);
        check(|figures| figures.repeated_in_log = 1, false);
        check(|figures| figures.holes_in_log = 1, false);
        check(|figures| figures.altered = 1, false);
        check(|figures| figures.resets = 1, false);
        check(|figures| figures.dead_letters = 1, false);
    }
}
