//! What every socket has received, against what it should have.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::names::Topic;

/// What one socket should receive, and has.
#[derive(Debug, Default)]
struct Socket {
    /// Whether the room's messages are for it.
    is_member: bool,
    /// Whether it still counts for what is missing.
    is_cut: bool,
    expected: BTreeSet<Topic>,
    received: BTreeMap<Topic, Instant>,
    last_of_room: Option<u32>,
    out_of_order: u64,
}

/// Pairs of a message and a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Pairs {
    pub(crate) expected: u64,
    pub(crate) delivered: u64,
    pub(crate) missing: u64,
}

/// All sockets, by number.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    sockets: BTreeMap<u32, Socket>,
    /// When the room's messages were sent.
    sent: BTreeMap<u32, Instant>,
    /// Grows with everything that is recorded.
    recorded: u64,
}

impl Ledger {
    /// A socket that the room's messages are for.
    pub(crate) fn add_member(&mut self, socket: u32) {
        self.sockets.entry(socket).or_default().is_member = true;
    }

    /// A message that a socket should receive.
    pub(crate) fn expect(&mut self, socket: u32, topic: Topic) {
        self.sockets.entry(socket).or_default().expected.insert(topic);
    }

    /// The broadcast to everyone is for every socket that is there.
    pub(crate) fn expect_everyone(&mut self) {
        for socket in self.sockets.values_mut().filter(|socket| !socket.is_cut) {
            socket.expected.insert(Topic::Everyone);
        }
    }

    /// A message of the room is on its way.
    pub(crate) fn publish(&mut self, number: u32, at: Instant) {
        // A second try is the same message, and counts from the first.
        self.sent.entry(number).or_insert(at);
    }

    /// A socket is cut off: what it has not received by now it can't be expected to receive.
    pub(crate) fn cut(&mut self, socket: u32) {
        self.sockets.entry(socket).or_default().is_cut = true;
    }

    /// A message came out of a client.
    pub(crate) fn record(&mut self, socket: u32, topic: Topic, at: Instant) {
        self.recorded += 1;
        let socket = self.sockets.entry(socket).or_default();
        socket.received.entry(topic).or_insert(at);
        if let Topic::Room(number) = topic {
            // The publisher waits for each acceptance, so the order of the log is that of the numbers. A message that comes out twice
            // is not in order either.
            if socket.last_of_room.is_some_and(|last| number <= last) {
                socket.out_of_order += 1;
            }
            socket.last_of_room = socket.last_of_room.max(Some(number));
        }
    }

    /// Grows with everything that is recorded, so that standing still can be seen.
    pub(crate) const fn recorded(&self) -> u64 {
        self.recorded
    }

    /// The room's messages.
    pub(crate) fn room(&self) -> Pairs {
        let mut pairs = Pairs::default();
        for socket in self.sockets.values().filter(|socket| socket.is_member) {
            let delivered =
                self.sent.keys().filter(|number| socket.received.contains_key(&Topic::Room(**number))).count() as u64;
            let expected = if socket.is_cut { delivered } else { self.sent.len() as u64 };
            pairs.add(expected, delivered);
        }
        pairs
    }

    /// The direct messages.
    pub(crate) fn direct(&self) -> Pairs {
        self.pairs(|topic| matches!(topic, Topic::Direct(_)))
    }

    /// The broadcast to everyone.
    pub(crate) fn everyone(&self) -> Pairs {
        self.pairs(|topic| topic == Topic::Everyone)
    }

    fn pairs(&self, is_meant: impl Fn(Topic) -> bool) -> Pairs {
        let mut pairs = Pairs::default();
        for socket in self.sockets.values() {
            let topics = socket.expected.iter().filter(|topic| is_meant(**topic));
            let (received, lacking): (Vec<&Topic>, Vec<&Topic>) =
                topics.partition(|topic| socket.received.contains_key(topic));
            // Only what can still be expected of a socket that is cut.
            let expected = received.len() + if socket.is_cut { 0 } else { lacking.len() };
            pairs.add(expected as u64, received.len() as u64);
        }
        pairs
    }

    /// Messages of the room that came out of a client behind a later one, or twice.
    pub(crate) fn out_of_order(&self) -> u64 {
        self.sockets.values().map(|socket| socket.out_of_order).sum()
    }

    /// Which of the room's messages some sockets lack: the message's number and how many sockets.
    pub(crate) fn lacking(&self) -> BTreeMap<u32, u64> {
        let mut lacking = BTreeMap::new();
        for socket in self.sockets.values().filter(|socket| socket.is_member && !socket.is_cut) {
            for number in self.sent.keys().filter(|number| !socket.received.contains_key(&Topic::Room(**number))) {
                *lacking.entry(*number).or_insert(0) += 1;
            }
        }
        lacking
    }

    /// How long the room's messages took from the publisher's send to each socket, the shortest first.
    pub(crate) fn latencies(&self) -> Vec<Duration> {
        let times = self.sockets.values().flat_map(|socket| &socket.received);
        let mut latencies: Vec<Duration> = times
            .filter_map(|(topic, received)| match topic {
                Topic::Room(number) => Some(received.saturating_duration_since(*self.sent.get(number)?)),
                _ => None,
            })
            .collect();
        latencies.sort_unstable();
        latencies
    }
}

impl Pairs {
    const fn add(&mut self, expected: u64, delivered: u64) {
        self.expected += expected;
        self.delivered += delivered;
        self.missing += expected - delivered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(expected: u64, delivered: u64) -> Pairs {
        Pairs { expected, delivered, missing: expected - delivered }
    }

    /// A ledger of a room with so many members and messages, all sent at the same moment.
    fn room(members: u32, messages: u32) -> (Ledger, Instant) {
        let mut ledger = Ledger::default();
        let start = Instant::now();
        (0..members).for_each(|socket| ledger.add_member(socket));
        (0..messages).for_each(|number| ledger.publish(number, start));
        (ledger, start)
    }

    #[test]
    fn every_member_should_have_every_message() {
        let (mut ledger, start) = room(2, 3);
        for number in 0..3 {
            ledger.record(0, Topic::Room(number), start);
        }
        ledger.record(1, Topic::Room(0), start);
        ledger.record(1, Topic::Room(2), start);
        assert_eq!(ledger.room(), pairs(6, 5));
        assert_eq!(ledger.lacking(), BTreeMap::from([(1, 1)]));
        assert_eq!(ledger.out_of_order(), 0);
    }

    #[test]
    fn a_socket_that_was_cut_counts_for_what_it_has() {
        let (mut ledger, start) = room(2, 3);
        ledger.record(1, Topic::Room(0), start);
        ledger.cut(1);
        ledger.expect_everyone();
        assert_eq!(ledger.room(), pairs(4, 1));
        assert_eq!(ledger.lacking(), BTreeMap::from([(0, 1), (1, 1), (2, 1)]));
        assert_eq!(ledger.everyone(), pairs(1, 0));
    }

    #[test]
    fn a_message_behind_a_later_one_or_twice_is_out_of_order() {
        let (mut ledger, start) = room(1, 3);
        for number in [0, 2, 1, 2] {
            ledger.record(0, Topic::Room(number), start);
        }
        assert_eq!(ledger.out_of_order(), 2);
        assert_eq!(ledger.room(), pairs(3, 3));
    }

    #[test]
    fn a_direct_message_counts_for_each_of_the_user_s_sockets() {
        let mut ledger = Ledger::default();
        ledger.expect(0, Topic::Direct(4));
        ledger.expect(1, Topic::Direct(4));
        ledger.record(1, Topic::Direct(4), Instant::now());
        assert_eq!(ledger.direct(), pairs(2, 1));
        assert_eq!(ledger.room(), Pairs::default());
    }

    #[test]
    fn latencies_count_from_the_first_send_and_are_sorted() {
        let (mut ledger, start) = room(2, 1);
        ledger.publish(0, start + Duration::from_secs(9));
        ledger.record(0, Topic::Room(0), start + Duration::from_millis(7));
        ledger.record(1, Topic::Room(0), start + Duration::from_millis(5));
        assert_eq!(ledger.latencies(), [5, 7].map(Duration::from_millis));
    }
}
