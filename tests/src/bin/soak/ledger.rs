//! What everybody writes down while the soak goes on, and the balance in the end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hubbub_client::{Channel, Delivery, Stats};
use hubbub_tests::books::{Accepted, Entry, Kept, Received, Stay, holes};
use hubbub_tests::oddities::Oddities;

use crate::town::Town;

/// A book that is shared between the tasks.
pub(crate) type Shared = Arc<Mutex<Ledger>>;

/// Opens the book. A panic while it was open is a bug that its own task reports; no entry is written in two steps.
pub(crate) fn open(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often things happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Events {
    /// Sockets that were dropped without a goodbye.
    pub(crate) cuts: u64,
    /// Rooms joined.
    pub(crate) joins: u64,
    /// Rooms left.
    pub(crate) leaves: u64,
}

/// The book.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    accepted: BTreeMap<(Channel, String), Accepted>,
    /// Who is in which channel.
    present: BTreeMap<(u32, Channel), Stay>,
    /// Stays that have ended.
    past: Vec<(Channel, Stay)>,
    /// What all sessions that have ended had been through.
    pub(crate) sessions: Stats,
    /// How often things happened.
    pub(crate) events: Events,
    /// What should be rare.
    pub(crate) oddities: Oddities,
    /// Grows with everything that is written down, so that standing still can be seen.
    pub(crate) written: u64,
}

impl Ledger {
    /// A sender was told that a message is durable.
    pub(crate) fn accept(&mut self, channel: &Channel, sender: &str, id: &str) {
        self.written += 1;
        self.accepted.entry((channel.clone(), sender.to_owned())).or_default().add(id);
    }

    /// A person's join was answered for the first time.
    pub(crate) fn join(&mut self, person: u32, channel: &Channel, head: u64, epoch: &str) {
        let stay = self.stay(person, channel);
        if stay.joined_at.is_none() {
            stay.joined_at = Some(head);
        }
        if stay.epoch.is_empty() {
            epoch.clone_into(&mut stay.epoch);
        }
    }

    /// A message came out of a person's client.
    pub(crate) fn receive(&mut self, person: u32, delivery: &Delivery) {
        self.written += 1;
        self.stay(person, &delivery.channel).receive(delivery);
    }

    /// A person was told that what was missed can't be had.
    pub(crate) fn reset(&mut self, person: u32, channel: &Channel) {
        self.stay(person, channel).resets += 1;
    }

    /// A person has left a room, and everything that came before it has been written down.
    pub(crate) fn leave(&mut self, person: u32, channel: &Channel) {
        if let Some(stay) = self.present.remove(&(person, channel.clone())) {
            self.past.push((channel.clone(), Stay { has_left: true, ..stay }));
        }
    }

    fn stay(&mut self, person: u32, channel: &Channel) -> &mut Stay {
        self.present.entry((person, channel.clone())).or_default()
    }

    /// The channels that a person is in.
    pub(crate) fn channels_of(&self, person: u32) -> Vec<Channel> {
        let of_person = self.present.keys().filter(|(other, _)| *other == person);
        of_person.map(|(_, channel)| channel.clone()).collect()
    }

    /// Adds what a session has been through.
    pub(crate) fn sum_up(&mut self, session: Stats) {
        let Stats { connections, moves, resent, counters } = session;
        self.sessions.connections += connections;
        self.sessions.moves += moves;
        self.sessions.resent += resent;
        self.sessions.counters += counters;
    }

    /// Notes who lacks what.
    pub(crate) fn note_missing(&mut self, logs: &BTreeMap<Channel, Vec<Entry>>) {
        let present = self.present.iter().map(|((person, channel), stay)| (Town::user(*person), channel, stay));
        let past = self.past.iter().map(|(channel, stay)| ("somebody who left".to_owned(), channel, stay));
        let mut lacks = Vec::new();
        for (who, channel, stay) in present.chain(past) {
            let missing = stay.missing(logs.get(channel).map_or(&[][..], Vec::as_slice));
            if !missing.is_empty() {
                let (joined, last) = (stay.joined_at, stay.last());
                lacks.push(format!(
                    "{who} in `{channel}` lacks {missing:?}; joined at {joined:?}, got as far as {last:?}"
                ));
            }
        }
        for lack in lacks {
            self.oddities.note("member without a message", lack);
        }
    }

    /// Compares with the logs.
    pub(crate) fn balance(&self, logs: &BTreeMap<Channel, Vec<Entry>>) -> Balance {
        let log = |channel: &Channel| logs.get(channel).map_or(&[][..], Vec::as_slice);
        let kept = self.accepted.iter().map(|((channel, sender), accepted)| accepted.balance(sender, log(channel)));
        let present = self.present.iter().map(|((_, channel), stay)| (channel, stay));
        let stays = present.chain(self.past.iter().map(|(channel, stay)| (channel, stay)));
        let received = stays.clone().map(|(channel, stay)| stay.balance(log(channel)));
        Balance {
            kept: kept.sum(),
            received: received.sum(),
            resets: stays.map(|(_, stay)| stay.resets).sum(),
            logged: logs.values().map(|log| log.len() as u64).sum(),
            holes: logs.values().map(|log| holes(log)).sum(),
        }
    }
}

/// How the books stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) kept: Kept,
    pub(crate) received: Received,
    pub(crate) resets: u64,
    pub(crate) logged: u64,
    pub(crate) holes: u64,
}

impl Balance {
    /// Whether every accepted message is in its log and every member has what it is owed.
    pub(crate) const fn is_complete(&self) -> bool {
        self.kept.lost == 0 && self.received.unrecovered == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, id: &str) -> Entry {
        Entry { seq, from: "ana".to_owned(), id: id.to_owned(), body: Some("1".to_owned()) }
    }

    #[test]
    fn the_balance_is_of_all_stays_and_all_accepted_messages() {
        let (mut ledger, room) = (Ledger::default(), Channel::room("a"));
        ledger.join(1, &room, 0, "E");
        ledger.stay(1, &room).received.push(entry(1, "m"));
        ledger.leave(1, &room);
        ledger.join(1, &room, 1, "E");
        ledger.accept(&room, "ana", "m");
        ledger.accept(&room, "ana", "n");
        let logs = BTreeMap::from([(room, vec![entry(1, "m"), entry(2, "n")])]);
        let balance = ledger.balance(&logs);
        assert_eq!((balance.kept.accepted, balance.kept.lost), (2, 0));
        assert_eq!((balance.received.owed, balance.received.unrecovered), (2, 1), "the second stay lacks the second");
        assert!(!balance.is_complete());
    }

    #[test]
    fn only_the_first_answer_to_a_join_says_from_where_a_stay_is_owed() {
        let (mut ledger, room) = (Ledger::default(), Channel::room("a"));
        ledger.join(1, &room, 4, "E");
        ledger.join(1, &room, 9, "E");
        assert_eq!(ledger.stay(1, &room).joined_at, Some(4));
        ledger.leave(1, &room);
        assert!(ledger.channels_of(1).is_empty());
        ledger.join(1, &room, 9, "E");
        assert_eq!(ledger.stay(1, &room).joined_at, Some(9));
    }
}
