//! The report: a table of the acts, a sentence for each surprise, and a line of JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use hubbub_ledger::Balance;
use hubbub_tests::record::Record;
use serde::Serialize;

use crate::kind::Kind;
use crate::record::{Notes, Tally};

/// The figures. Their names and order are those of the JSON line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Figures {
    /// Hostile acts.
    pub(crate) attempts: u64,
    /// Acts that succeeded and must not.
    pub(crate) let_in: u64,
    /// Invocations that ended in an error or a crash, by what a socket saw and by what the functions have logged, so that one may count
    /// twice; and frames that were never answered.
    pub(crate) functions_failed: u64,
    /// Accepted messages that are not in their log once, or that a well-behaved member did not receive once and in order.
    pub(crate) accepted_lost: u64,
    /// Messages that were accepted.
    pub(crate) accepted: u64,
    /// Pairs of a message and a well-behaved member that was owed it.
    pub(crate) owed: u64,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    /// Acts of each kind.
    pub(crate) kinds: BTreeMap<Kind, u64>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    figures: Figures,
    tallies: BTreeMap<Kind, Tally>,
    /// Sentences about what must not have happened.
    faults: Vec<String>,
    surprises: Vec<String>,
}

impl Report {
    pub(crate) fn new(record: &Record<String, Notes>, balance: &Balance, seed: u64, seconds: u64) -> Self {
        let notes = &record.notes;
        let figures = Figures {
            attempts: notes.attempts(),
            let_in: notes.let_in,
            functions_failed: notes.failed,
            accepted_lost: balance.faults() + notes.lost_letters,
            accepted: balance.accepted,
            owed: balance.owed,
            seconds,
            seed,
            kinds: notes.tallies.iter().map(|(kind, tally)| (*kind, tally.attempts)).collect(),
        };
        let mut faults = notes.breaches.sentences();
        faults.extend(notes.failures.sentences());
        if balance.faults() > 0 {
            faults.push(format!("Not every message is accounted for: {balance:?}."));
        }
        Self { figures, tallies: notes.tallies.clone(), faults, surprises: record.surprises.sentences() }
    }

    /// Whether nothing was let in, failed or lost, every kind of act was tried, and there was something to lose.
    pub(crate) fn is_success(&self) -> bool {
        let Figures { let_in, functions_failed, accepted_lost, accepted, owed, .. } = self.figures;
        let all_tried = Kind::ALL.iter().all(|kind| self.figures.kinds.get(kind).is_some_and(|attempts| *attempts > 0));
        let_in == 0 && functions_failed == 0 && accepted_lost == 0 && accepted > 0 && owed > 0 && all_tried
    }

    /// A sentence for each fault, and for each surprise.
    pub(crate) fn sentences(&self) -> impl Iterator<Item = &String> {
        self.faults.iter().chain(&self.surprises)
    }

    pub(crate) fn verdict(&self) -> String {
        let Figures { attempts, let_in, functions_failed, accepted_lost, accepted, .. } = self.figures;
        if self.is_success() {
            return format!(
                "None of {attempts} hostile acts succeeded, no function failed, and all {accepted} accepted messages were delivered."
            );
        }
        format!(
            "Of {attempts} hostile acts, {let_in} succeeded; {functions_failed} failures of functions; {accepted_lost} accepted messages \
             lost."
        )
    }

    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&self.figures)
    }

    /// The table: each kind with its answers, the most frequent first.
    pub(crate) fn table(&self) -> String {
        let mut table = String::from("\n");
        for kind in Kind::ALL {
            let tally = self.tallies.get(&kind).cloned().unwrap_or_default();
            let mut answers: Vec<(String, u64)> = tally.answers.into_iter().collect();
            answers.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let answers: Vec<String> = answers.iter().map(|(answer, count)| format!("{count} {answer}")).collect();
            // Writing to a string can't fail.
            let _ = writeln!(table, "{:<22}{:>7}  {}", kind.name(), tally.attempts, answers.join(", "));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Report {
        let kinds = Kind::ALL.iter().map(|kind| (*kind, 1)).collect();
        Report {
            figures: Figures { attempts: 11, accepted: 5, owed: 9, kinds, ..Figures::default() },
            ..Report::default()
        }
    }

    #[test]
    fn json_line_begins_with_the_documented_fields() {
        let json = good().json().unwrap();
        assert!(json.starts_with(r#"{"attempts":11,"let_in":0,"functions_failed":0,"accepted_lost":0,"#), "{json}");
        assert!(json.contains(r#""kinds":{"bad_handshakes":1,"#), "{json}");
    }

    #[test]
    fn breach_failure_loss_or_untried_kind_is_a_failure() {
        let check = |change: fn(&mut Figures), expected: bool| {
            let mut report = good();
            change(&mut report.figures);
            assert_eq!(report.is_success(), expected, "{:?}", report.figures);
        };
        check(|_| {}, true);
        check(|figures| figures.let_in = 1, false);
        check(|figures| figures.functions_failed = 1, false);
        check(|figures| figures.accepted_lost = 1, false);
        check(|figures| figures.accepted = 0, false);
        check(|figures| figures.kinds.retain(|kind, _| *kind != Kind::Replays), false);
    }
}
