//! A member's time in a channel, from joining to leaving, over all of its connections.

use std::collections::{BTreeMap, BTreeSet};

use crate::log::{Entry, Life, Position};

#[derive(Clone, Debug, Default)]
pub(crate) struct Membership {
    /// Everything later is owed. Nothing while no join was answered.
    pub(crate) after: Option<Position>,
    /// In the order in which the client gave it to its application.
    pub(crate) received: Vec<Entry>,
    /// How often the client was told that it can't have what it missed.
    pub(crate) resets: u64,
    /// It is owed nothing that is later than what it received last.
    pub(crate) has_left: bool,
    /// Where the next message must follow.
    pub(crate) last: Option<Position>,
}

/// What a member was owed, and what was wrong with what it received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) owed: u64,
    pub(crate) missing: Vec<u64>,
    pub(crate) out_of_order: u64,
    pub(crate) duplicates: u64,
    pub(crate) altered: u64,
}

impl Membership {
    pub(crate) fn begin(&mut self, after: Position) {
        self.last = Some(after.clone());
        self.after = Some(after);
    }

    /// Whether the message is the one after the last.
    pub(crate) fn receive(&mut self, entry: Entry) -> bool {
        let next = Position::new(entry.epoch.clone(), entry.seq);
        self.received.push(entry);
        match self.last.replace(next.clone()) {
            None => true,
            Some(last) => (last.epoch.is_none() || last.epoch == next.epoch) && last.seq + 1 == next.seq,
        }
    }

    /// Compares with all lives of the channel's log, the newest last. What an erased life still owed is owed no more.
    pub(crate) fn balance(&self, lives: &[Life]) -> Received {
        let by_epoch: BTreeMap<&str, &Life> = lives.iter().map(|life| (life.epoch.as_str(), life)).collect();
        let mut result = Received::default();
        let mut seen: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        for entry in &self.received {
            let of_life = seen.entry(&entry.epoch).or_default();
            let is_late = of_life.last().is_some_and(|last| entry.seq < *last);
            if !of_life.insert(entry.seq) {
                result.duplicates += 1;
            } else if is_late {
                result.out_of_order += 1;
            }
            let logged = by_epoch.get(entry.epoch.as_str()).and_then(|life| life.entry(entry.seq));
            result.altered += u64::from(logged != Some(entry));
        }
        if let Some(life) = lives.last() {
            let seen = seen.remove(life.epoch.as_str()).unwrap_or_default();
            let owed = self.owed(life, &seen);
            result.owed = owed.len() as u64;
            result.missing = owed.into_iter().filter(|seq| !seen.contains(seq)).collect();
        }
        result
    }

    fn owed(&self, life: &Life, seen: &BTreeSet<u64>) -> Vec<u64> {
        let joined = self.after.as_ref().map(|after| match &after.epoch {
            Some(epoch) if *epoch != life.epoch => 1,
            _ => after.seq + 1,
        });
        // A client may receive a little more than it is owed: the messages that were on their way when it joined.
        let from = joined.into_iter().chain(seen.first().copied()).min();
        let to = if self.has_left { seen.last().copied() } else { Some(life.last_seq()) };
        match (from, to) {
            (Some(from), Some(to)) => {
                life.entries.iter().map(|entry| entry.seq).filter(|seq| (from..=to).contains(seq)).collect()
            }
            _ => Vec::new(),
        }
    }
}
