//! What the run records beside the ledger: each hostile act with its answer, and what must never be found in a log.

use std::collections::BTreeMap;

use hubbub_client::Channel;
use hubbub_tests::record;
use hubbub_tests::surprises::Surprises;

use crate::kind::Kind;

/// Well-behaved clients are named by their users.
pub(crate) type Shared = record::Shared<String, Notes>;

/// The acts of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) attempts: u64,
    /// How often each answer came.
    pub(crate) answers: BTreeMap<String, u64>,
}

/// A message that was refused, or that its sender may not send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) kind: Kind,
    pub(crate) channel: Channel,
    pub(crate) from: String,
    pub(crate) id: String,
}

/// A message on the queue that can never be delivered, and the reason that its dead letter must give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Garbage {
    pub(crate) group: String,
    pub(crate) text: String,
    pub(crate) reason: &'static str,
}

/// A message that was sent more than once, with the first one's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repeated {
    pub(crate) channel: Channel,
    pub(crate) from: String,
    pub(crate) id: String,
    pub(crate) body: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    pub(crate) tallies: BTreeMap<Kind, Tally>,
    /// How many acts succeeded that must not.
    pub(crate) let_in: u64,
    /// Examples of these.
    pub(crate) breaches: Surprises,
    /// How many frames and handshakes were answered with a server error, or not at all.
    pub(crate) failed: u64,
    /// Examples of these.
    pub(crate) failures: Surprises,
    /// How many dead letters are missing.
    pub(crate) lost_letters: u64,
    pub(crate) refused: Vec<Refused>,
    pub(crate) garbage: Vec<Garbage>,
    pub(crate) repeated: Vec<Repeated>,
    pub(crate) banned: Vec<(Channel, String)>,
}

impl Notes {
    /// A hostile act was answered.
    pub(crate) fn act(&mut self, kind: Kind, answer: impl Into<String>) {
        let tally = self.tallies.entry(kind).or_default();
        tally.attempts += 1;
        *tally.answers.entry(answer.into()).or_default() += 1;
    }

    /// An act succeeded that must not.
    pub(crate) fn breach(&mut self, kind: Kind, what: impl Into<String>) {
        self.let_in += 1;
        self.breaches.note(kind.breach(), what);
    }

    /// A function failed.
    pub(crate) fn fail(&mut self, kind: &'static str, what: impl Into<String>) {
        self.failed += 1;
        self.failures.note(kind, what);
    }

    /// No log may ever have this message.
    pub(crate) fn refuse(&mut self, kind: Kind, channel: &Channel, from: &str, id: &str) {
        let (from, id) = (from.to_owned(), id.to_owned());
        self.refused.push(Refused { kind, channel: channel.clone(), from, id });
    }

    pub(crate) fn attempts(&self) -> u64 {
        self.tallies.values().map(|tally| tally.attempts).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_act_counts_with_its_answer() {
        let mut notes = Notes::default();
        notes.act(Kind::Floods, "too_fast");
        notes.act(Kind::Floods, "too_fast");
        notes.act(Kind::Replays, "accepted");
        assert_eq!(notes.attempts(), 3);
        assert_eq!(notes.tallies[&Kind::Floods].answers["too_fast"], 2);
    }
}
