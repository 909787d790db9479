//! The record of a run: the ledger, and facts that only a simulation sees, such as attempted posts and stopped executions.
//!
//! This is the reference model. The environment keeps it, not the rules, and it says at once where the guarantee is broken.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use hubbub_client::channel_state::Since;
use hubbub_client::{Delivery, Position};
use hubbub_core::broadcast::round::Round;
use hubbub_core::ports::Append;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::id::{ConnectionId, Epoch, MessageId, UserId};
use hubbub_core::wire::message::Seq;
use hubbub_core::wire::queue_message::QueueMessage;
use hubbub_ledger::{Entry, Ledger};

use crate::ports::Posted;
use crate::scheduler::Scheduler;

/// What names a message: its channel, its sender and its id.
pub(crate) type MessageKey = (Channel, UserId, MessageId);

pub(crate) struct Record {
    scheduler: Scheduler,
    facts: RefCell<Facts>,
}

#[derive(Default)]
pub(crate) struct Facts {
    /// What broke the guarantee first.
    pub(crate) violation: Option<String>,
    /// Clients are devices.
    pub(crate) ledger: Ledger<String, Channel>,
    /// What the ledger does not know of the messages of each life of each log.
    pub(crate) rows: BTreeMap<(Channel, Epoch), Vec<Row>>,
    /// Lives of logs that an operator has ended.
    erased: BTreeSet<(Channel, Epoch)>,
    /// Bodies that can never be delivered and were accepted, with the reason that they must be buried with.
    pub(crate) garbage: BTreeMap<String, &'static str>,
    /// Buried bodies, with their reasons.
    pub(crate) buried: BTreeMap<String, &'static str>,
    /// All connections that ever were members.
    members: BTreeSet<(Channel, ConnectionId)>,
    /// What answers to joins have promised: the log's epoch, and the head after which everything is posted.
    pub(crate) promises: BTreeMap<(Channel, ConnectionId), (Epoch, Seq)>,
    /// Posts that were tried.
    pub(crate) attempts: BTreeSet<(Channel, ConnectionId, Epoch, u64)>,
    /// Ranges of which a page failed after all its retries.
    failed_pages: Vec<(Channel, Epoch, Seq, Seq)>,
    /// Channels whose fan-out was stopped for good.
    pub(crate) interrupted: BTreeSet<Channel>,
    /// How often each situation came up, to see that the simulation meets what it is for.
    pub(crate) figures: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) from: UserId,
    pub(crate) id: MessageId,
    pub(crate) expires: u64,
    pub(crate) has_receipt: bool,
}

impl Record {
    pub(crate) fn new(scheduler: &Scheduler) -> Self {
        Self { scheduler: scheduler.clone(), facts: RefCell::default() }
    }

    pub(crate) fn facts(&self) -> Ref<'_, Facts> {
        self.facts.borrow()
    }

    pub(crate) fn count(&self, what: &'static str) {
        *self.facts.borrow_mut().figures.entry(what).or_default() += 1;
    }

    /// The guarantee is broken.
    pub(crate) fn violate(&self, what: String) {
        self.scheduler.note(|| format!("VIOLATION: {what}"));
        self.facts.borrow_mut().violation.get_or_insert(what);
    }

    fn check(&self, is_kept: bool, what: impl FnOnce() -> String) {
        if !is_kept {
            self.violate(what());
        }
    }

    /// A message is about to be published.
    pub(crate) fn publish(&self, (channel, from, id): &MessageKey) {
        self.facts.borrow_mut().ledger.publish(channel, from.as_str(), id.as_str());
    }

    /// A sender was told that its message is durable; it has published nothing else in the channel meanwhile.
    pub(crate) fn accept(&self, sender: &str, (channel, from, id): &MessageKey) {
        self.count("accepted");
        self.scheduler.note(|| format!("accepted: {id} in {channel}"));
        self.facts.borrow_mut().ledger.accept(channel, sender, from.as_str(), id.as_str());
    }

    /// A body that can never be delivered was accepted.
    pub(crate) fn accept_garbage(&self, body: &str, reason: &'static str) {
        self.facts.borrow_mut().garbage.insert(body.to_owned(), reason);
    }

    /// A dead letter was buried.
    pub(crate) fn bury(&self, body: &str, reason: &'static str) {
        self.count("buried");
        self.facts.borrow_mut().buried.insert(body.to_owned(), reason);
    }

    /// A dead letter goes back to its queue, or is dropped by an operator.
    pub(crate) fn redrive(&self, group: &str, body: &str, is_dropped: bool) {
        self.count("redriven");
        self.interrupt_group(group);
        let mut facts = self.facts.borrow_mut();
        if is_dropped {
            facts.garbage.remove(body);
        }
        if let Ok(QueueMessage::Message(envelope)) = QueueMessage::parse(body, group, usize::MAX) {
            facts.ledger.redrive(&envelope.channel, envelope.from.as_str(), envelope.id.as_str(), is_dropped);
        }
    }

    /// Messages were appended to a log.
    pub(crate) fn append(&self, channel: &Channel, append: &Append<'_>) {
        let mut broken = Vec::new();
        {
            let facts = &mut *self.facts.borrow_mut();
            let rows = facts.rows.entry((channel.clone(), append.epoch.clone())).or_default();
            for message in append.messages {
                let entry = entry(append.epoch.as_str(), message.seq.0, message.from.as_str(), message.id.as_str());
                broken.extend(facts.ledger.append(channel, entry));
                rows.push(Row {
                    from: message.from.clone(),
                    id: message.id.clone(),
                    expires: append.expires.0,
                    has_receipt: message.receipt.is_some(),
                });
            }
        }
        broken.into_iter().for_each(|violation| self.violate(format!("`{channel}`: {violation}")));
    }

    /// An operator ends this life of a channel's log.
    pub(crate) fn erase(&self, channel: &Channel, epoch: Epoch) {
        self.count("erased");
        self.facts.borrow_mut().erased.insert((channel.clone(), epoch));
    }

    /// A member's row is written.
    pub(crate) fn put_member(&self, channel: &Channel, id: &ConnectionId) {
        self.facts.borrow_mut().members.insert((channel.clone(), id.clone()));
    }

    /// A function tries to post to a connection.
    pub(crate) fn attempt(&self, id: &ConnectionId, Posted { channel, epoch, seqs }: &Posted) {
        self.count("posts");
        let is_member = {
            let mut facts = self.facts.borrow_mut();
            let attempts = seqs.iter().map(|seq| (channel.clone(), id.clone(), epoch.clone(), *seq));
            facts.attempts.extend(attempts);
            facts.members.contains(&(channel.clone(), id.clone()))
        };
        self.check(is_member, || format!("{id} is posted to, and was never a member of `{channel}`"));
    }

    /// A connection was told that it is a member.
    pub(crate) fn promise(&self, channel: &Channel, id: &ConnectionId, epoch: Epoch, head: Seq) {
        self.facts.borrow_mut().promises.entry((channel.clone(), id.clone())).or_insert((epoch, head));
    }

    /// A member asks to leave.
    pub(crate) fn release(&self, channel: &Channel, id: &ConnectionId) {
        self.facts.borrow_mut().promises.remove(&(channel.clone(), id.clone()));
    }

    /// A page of a round failed after all its retries: its members recover.
    pub(crate) fn fail_page(&self, channel: &Channel, round: &Round) {
        self.count("failed pages");
        self.leave_out(channel, &round.epoch, (round.from, round.to));
    }

    /// Members were left out of a range, because a page failed or time was up.
    pub(crate) fn leave_out(&self, channel: &Channel, epoch: &Epoch, (from, to): (Seq, Seq)) {
        self.count("left out");
        self.facts.borrow_mut().failed_pages.push((channel.clone(), epoch.clone(), from, to));
    }

    /// The fan-out of a channel was stopped for good.
    pub(crate) fn interrupt(&self, channel: &Channel) {
        self.count("interrupted");
        self.facts.borrow_mut().interrupted.insert(channel.clone());
    }

    /// Everything has been sent in these channels in spite of an interruption.
    pub(crate) fn mend<'a>(&self, channels: impl Iterator<Item = &'a Channel>) {
        let mut facts = self.facts.borrow_mut();
        for channel in channels {
            facts.interrupted.remove(channel);
        }
    }

    /// As [`Record::interrupt`], for a message group that may be any text.
    pub(crate) fn interrupt_group(&self, group: &str) {
        if let Ok(channel) = group.parse() {
            self.interrupt(&channel);
        }
    }

    /// A device begins, or begins anew, in a channel at a position.
    pub(crate) fn begin(&self, device: &String, channel: &Channel, Position { epoch, seq }: Position) {
        let after = hubbub_ledger::Position::new(epoch, seq);
        self.facts.borrow_mut().ledger.begin(device, channel, after);
    }

    /// A device has left a channel.
    pub(crate) fn leave(&self, device: &String, channel: &Channel) {
        self.facts.borrow_mut().ledger.leave(device, channel);
    }

    /// A device's application is given a message: it must be the next one, and be what the log has there.
    pub(crate) fn receive(&self, device: &String, delivery: &Delivery) {
        self.count("handed out");
        let Delivery { epoch, message, channel, .. } = delivery;
        self.scheduler.note(|| format!("{device} has {} of {channel}", message.seq));
        let Ok(channel) = channel.to_string().parse() else { return };
        let entry = entry(epoch, message.seq, &message.from, &message.id);
        let violation = self.facts.borrow_mut().ledger.receive(device, &channel, entry);
        if let Some(violation) = violation {
            self.violate(format!("{device} in `{channel}`: {violation}"));
        }
    }

    /// A device was told that it can't have what it missed: that life of the log must have been erased, or retention have passed.
    pub(crate) fn reset(&self, device: &String, channel: &Channel, since: &Since, now: &Position) {
        self.count("told that it can't");
        self.scheduler.note(|| format!("{device} begins anew in {channel}, after {since:?}, at {now:?}"));
        let is_right = {
            let facts = &mut *self.facts.borrow_mut();
            facts.ledger.reset(device, channel);
            let epoch = Epoch::new(since.epoch.as_ref().unwrap_or(&now.epoch).clone());
            let next = facts.row(channel, &epoch, since.seq.unwrap_or_default() + 1);
            let has_expired = next.is_some_and(|row| row.expires <= self.scheduler.now());
            has_expired || facts.erased.contains(&(channel.clone(), epoch))
        };
        self.check(is_right, || {
            format!("{device} is told that it can't have what follows {since:?} in `{channel}`, and the log has it")
        });
    }
}

/// Bodies are not compared.
fn entry(epoch: &str, seq: u64, from: &str, id: &str) -> Entry {
    Entry { epoch: epoch.to_owned(), seq, from: from.to_owned(), id: id.to_owned(), body: None }
}

impl Facts {
    /// Whether a range that a message lies in had a page that failed.
    pub(crate) fn has_failed_page(&self, channel: &Channel, epoch: &Epoch, seq: u64) -> bool {
        self.failed_pages.iter().any(|(failed, failed_epoch, from, to)| {
            failed == channel && failed_epoch == epoch && from.0 < seq && seq <= to.0
        })
    }

    pub(crate) fn rows(&self, channel: &Channel, epoch: &Epoch) -> &[Row] {
        self.rows.get(&(channel.clone(), epoch.clone())).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn row(&self, channel: &Channel, epoch: &Epoch, seq: u64) -> Option<&Row> {
        self.rows(channel, epoch).get(usize::try_from(seq).ok()?.checked_sub(1)?)
    }
}
