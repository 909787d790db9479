//! What everybody writes down: each hostile act with its answer, what must never be found in a log, and what honest people were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hubbub_client::{Channel, Delivery};
use hubbub_tests::books::{Accepted, Entry, Kept, Received, Stay};
use hubbub_tests::oddities::Oddities;

use crate::kind::Kind;

/// A book that is shared between the tasks.
pub(crate) type Shared = Arc<Mutex<Book>>;

/// Opens the book. A panic while it was open is a bug that its own task reports; no entry is written in two steps.
pub(crate) fn open(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The acts of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) attempts: u64,
    /// How often each answer came.
    pub(crate) answers: BTreeMap<String, u64>,
}

/// A message that was refused, or that nobody may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) kind: Kind,
    pub(crate) channel: Channel,
    pub(crate) from: String,
    pub(crate) id: String,
}

/// A piece of garbage on the queue, and the reason that its dead letter must give.
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

/// The book.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) tallies: BTreeMap<Kind, Tally>,
    /// How many acts got something that they should not.
    pub(crate) let_in: u64,
    /// Examples of these.
    pub(crate) breaches: Oddities,
    /// How many frames and handshakes were answered by a failure, or not at all.
    pub(crate) failed: u64,
    /// Examples of these.
    pub(crate) failures: Oddities,
    /// How many messages were lost that the queue took, beside those that the balance tells.
    pub(crate) lost: u64,
    /// What should be rare.
    pub(crate) oddities: Oddities,
    /// By channel, sender and the socket or thread on which each message waits for the one before.
    accepted: BTreeMap<(Channel, String, usize), Accepted>,
    stays: BTreeMap<(String, Channel), Stay>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) garbage: Vec<Garbage>,
    pub(crate) repeated: Vec<Repeated>,
    /// Who is banned from where.
    pub(crate) banned: Vec<(Channel, String)>,
    /// Grows with everything that honest people write down, so that standing still can be seen.
    pub(crate) written: u64,
}

impl Book {
    /// Something hostile was done, and answered so.
    pub(crate) fn act(&mut self, kind: Kind, answer: impl Into<String>) {
        let tally = self.tallies.entry(kind).or_default();
        tally.attempts += 1;
        *tally.answers.entry(answer.into()).or_default() += 1;
    }

    /// It got something that it should not.
    pub(crate) fn breach(&mut self, kind: Kind, what: impl Into<String>) {
        self.let_in += 1;
        self.breaches.note(kind.breach(), what);
    }

    /// A function failed at it.
    pub(crate) fn fail(&mut self, kind: &'static str, what: impl Into<String>) {
        self.failed += 1;
        self.failures.note(kind, what);
    }

    /// A message that the queue took is nowhere.
    pub(crate) fn lose(&mut self, kind: &'static str, what: impl Into<String>) {
        self.lost += 1;
        self.oddities.note(kind, what);
    }

    /// No log may ever have this message.
    pub(crate) fn refuse(&mut self, kind: Kind, channel: &Channel, from: &str, id: &str) {
        let (from, id) = (from.to_owned(), id.to_owned());
        self.refused.push(Refused { kind, channel: channel.clone(), from, id });
    }

    /// A sender was told that a message is durable.
    pub(crate) fn accept(&mut self, channel: &Channel, sender: &str, thread: usize, id: &str) {
        self.written += 1;
        self.accepted.entry((channel.clone(), sender.to_owned(), thread)).or_default().add(id);
    }

    /// An honest member's join was answered for the first time.
    pub(crate) fn join(&mut self, user: &str, channel: &Channel, head: u64, epoch: &str) {
        let stay = self.stay(user, channel);
        if stay.joined_at.is_none() {
            stay.joined_at = Some(head);
        }
        if stay.epoch.is_empty() {
            epoch.clone_into(&mut stay.epoch);
        }
    }

    /// A message came out of an honest member's client.
    pub(crate) fn receive(&mut self, user: &str, delivery: &Delivery) {
        self.written += 1;
        self.stay(user, &delivery.channel).receive(delivery);
    }

    /// An honest member was told that what was missed can't be had.
    pub(crate) fn reset(&mut self, user: &str, channel: &Channel) {
        self.stay(user, channel).resets += 1;
    }

    fn stay(&mut self, user: &str, channel: &Channel) -> &mut Stay {
        self.stays.entry((user.to_owned(), channel.clone())).or_default()
    }

    /// The channels whose logs have to be read.
    pub(crate) fn channels(&self) -> BTreeSet<Channel> {
        let accepted = self.accepted.keys().map(|(channel, _, _)| channel);
        let stays = self.stays.keys().map(|(_, channel)| channel);
        accepted.chain(stays).chain(self.refused.iter().map(|refused| &refused.channel)).cloned().collect()
    }

    /// How many acts there were.
    pub(crate) fn attempts(&self) -> u64 {
        self.tallies.values().map(|tally| tally.attempts).sum()
    }

    /// Compares with the logs.
    pub(crate) fn balance(&self, logs: &BTreeMap<Channel, Vec<Entry>>) -> Balance {
        let log = |channel: &Channel| logs.get(channel).map_or(&[][..], Vec::as_slice);
        Balance {
            kept: self.accepted.iter().map(|((channel, sender, _), ids)| ids.balance(sender, log(channel))).sum(),
            received: self.stays.iter().map(|((_, channel), stay)| stay.balance(log(channel))).sum(),
            resets: self.stays.values().map(|stay| stay.resets).sum(),
        }
    }
}

/// How the books stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) kept: Kept,
    pub(crate) received: Received,
    pub(crate) resets: u64,
}

impl Balance {
    /// Whether every accepted message is in its log and every honest member has what it is owed.
    pub(crate) const fn is_complete(&self) -> bool {
        self.kept.lost == 0 && self.received.unrecovered == 0
    }

    /// How much is not as it was promised.
    pub(crate) const fn lost(&self) -> u64 {
        let Kept { accepted: _, lost, repeated, out_of_order } = self.kept;
        let received = self.received;
        let delivered = received.unrecovered + received.out_of_order + received.duplicates + received.altered;
        lost + repeated + out_of_order + delivered + self.resets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, id: &str) -> Entry {
        Entry { seq, from: "ana".to_owned(), id: id.to_owned(), body: Some("1".to_owned()) }
    }

    #[test]
    fn what_was_accepted_and_is_not_in_the_log_once_is_lost() {
        let check = |log: &[Entry], expected: u64| {
            let (mut book, room) = (Book::default(), Channel::room("a"));
            book.accept(&room, "ana", 0, "m");
            book.accept(&room, "ana", 1, "n");
            assert_eq!(book.balance(&BTreeMap::from([(room, log.to_vec())])).lost(), expected, "{log:?}");
        };
        check(&[entry(1, "n"), entry(2, "m")], 0);
        check(&[entry(1, "m")], 1);
        check(&[entry(1, "m"), entry(2, "n"), entry(3, "m")], 1);
    }

    #[test]
    fn each_act_counts_with_its_answer() {
        let mut book = Book::default();
        book.act(Kind::Floods, "too_fast");
        book.act(Kind::Floods, "too_fast");
        book.act(Kind::Replays, "accepted");
        assert_eq!(book.attempts(), 3);
        assert_eq!(book.tallies[&Kind::Floods].answers["too_fast"], 2);
    }
}
