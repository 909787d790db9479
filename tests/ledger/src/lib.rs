//! The ledger: who was owed which message, and who got it.
//!
//! The log is the truth. An accepted message must be in its channel's log once, after the messages that its sender had accepted before.
//! A member must receive everything that follows its join: each message once, in order, and as the log has it.
//!
//! This is arithmetic alone. A run tells the ledger what has happened, in the order in which it happened; a run that sees each append as it
//! happens learns of each [`Violation`] at once, and one that can read the logs only at the end asks for the [`Balance`].
//!
//! Clients and channels are whatever the run names them by.

mod log;
mod membership;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use log::{Entry, Position};

use log::Life;
use membership::Membership;

/// What a run has recorded.
#[derive(Clone, Debug)]
pub struct Ledger<Client, Channel> {
    /// Every life of every log, the newest last.
    logs: BTreeMap<Channel, Vec<Life>>,
    published: BTreeMap<Channel, BTreeMap<(String, String), Publication>>,
    /// By channel and source, what was accepted, by sender and id.
    accepted: BTreeMap<(Channel, String), Vec<(String, String)>>,
    present: BTreeMap<(Client, Channel), Membership>,
    past: Vec<(Client, Channel, Membership)>,
    recorded: u64,
}

/// What else is known of a published message.
#[derive(Clone, Debug, Default)]
struct Publication {
    /// It was a dead letter for a while, and so has lost its place in its sender's order.
    is_redriven: bool,
    /// It was a dead letter that an operator has dropped, so that the log may lack it.
    is_dropped: bool,
}

/// What must never be, in a single event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A message was appended that does not follow the last.
    Hole { seq: u64, last: u64 },
    /// A message was appended that the log already has.
    Repeated { id: String, seq: u64 },
    /// A message was appended that was never published.
    Unpublished { id: String },
    /// A client received a message that the log does not have in this place.
    Altered { id: String, seq: u64 },
    /// A client received a message that does not follow its last.
    OutOfOrder { seq: u64, last: Option<Position> },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hole { seq, last } => write!(f, "{seq} was appended after {last}"),
            Self::Repeated { id, seq } => write!(f, "{id} is in the log twice, the second time as {seq}"),
            Self::Unpublished { id } => write!(f, "{id} is in the log and was never published"),
            Self::Altered { id, seq } => write!(f, "{id} was received as {seq}, and the log has another message there"),
            Self::OutOfOrder { seq, last } => write!(f, "{seq} was received after {last:?}"),
        }
    }
}

/// How what was received compares with what was owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Messages that a sender was told are durable.
    pub accepted: u64,
    /// Accepted messages that no log has.
    pub lost: u64,
    /// Accepted messages that stand in a log before one that their source had accepted earlier.
    pub misplaced: u64,
    /// Messages in all logs.
    pub logged: u64,
    /// Second and later copies of messages in a log.
    pub repeated: u64,
    /// Empty places in logs.
    pub holes: u64,
    /// Pairs of a message and a member that was owed it.
    pub owed: u64,
    /// Pairs of these of which the member never received the message.
    pub missing: u64,
    /// Messages that a client received after a later one.
    pub out_of_order: u64,
    /// Messages that a client received a second time, after its own de-duplication.
    pub duplicates: u64,
    /// Messages that a client received and that the log does not have in this place.
    pub altered: u64,
    /// How often a client was told that it can't have what it missed.
    pub resets: u64,
}

impl Balance {
    /// Whether every accepted message is in a log and every member has what it is owed. Waiting helps until then, and never after.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.lost == 0 && self.missing == 0
    }

    /// All that must be zero, added up.
    #[must_use]
    pub const fn faults(&self) -> u64 {
        let logs = self.lost + self.misplaced + self.repeated + self.holes;
        logs + self.missing + self.out_of_order + self.duplicates + self.altered + self.resets
    }
}

/// What a member lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing<Client, Channel> {
    pub client: Client,
    pub channel: Channel,
    /// From where on messages were owed.
    pub after: Option<Position>,
    /// How far the member has come.
    pub last: Option<Position>,
    /// The sequences that never came.
    pub seqs: Vec<u64>,
}

impl<Client, Channel> Default for Ledger<Client, Channel> {
    fn default() -> Self {
        Self {
            logs: BTreeMap::new(),
            published: BTreeMap::new(),
            accepted: BTreeMap::new(),
            present: BTreeMap::new(),
            past: Vec::new(),
            recorded: 0,
        }
    }
}

/// What senders do.
impl<Client, Channel: Clone + Ord> Ledger<Client, Channel> {
    /// A message is about to be published; its sender may never learn whether it was accepted.
    pub fn publish(&mut self, channel: &Channel, from: &str, id: &str) {
        self.publication(channel, from, id);
    }

    /// A sender was told that its message is durable. A source is whatever publishes the next message only then: a user, or one of its
    /// devices.
    pub fn accept(&mut self, channel: &Channel, source: &str, from: &str, id: &str) {
        self.recorded += 1;
        self.publication(channel, from, id);
        let key = (from.to_owned(), id.to_owned());
        self.accepted.entry((channel.clone(), source.to_owned())).or_default().push(key);
    }

    /// A dead letter is put back onto the queue, or dropped.
    pub fn redrive(&mut self, channel: &Channel, from: &str, id: &str, is_dropped: bool) {
        let publication = self.publication(channel, from, id);
        publication.is_redriven = true;
        publication.is_dropped |= is_dropped;
    }

    fn publication(&mut self, channel: &Channel, from: &str, id: &str) -> &mut Publication {
        let of_channel = self.published.entry(channel.clone()).or_default();
        of_channel.entry((from.to_owned(), id.to_owned())).or_default()
    }

    fn find_publication(&self, channel: &Channel, key: &(String, String)) -> Option<&Publication> {
        self.published.get(channel)?.get(key)
    }
}

/// What logs have.
impl<Client, Channel: Clone + Ord> Ledger<Client, Channel> {
    /// A message was appended to a log; a new epoch begins a new life.
    pub fn append(&mut self, channel: &Channel, entry: Entry) -> Vec<Violation> {
        let mut violations = Vec::new();
        let Entry { epoch, seq, from, id, .. } = &entry;
        if self.find_publication(channel, &(from.clone(), id.clone())).is_none() {
            violations.push(Violation::Unpublished { id: id.clone() });
        }
        let life = Self::life(self.logs.entry(channel.clone()).or_default(), epoch);
        let last = life.last_seq();
        if *seq != last + 1 {
            violations.push(Violation::Hole { seq: *seq, last });
        }
        if life.has(from, id) {
            violations.push(Violation::Repeated { id: id.clone(), seq: *seq });
        }
        let index = life.entries.partition_point(|other| other.seq < *seq);
        life.entries.insert(index, entry);
        violations
    }

    /// The whole log of a channel was read, in its order. It replaces what the ledger had of this life.
    pub fn replace_log(&mut self, channel: &Channel, epoch: &str, entries: Vec<Entry>) {
        Self::life(self.logs.entry(channel.clone()).or_default(), epoch).entries = entries;
    }

    fn life<'a>(lives: &'a mut Vec<Life>, epoch: &str) -> &'a mut Life {
        let index = lives.iter().position(|life| life.epoch == epoch).unwrap_or_else(|| {
            lives.push(Life { epoch: epoch.to_owned(), entries: Vec::new() });
            lives.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "it is the place of an element, or of the one just pushed")]
        &mut lives[index]
    }

    fn lives(&self, channel: &Channel) -> &[Life] {
        self.logs.get(channel).map_or(&[], Vec::as_slice)
    }

    /// The entries of one life of a log.
    pub fn log(&self, channel: &Channel, epoch: &str) -> &[Entry] {
        let life = self.lives(channel).iter().find(|life| life.epoch == epoch);
        life.map_or(&[], |life| life.entries.as_slice())
    }

    /// All channels that have a log, with all their entries.
    pub fn entries(&self) -> impl Iterator<Item = (&Channel, &Entry)> {
        let lives = self.logs.iter().flat_map(|(channel, lives)| lives.iter().map(move |life| (channel, life)));
        lives.flat_map(|(channel, life)| life.entries.iter().map(move |entry| (channel, entry)))
    }

    /// The newest message that is known of the log's newest life.
    pub fn head(&self, channel: &Channel) -> Option<Position> {
        let life = self.lives(channel).last()?;
        Some(Position::new(life.epoch.clone(), life.last_seq()))
    }

    /// How many messages all logs have.
    pub fn logged(&self) -> u64 {
        self.logs.values().flatten().map(|life| life.entries.len() as u64).sum()
    }
}

/// What members receive.
impl<Client: Clone + Ord, Channel: Clone + Ord> Ledger<Client, Channel> {
    /// A join was answered. Only the first answer of a membership says from where messages are owed: later ones are of a client that has
    /// come back.
    pub fn join(&mut self, client: &Client, channel: &Channel, after: Position) {
        let membership = self.membership(client, channel);
        if membership.after.is_none() {
            membership.after = Some(after);
        }
    }

    /// A member begins at a position, or begins anew there after a reset.
    pub fn begin(&mut self, client: &Client, channel: &Channel, after: Position) {
        self.membership(client, channel).begin(after);
    }

    /// A client gave a message to its application.
    pub fn receive(&mut self, client: &Client, channel: &Channel, entry: Entry) -> Option<Violation> {
        self.recorded += 1;
        let life = self.lives(channel).iter().find(|life| life.epoch == entry.epoch);
        let is_the_logs = life.and_then(|life| life.entry(entry.seq)) == Some(&entry);
        let (id, seq) = (entry.id.clone(), entry.seq);
        let membership = self.membership(client, channel);
        let last = membership.last.clone();
        let is_next = membership.receive(entry);
        match (is_the_logs, is_next) {
            (false, _) => Some(Violation::Altered { id, seq }),
            (true, false) => Some(Violation::OutOfOrder { seq, last }),
            (true, true) => None,
        }
    }

    /// A client was told that it can't have what it missed.
    pub fn reset(&mut self, client: &Client, channel: &Channel) {
        self.membership(client, channel).resets += 1;
    }

    /// A member has left, and everything that it received before is recorded.
    pub fn leave(&mut self, client: &Client, channel: &Channel) {
        if let Some(membership) = self.present.remove(&(client.clone(), channel.clone())) {
            let membership = Membership { has_left: true, ..membership };
            self.past.push((client.clone(), channel.clone(), membership));
        }
    }

    /// A client is gone for good. It is owed nothing more, and what it had received before may still be recorded.
    pub fn cut(&mut self, client: &Client) {
        for (_, membership) in self.present.iter_mut().filter(|((other, _), _)| other == client) {
            membership.has_left = true;
        }
    }

    fn membership(&mut self, client: &Client, channel: &Channel) -> &mut Membership {
        self.present.entry((client.clone(), channel.clone())).or_default()
    }

    /// The channels that a client is in.
    pub fn channels_of(&self, client: &Client) -> Vec<Channel> {
        let of_client = self.present.keys().filter(|(other, _)| other == client);
        of_client.map(|(_, channel)| channel.clone()).collect()
    }

    /// How far a member has come, if it is one.
    pub fn position(&self, client: &Client, channel: &Channel) -> Option<&Position> {
        self.present.get(&(client.clone(), channel.clone()))?.last.as_ref()
    }

    /// Every channel with an accepted message or a member.
    pub fn channels(&self) -> BTreeSet<Channel> {
        let accepted = self.accepted.keys().map(|(channel, _)| channel);
        accepted.chain(self.memberships().map(|(_, channel, _)| channel)).cloned().collect()
    }

    fn memberships(&self) -> impl Iterator<Item = (&Client, &Channel, &Membership)> {
        let present = self.present.iter().map(|((client, channel), membership)| (client, channel, membership));
        present.chain(self.past.iter().map(|(client, channel, membership)| (client, channel, membership)))
    }

    /// Grows with everything that senders and members do, so that a standstill can be seen.
    pub const fn recorded(&self) -> u64 {
        self.recorded
    }
}

/// The reckoning.
impl<Client: Clone + Ord, Channel: Clone + Ord> Ledger<Client, Channel> {
    pub fn balance(&self) -> Balance {
        self.balance_where(|_| true)
    }

    /// The balance of some channels.
    pub fn balance_where(&self, is_meant: impl Fn(&Channel) -> bool) -> Balance {
        let mut balance = Balance::default();
        for life in self.logs.iter().filter(|(channel, _)| is_meant(channel)).flat_map(|(_, lives)| lives) {
            balance.logged += life.entries.len() as u64;
            balance.repeated += life.repeated();
            balance.holes += life.holes();
        }
        let accepted = self.accepted.iter().filter(|((channel, _), _)| is_meant(channel));
        balance.accepted = accepted.map(|(_, keys)| keys.len() as u64).sum();
        balance.misplaced = self.misplaced().filter(|(channel, ..)| is_meant(channel)).count() as u64;
        balance.lost = self.lost().filter(|(channel, ..)| is_meant(channel)).count() as u64;
        for (_, channel, membership) in self.memberships().filter(|(_, channel, _)| is_meant(channel)) {
            let received = membership.balance(self.lives(channel));
            balance.owed += received.owed;
            balance.missing += received.missing.len() as u64;
            balance.out_of_order += received.out_of_order;
            balance.duplicates += received.duplicates;
            balance.altered += received.altered;
            balance.resets += membership.resets;
        }
        balance
    }

    /// The accepted messages that no life of their log has: channel, sender and id.
    pub fn lost(&self) -> impl Iterator<Item = (&Channel, &str, &str)> {
        self.accepted.iter().flat_map(move |((channel, _), keys)| {
            let places: Vec<_> = self.lives(channel).iter().map(Life::places).collect();
            keys.iter().filter_map(move |key| {
                let (from, id) = (key.0.as_str(), key.1.as_str());
                let is_dropped = self.find_publication(channel, key).is_some_and(|one| one.is_dropped);
                let is_logged = places.iter().any(|places| places.contains_key(&(from, id)));
                (!is_dropped && !is_logged).then_some((channel, from, id))
            })
        })
    }

    /// The messages that stand in a log before one that their source had accepted earlier: channel, source and id.
    pub fn misplaced(&self) -> impl Iterator<Item = (&Channel, &str, &str)> {
        self.accepted.iter().flat_map(move |((channel, source), keys)| {
            let in_life = move |life| self.misplaced_in(life, channel, keys);
            let ids = self.lives(channel).iter().flat_map(in_life);
            ids.map(move |id| (channel, source.as_str(), id))
        })
    }

    fn misplaced_in<'a>(&self, life: &Life, channel: &Channel, keys: &'a [(String, String)]) -> Vec<&'a str> {
        let keeps_place =
            |key: &&(String, String)| !self.find_publication(channel, key).is_some_and(|one| one.is_redriven);
        let (places, mut last) = (life.places(), 0);
        let mut misplaced = Vec::new();
        for key in keys.iter().filter(keeps_place) {
            let Some(seq) = places.get(&(key.0.as_str(), key.1.as_str())) else { continue };
            misplaced.extend((*seq < last).then_some(key.1.as_str()));
            last = last.max(*seq);
        }
        misplaced
    }

    /// Who lacks what.
    pub fn missing(&self) -> Vec<Missing<Client, Channel>> {
        let mut missing = Vec::new();
        for (client, channel, membership) in self.memberships() {
            let seqs = membership.balance(self.lives(channel)).missing;
            if !seqs.is_empty() {
                let last = membership.received.last().map(|entry| Position::new(entry.epoch.clone(), entry.seq));
                missing.push(Missing {
                    client: client.clone(),
                    channel: channel.clone(),
                    after: membership.after.clone(),
                    last,
                    seqs,
                });
            }
        }
        missing
    }
}
