//! The books: what was accepted against what the log has, and what a member received against what the log owes it.
//!
//! The log is the one truth. A message that was accepted must be in it once; a member must have received it from where it joined, each
//! message once and in order. Here is only the arithmetic.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Sum;
use std::ops::AddAssign;

use hubbub_client::Delivery;
use hubbub_core::message::Message;

/// A message, by what identifies it in its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the log.
    pub seq: u64,
    /// Who sent it.
    pub from: String,
    /// Its id, unique for its sender.
    pub id: String,
    /// Its body, as JSON; nothing where it is gone, or was never one.
    pub body: Option<String>,
}

impl From<&Message> for Entry {
    fn from(message: &Message) -> Self {
        Self {
            seq: message.seq.0,
            from: message.from.as_str().to_owned(),
            id: message.id.as_str().to_owned(),
            body: message.content.body().map(|body| body.as_str().to_owned()),
        }
    }
}

impl From<&Delivery> for Entry {
    fn from(delivery: &Delivery) -> Self {
        let message = &delivery.message;
        Self {
            seq: message.seq,
            from: message.from.clone(),
            id: message.id.clone(),
            body: message.body().map(str::to_owned),
        }
    }
}

/// What one sender was told is durable in one channel, in the order in which it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted(Vec<String>);

/// What became of accepted messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Messages that were accepted.
    pub accepted: u64,
    /// Of these, those that the log doesn't have.
    pub lost: u64,
    /// Second and later copies of messages in the log.
    pub repeated: u64,
    /// Messages that stand in the log before one that the same sender was told of earlier.
    pub out_of_order: u64,
}

impl AddAssign for Kept {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.lost += other.lost;
        self.repeated += other.repeated;
        self.out_of_order += other.out_of_order;
    }
}

impl Sum for Kept {
    fn sum<I: Iterator<Item = Self>>(kept: I) -> Self {
        kept.fold(Self::default(), |mut sum, kept| {
            sum += kept;
            sum
        })
    }
}

impl Accepted {
    /// A message was accepted; the sender waited for it before it sent the next one.
    pub fn add(&mut self, id: impl Into<String>) {
        self.0.push(id.into());
    }

    /// Looks for each of them in the log.
    #[must_use]
    pub fn balance(&self, sender: &str, log: &[Entry]) -> Kept {
        let mut places: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for entry in log.iter().filter(|entry| entry.from == sender) {
            places.entry(&entry.id).or_default().push(entry.seq);
        }
        let mut kept = Kept { accepted: self.0.len() as u64, ..Kept::default() };
        let mut last = 0;
        for id in &self.0 {
            let Some((first, copies)) = places.get(id.as_str()).and_then(|places| places.split_first()) else {
                kept.lost += 1;
                continue;
            };
            kept.repeated += copies.len() as u64;
            kept.out_of_order += u64::from(*first <= last);
            last = last.max(*first);
        }
        kept
    }
}

/// A member's time in a channel, from joining to leaving, over all of its connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stay {
    /// The head of the log that the first answer to the join told: everything later is owed. Nothing while there was no answer.
    pub joined_at: Option<u64>,
    /// The epoch that the last message or answer told.
    pub epoch: String,
    /// What came out of the client, in its order.
    pub received: Vec<Entry>,
    /// How often the client was told that what it missed can't be had.
    pub resets: u64,
    /// Whether the member has left: then the end of the log is owed no more.
    pub has_left: bool,
}

/// What a member was owed, and has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Messages that were owed.
    pub owed: u64,
    /// Of these, those that never came.
    pub unrecovered: u64,
    /// Messages that came behind a later one.
    pub out_of_order: u64,
    /// Messages that came a second time.
    pub duplicates: u64,
    /// Messages that are not what the log has in their place.
    pub altered: u64,
}

impl AddAssign for Received {
    fn add_assign(&mut self, other: Self) {
        self.owed += other.owed;
        self.unrecovered += other.unrecovered;
        self.out_of_order += other.out_of_order;
        self.duplicates += other.duplicates;
        self.altered += other.altered;
    }
}

impl Sum for Received {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, received| {
            sum += received;
            sum
        })
    }
}

impl Received {
    /// Whether everything that was owed came once, in order and unaltered.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.unrecovered == 0 && self.out_of_order == 0 && self.duplicates == 0 && self.altered == 0
    }
}

impl Stay {
    /// A message came out of the client.
    pub fn receive(&mut self, delivery: &Delivery) {
        self.epoch.clone_from(&delivery.epoch);
        self.received.push(delivery.into());
    }

    /// The last sequence that is known: of the last message, or of the join.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.received.last().map(|entry| entry.seq).or(self.joined_at)
    }

    /// Compares with the whole log.
    #[must_use]
    pub fn balance(&self, log: &[Entry]) -> Received {
        let places: BTreeMap<u64, &Entry> = log.iter().map(|entry| (entry.seq, entry)).collect();
        let mut received = Received::default();
        let mut seen = BTreeSet::new();
        for entry in &self.received {
            let is_behind = seen.last().is_some_and(|last| entry.seq < *last);
            if !seen.insert(entry.seq) {
                received.duplicates += 1;
            } else if is_behind {
                received.out_of_order += 1;
            }
            received.altered += u64::from(places.get(&entry.seq) != Some(&entry));
        }
        let owed = self.owed(&seen, log);
        received.owed = owed.len() as u64;
        received.unrecovered = owed.difference(&seen).count() as u64;
        received
    }

    fn owed(&self, seen: &BTreeSet<u64>, log: &[Entry]) -> BTreeSet<u64> {
        let places: BTreeSet<u64> = log.iter().map(|entry| entry.seq).collect();
        // A client may be handed a little more than it is owed: what was on its way when it joined.
        let from = self.joined_at.map(|head| head + 1).into_iter().chain(seen.first().copied()).min();
        let to = if self.has_left { seen.last().copied() } else { places.last().copied() };
        match (from, to) {
            (Some(from), Some(to)) => places.into_iter().filter(|seq| (from..=to).contains(seq)).collect(),
            _ => BTreeSet::new(),
        }
    }

    /// The sequences that are owed and never came.
    #[must_use]
    pub fn missing(&self, log: &[Entry]) -> Vec<u64> {
        let seen = self.received.iter().map(|entry| entry.seq).collect();
        self.owed(&seen, log).difference(&seen).copied().collect()
    }
}

/// How many places of a log, from its first to its last message, are empty.
#[must_use]
pub fn holes(log: &[Entry]) -> u64 {
    let seqs: BTreeSet<u64> = log.iter().map(|entry| entry.seq).collect();
    seqs.last().map_or(0, |last| last - seqs.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, id: &str) -> Entry {
        Entry { seq, from: "ana".to_owned(), id: id.to_owned(), body: Some("1".to_owned()) }
    }

    fn log() -> Vec<Entry> {
        vec![entry(1, "a"), entry(2, "b"), entry(3, "c"), entry(4, "d")]
    }

    fn accepted(ids: &[&str]) -> Accepted {
        let mut accepted = Accepted::default();
        ids.iter().for_each(|id| accepted.add(*id));
        accepted
    }

    fn stay(joined_at: Option<u64>, received: &[(u64, &str)]) -> Stay {
        let received = received.iter().map(|(seq, id)| entry(*seq, id)).collect();
        Stay { joined_at, received, ..Stay::default() }
    }

    #[test]
    fn an_accepted_message_must_be_in_the_log_once_and_in_its_sender_s_order() {
        let check = |ids: &[&str], log: &[Entry], expected: [u64; 4]| {
            let Kept { accepted, lost, repeated, out_of_order } = accepted(ids).balance("ana", log);
            assert_eq!([accepted, lost, repeated, out_of_order], expected, "{ids:?}");
        };
        check(&["a", "b", "d"], &log(), [3, 0, 0, 0]);
        check(&["a", "x"], &log(), [2, 1, 0, 0]);
        check(&["b", "a"], &log(), [2, 0, 0, 1]);
        check(&["a", "b"], &[entry(1, "a"), entry(2, "b"), entry(3, "a")], [2, 0, 1, 0]);
        let other = Entry { from: "ben".to_owned(), ..entry(1, "a") };
        check(&["a"], &[other], [1, 1, 0, 0]);
    }

    #[test]
    fn a_member_is_owed_all_that_came_after_its_join_once_and_in_order() {
        let check = |stay: &Stay, expected: [u64; 5]| {
            let Received { owed, unrecovered, out_of_order, duplicates, altered } = stay.balance(&log());
            assert_eq!([owed, unrecovered, out_of_order, duplicates, altered], expected, "{stay:?}");
        };
        check(&stay(Some(2), &[(3, "c"), (4, "d")]), [2, 0, 0, 0, 0]);
        check(&stay(Some(2), &[(4, "d")]), [2, 1, 0, 0, 0]);
        check(&stay(Some(2), &[(3, "c")]), [2, 1, 0, 0, 0]);
        check(&stay(Some(2), &[]), [2, 2, 0, 0, 0]);
        check(&stay(Some(2), &[(4, "d"), (3, "c")]), [2, 0, 1, 0, 0]);
        check(&stay(Some(2), &[(3, "c"), (4, "d"), (4, "d")]), [2, 0, 0, 1, 0]);
        check(&stay(Some(2), &[(3, "c"), (4, "x")]), [2, 0, 0, 0, 1]);
        check(&stay(Some(2), &[(3, "c"), (4, "d"), (5, "e")]), [2, 0, 0, 0, 1]);
        check(&stay(None, &[(3, "c"), (4, "d")]), [2, 0, 0, 0, 0]);
        check(&stay(Some(4), &[]), [0, 0, 0, 0, 0]);
    }

    #[test]
    fn who_has_received_more_than_was_owed_is_owed_from_there() {
        let received = stay(Some(3), &[(2, "b"), (4, "d")]).balance(&log());
        assert_eq!((received.owed, received.unrecovered), (3, 1));
    }

    #[test]
    fn who_has_left_is_owed_up_to_the_last_message_that_came() {
        let left = |received: &[(u64, &str)]| Stay { has_left: true, ..stay(Some(0), received) }.balance(&log());
        assert!(left(&[(1, "a"), (2, "b")]).is_whole());
        assert_eq!(left(&[(1, "a"), (3, "c")]).unrecovered, 1);
        assert!(left(&[]).is_whole());
    }

    #[test]
    fn holes_are_places_without_a_message() {
        assert_eq!(holes(&log()), 0);
        assert_eq!(holes(&[entry(2, "b"), entry(4, "d")]), 2);
        assert_eq!(holes(&[]), 0);
    }
}
