//! Logs: what stands where, in each life of a channel.

use std::collections::{BTreeMap, BTreeSet};

/// A message in its place: as the log has it, or as a client received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which life of the channel's log it is in.
    pub epoch: String,
    pub seq: u64,
    pub from: String,
    /// Unique for its sender.
    pub id: String,
    /// As JSON; nothing where it was deleted, or where bodies aren't compared.
    pub body: Option<String>,
}

/// A place in a log. Without an epoch it is a place in whichever life the log is in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub epoch: Option<String>,
    pub seq: u64,
}

impl Position {
    /// Before the first message.
    pub const START: Self = Self { epoch: None, seq: 0 };

    pub fn new(epoch: impl Into<String>, seq: u64) -> Self {
        Self { epoch: Some(epoch.into()), seq }
    }
}

/// One life of a channel's log: a log that was erased begins anew under another epoch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    pub(crate) epoch: String,
    /// By sequence, ascending.
    pub(crate) entries: Vec<Entry>,
}

impl Life {
    pub(crate) fn entry(&self, seq: u64) -> Option<&Entry> {
        let index = self.entries.binary_search_by_key(&seq, |entry| entry.seq).ok()?;
        self.entries.get(index)
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.seq)
    }

    pub(crate) fn has(&self, from: &str, id: &str) -> bool {
        self.entries.iter().any(|entry| entry.from == from && entry.id == id)
    }

    /// The first place of each message.
    pub(crate) fn places(&self) -> BTreeMap<(&str, &str), u64> {
        // In reverse, so that the first one stays.
        self.entries.iter().rev().map(|entry| ((entry.from.as_str(), entry.id.as_str()), entry.seq)).collect()
    }

    /// Second and later copies of messages.
    pub(crate) fn repeated(&self) -> u64 {
        let keys: BTreeSet<_> = self.entries.iter().map(|entry| (&entry.from, &entry.id)).collect();
        (self.entries.len() - keys.len()) as u64
    }

    /// Empty places, from the first sequence to the last.
    pub(crate) fn holes(&self) -> u64 {
        self.last_seq().saturating_sub(self.entries.len() as u64)
    }
}
