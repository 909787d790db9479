//! A run of the publish queue: batches are delivered, and again as long as they fail; then every message is accounted for.
//!
//! The queue is as SQS has it for FIFO: a batch is what comes first, what is reported as failed stays where it is and comes again, and
//! what was received [`MAX_RECEIVES`] times without success becomes a dead letter of the queue's own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures::executor::block_on;
use hubbub_core::delivery::deliver::Record;
use hubbub_core::moderation::expulsion::Expulsion;
use hubbub_core::names::MAX_RECEIVES;
use hubbub_core::ports::{Bans, DeadLetter};
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::command::{Command, ModerationCommand};
use hubbub_core::wire::id::{ConnectionId, MessageId, UserId};
use hubbub_core::wire::message::{Closure, Content, Message};
use hubbub_core::wire::queue_message::{Envelope, InvalidQueueMessage, QueueMessage};
use hubbub_core::wire::time::Timestamp;

use crate::stage::{MAX_BODY_BYTES, NEVER, NOW, Stage, USERS};

/// The longest detail of a dead letter, in bytes. It shares the message's size with the body.
const MAX_DETAIL_BYTES: usize = 1_024;

/// How often effects may fail without any record being received too often: each failed delivery of a record takes one at least.
pub const FAULTS_WITHOUT_DEAD: usize = MAX_RECEIVES as usize - 1;

/// A message on the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The message group.
    pub group: String,
    /// The body.
    pub body: String,
}

impl Sent {
    fn parse(&self) -> Result<QueueMessage, InvalidQueueMessage> {
        QueueMessage::parse(&self.body, &self.group, MAX_BODY_BYTES)
    }
}

/// Delivers all that was sent, in batches of at most `batch` records, until nothing is left on the queue, and checks that nothing was lost.
pub fn deliver_all(stage: &Stage, sent: &[Sent], batch: usize) {
    let mut queue: VecDeque<Record> = sent.iter().zip(0..).map(|(sent, index)| record(sent, index)).collect();
    let mut dead = BTreeSet::new();
    let delivery = stage.delivery();
    while !queue.is_empty() {
        let mut records: Vec<Record> = queue.drain(..batch.min(queue.len())).collect();
        for record in &mut records {
            record.receives += 1;
        }
        let failed = block_on(delivery.deliver(records.clone(), NEVER));
        check_report(&records, &failed);
        let again = records.into_iter().filter(|record| failed.contains(&record.queue_id));
        let (spent, again): (Vec<Record>, Vec<Record>) = again.partition(|record| record.receives >= MAX_RECEIVES);
        dead.extend(spent.into_iter().map(|record| record.queue_id));
        again.into_iter().rev().for_each(|record| queue.push_front(record));
    }
    Account::new(stage, sent, &dead).check();
}

fn queue_id(index: usize) -> String {
    format!("queue-{index}")
}

fn record(Sent { group, body }: &Sent, index: usize) -> Record {
    Record {
        queue_id: queue_id(index),
        group: group.clone(),
        body: body.clone(),
        sent_at: Timestamp(NOW),
        receives: 0,
        redriven: false,
        source: "publish.fifo".to_owned(),
    }
}

/// After a failed record, all later ones of its group have failed too, and nothing is reported that was not in the batch.
fn check_report(records: &[Record], failed: &[String]) {
    let reported: BTreeSet<&String> = failed.iter().collect();
    assert_eq!(reported.len(), failed.len(), "a record is reported twice: {failed:?}");
    let known = records.iter().filter(|record| reported.contains(&record.queue_id)).count();
    assert_eq!(known, reported.len(), "a record is reported that was not in the batch: {failed:?}");
    let mut broken = BTreeSet::new();
    for record in records {
        if reported.contains(&record.queue_id) {
            broken.insert(&record.group);
        } else {
            assert!(!broken.contains(&record.group), "{} is done before one that came earlier", record.queue_id);
        }
    }
}

/// Whether an entry of a log is what was sent, with its body or without.
fn is_entry_of(entry: &Message, sent: &Envelope) -> bool {
    (&entry.from, &entry.id) == (&sent.from, &sent.id) && entry.content.body().is_none_or(|body| *body == sent.body)
}

/// What was sent, and what has become of it.
struct Account<'a> {
    stage: &'a Stage,
    sent: &'a [Sent],
    /// The queue's own dead letters.
    dead: &'a BTreeSet<String>,
    parcels: Vec<(String, Result<QueueMessage, InvalidQueueMessage>)>,
}

impl<'a> Account<'a> {
    fn new(stage: &'a Stage, sent: &'a [Sent], dead: &'a BTreeSet<String>) -> Self {
        let parcels = sent.iter().zip(0..).map(|(sent, index)| (queue_id(index), sent.parse())).collect();
        Self { stage, sent, dead, parcels }
    }

    fn check(&self) {
        let faults = self.stage.ports.hook.met();
        if faults.len() <= FAULTS_WITHOUT_DEAD {
            assert_eq!(self.dead, &BTreeSet::new(), "records failed more often than anything else: {faults:?}");
            self.check_sent();
        }
        self.check_logs();
        self.check_dead_letters();
        self.check_expelled();
        self.check_bans();
        self.check_frames();
    }

    fn messages(&self) -> BTreeMap<&Channel, Vec<(&str, &Envelope)>> {
        let mut messages: BTreeMap<&Channel, Vec<(&str, &Envelope)>> = BTreeMap::new();
        for (id, parcel) in &self.parcels {
            if let Ok(QueueMessage::Message(envelope)) = parcel {
                messages.entry(&envelope.channel).or_default().push((id, envelope));
            }
        }
        messages
    }

    fn commands(&self) -> impl Iterator<Item = (&str, &ModerationCommand)> {
        self.parcels.iter().filter_map(|(id, parcel)| match parcel {
            Ok(QueueMessage::Command(command)) => Some((id.as_str(), command)),
            _ => None,
        })
    }

    /// Each good envelope is in its channel's log exactly once, in the order of the queue, unless it has become a dead letter. Its body is
    /// there, unless a command has taken it away.
    fn check_logs(&self) {
        for (channel, messages) in self.messages() {
            let log = self.stage.log(channel);
            assert!(log.iter().map(|one| one.seq.0).eq(1..=log.len() as u64), "{channel} has a hole");
            let keys: BTreeSet<_> = log.iter().map(|one| (&one.from, &one.id)).collect();
            assert_eq!(keys.len(), log.len(), "{channel} has a message twice");
            self.check_notices(channel, &log);
            let entries: Vec<&Message> =
                log.iter().filter(|one| self.command_of_notice(channel, one).is_none()).collect();
            let mut rest = messages.iter();
            for entry in &entries {
                assert!(rest.any(|(_, one)| is_entry_of(entry, one)), "{channel} has {entry:?} out of order");
            }
            for (id, one) in &messages {
                let is_kept = keys.contains(&(&one.from, &one.id)) || self.dead.contains(*id);
                assert!(is_kept, "{id}, {} of {channel}, is lost", one.id);
            }
            if messages.iter().all(|(id, _)| !self.dead.contains(*id)) {
                let mut known = BTreeSet::new();
                let first = messages.iter().filter(|(_, one)| known.insert((&one.from, &one.id)));
                assert!(
                    entries.iter().zip(first).all(|(entry, (_, one))| is_entry_of(entry, one)),
                    "the first of each id counts"
                );
            }
        }
    }

    /// The command that an entry tells of, if it tells of one.
    fn command_of_notice(&self, channel: &Channel, entry: &Message) -> Option<&ModerationCommand> {
        let mut commands =
            self.commands().filter(|(_, command)| command.channel == *channel && command.from == entry.from);
        commands.find(|(id, _)| MessageId::digest(id) == entry.id).map(|(_, command)| command)
    }

    /// A removal was commanded, is done, and is told of.
    fn check_notices(&self, channel: &Channel, log: &[Message]) {
        let about = || self.commands().filter(|(_, command)| command.channel == *channel);
        let is_gone = |entry: &Message| entry.content == Content::Deleted(entry.seq);
        for entry in log {
            match self.command_of_notice(channel, entry).map(|command| &command.command) {
                Some(Command::Delete { seq }) => {
                    assert_eq!(entry.content, Content::Deleted(*seq), "{channel}");
                    assert!(log.iter().any(|one| one.seq == *seq && is_gone(one)), "{seq} of {channel} is still there");
                }
                Some(Command::Close { erase }) => {
                    let closure = if *erase { Closure::Erased } else { Closure::Kept };
                    assert_eq!(entry.content, Content::Closed(closure), "{channel}");
                }
                Some(other) => panic!("{other:?} leaves nothing in a log"),
                None if is_gone(entry) => {
                    let takes = |command: &ModerationCommand| match command.command {
                        Command::Delete { seq } => seq == entry.seq,
                        Command::Close { erase } => erase,
                        Command::Kick { .. } | Command::Ban { .. } | Command::Unban { .. } | Command::Open => false,
                    };
                    assert!(about().any(|(_, command)| takes(command)), "{} of {channel} is gone unasked", entry.seq);
                }
                None => assert!(entry.content.body().is_some(), "{entry:?} tells of no command"),
            }
        }
        for (id, command) in about().filter(|(id, _)| !self.dead.contains(*id)) {
            let Command::Close { erase } = command.command else { continue };
            let notice = log.iter().find(|entry| entry.id == MessageId::digest(id) && entry.from == command.from);
            let Some(notice) = notice else { panic!("{id}: no notice says that {channel} is closed") };
            let is_kept = |entry: &&Message| entry.seq < notice.seq && entry.content.body().is_some();
            assert!(!erase || !log.iter().any(|entry| is_kept(&entry)), "{id}: {channel} is not erased");
        }
    }

    /// Each bad one is a dead letter as it came, with its reason, and nothing else is. Each group's are in the order of the queue.
    fn check_dead_letters(&self) {
        let seen = self.stage.ports.services.seen();
        let mut buried: Vec<&DeadLetter> = Vec::new();
        for letter in &seen.buried {
            check_dead_letter(letter);
            if !buried.iter().any(|one| one.queue_id == letter.queue_id) {
                buried.push(letter);
            }
        }
        let expected: Vec<_> = (self.parcels.iter().zip(self.sent))
            .filter_map(|((id, parcel), sent)| Some((id, sent, parcel.as_ref().err()?)))
            .collect();
        for (id, Sent { group, body }, reason) in &expected {
            let Some(letter) = buried.iter().find(|letter| letter.queue_id == **id) else {
                assert!(self.dead.contains(*id), "{id} is lost: `{body}`");
                continue;
            };
            assert_eq!((&letter.group, &letter.body, letter.reason), (group, body, reason.reason()));
        }
        for group in self.sent.iter().map(|sent| &sent.group) {
            let mut ids = expected.iter().filter(|(_, sent, _)| sent.group == *group).map(|(id, _, _)| *id);
            for letter in buried.iter().filter(|letter| letter.group == *group) {
                assert!(ids.any(|id| *id == letter.queue_id), "{} is buried out of order, or is good", letter.queue_id);
            }
        }
        assert!(buried.iter().all(|letter| self.sent.iter().any(|sent| sent.group == letter.group)));
    }

    /// Commands about users, with the user.
    fn expulsions(&self) -> impl Iterator<Item = (&str, &ModerationCommand, &UserId, Expulsion)> {
        self.commands().filter_map(|(id, command)| {
            let expulsion = match &command.command {
                Command::Kick { .. } => Expulsion::Kick,
                Command::Ban { until, .. } => Expulsion::Ban { until: *until },
                Command::Unban { .. } => Expulsion::Unban,
                Command::Delete { .. } | Command::Close { .. } | Command::Open => return None,
            };
            Some((id, command, command.command.user()?, expulsion))
        })
    }

    /// All users who must leave have left, and no others.
    fn check_expelled(&self) {
        let is_any_closed = self.commands().any(|(_, command)| matches!(command.command, Command::Close { .. }));
        for name in USERS {
            let memberships = self.stage.memberships(&ConnectionId::new(name));
            let mut about = self.expulsions().filter(|(_, _, user, _)| user.as_str() == name).peekable();
            if about.peek().is_none() && !is_any_closed {
                assert_eq!(memberships.len(), 3, "{name} had to leave without a command");
            }
            let carried_out = about.filter(|(id, ..)| !self.dead.contains(*id));
            for (id, command, user, _) in carried_out.filter(|(.., expulsion)| *expulsion != Expulsion::Unban) {
                // Of a connection that is forgotten, at worst the note stays that it was its user's.
                let is_in = if command.channel == ModerationCommand::everywhere(user) {
                    memberships.iter().any(|channel| *channel != command.channel)
                } else {
                    memberships.contains(&command.channel)
                };
                assert!(!is_in, "{id}, a command for {}, is lost: {name} is still there", command.channel);
            }
        }
    }

    /// The last command counts.
    fn check_bans(&self) {
        let mut last: BTreeMap<(&UserId, &Channel), Option<Timestamp>> = BTreeMap::new();
        for (_, command, user, expulsion) in self.expulsions() {
            let until = match expulsion {
                Expulsion::Kick => continue,
                Expulsion::Unban => None,
                Expulsion::Ban { until } => Some(until).filter(|until| Timestamp(NOW) < *until),
            };
            last.insert((user, &command.channel), until);
        }
        // Of a dead one it isn't known whether it was carried out.
        for (_, command, user, _) in self.expulsions().filter(|(id, ..)| self.dead.contains(*id)) {
            last.remove(&(user, &command.channel));
        }
        for ((user, channel), until) in last {
            let ban = block_on(self.stage.ports.store.ban(user, channel, Timestamp(NOW))).unwrap();
            assert_eq!(ban, until, "the last command about {user} in {channel} is lost");
        }
    }

    /// All messages of a log have been posted, or a broadcast was started that posts them.
    fn check_sent(&self) {
        let started = self.stage.ports.services.seen().started.clone();
        for sent in self.sent {
            let Some(channel) = sent.group.parse().ok() else { continue };
            let Some(state) = self.stage.state(&channel) else { continue };
            assert!(state.sent <= state.head, "{channel} is sent beyond its head");
            let lease = state.live_lease(Timestamp(NOW));
            let is_started = lease.is_some_and(|lease| started.contains(&(channel.clone(), lease.id.clone())));
            assert!(state.sent == state.head || is_started, "{} of {channel} is never sent", state.head);
        }
    }

    /// Every frame can be posted.
    fn check_frames(&self) {
        let seen = self.stage.ports.services.seen();
        for text in seen.posted.values().flatten().chain(seen.closed.iter().map(|(_, text)| text)) {
            assert!(text.len() <= API_GATEWAY.max_frame_bytes, "a frame has {} bytes", text.len());
        }
    }
}

/// A dead letter's detail is an attribute of the message: it must be short, and of the characters that SQS takes.
fn check_dead_letter(DeadLetter { detail, .. }: &DeadLetter) {
    assert!(!detail.is_empty() && detail.len() <= MAX_DETAIL_BYTES, "the detail has {} bytes", detail.len());
    let is_taken = |character: char| match character {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        other => other >= ' ',
    };
    assert!(detail.chars().all(is_taken), "SQS does not take {detail:?}");
}
