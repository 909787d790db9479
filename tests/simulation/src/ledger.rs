//! The books: what was published, what is in the logs, what each member was promised and what it got.
//!
//! This is the reference model. It is kept by the world, not by the rules, and says at once where the guarantee is broken.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use hubbub_client::{Delivery, Position};
use hubbub_core::broadcast::Round;
use hubbub_core::channel::Channel;
use hubbub_core::envelope::Parcel;
use hubbub_core::id::{ConnectionId, Epoch, MessageId, UserId};
use hubbub_core::message::Seq;
use hubbub_core::ports::Append;

use crate::ports::Posted;
use crate::scheduler::Scheduler;

/// What names a message: its channel, its sender and its id.
pub(crate) type MessageKey = (Channel, UserId, MessageId);

/// The books.
pub(crate) struct Ledger {
    scheduler: Scheduler,
    books: RefCell<Books>,
}

/// The books' pages.
#[derive(Default)]
pub(crate) struct Books {
    /// What broke the guarantee first.
    pub(crate) violation: Option<String>,
    /// Every life of every log, without what retention takes away.
    pub(crate) logs: BTreeMap<(Channel, Epoch), Vec<Row>>,
    /// Lives of logs that an operator has ended.
    erased: BTreeSet<(Channel, Epoch)>,
    /// What was published.
    pub(crate) publications: BTreeMap<MessageKey, Publication>,
    /// What each sender had accepted, each published after the one before it was accepted.
    pub(crate) orders: BTreeMap<(String, Channel), Vec<MessageKey>>,
    /// Bodies that can never be delivered and were accepted, and the reason that they must be buried with.
    pub(crate) garbage: BTreeMap<String, &'static str>,
    /// What was buried.
    pub(crate) buried: BTreeMap<String, &'static str>,
    /// Who was ever a member of what.
    members: BTreeSet<(Channel, ConnectionId)>,
    /// Where each member was told that it is one, in the words of the answer: its log, and the head that it must be posted everything behind.
    pub(crate) promises: BTreeMap<(Channel, ConnectionId), (Epoch, Seq)>,
    /// What somebody has tried to post.
    pub(crate) attempts: BTreeSet<(Channel, ConnectionId, Epoch, u64)>,
    /// Ranges of which a page failed in the end.
    failed_pages: Vec<(Channel, Epoch, Seq, Seq)>,
    /// Channels in which whoever was to send was stopped for good.
    pub(crate) interrupted: BTreeSet<Channel>,
    /// How far each device has come in each channel.
    positions: BTreeMap<(String, String), Position>,
    /// What was counted, to see that the simulation meets what it is for.
    pub(crate) figures: BTreeMap<&'static str, u64>,
}

/// A message in a log.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) from: UserId,
    pub(crate) id: MessageId,
    pub(crate) expires: u64,
    pub(crate) has_receipt: bool,
}

/// A message on its way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Publication {
    /// Its sender was told that it is durable.
    pub(crate) is_accepted: bool,
    /// It was a dead letter for a while, and so has lost its place.
    pub(crate) is_redriven: bool,
    /// It was a dead letter for so long that an operator has dropped it.
    pub(crate) is_dropped: bool,
}

impl Ledger {
    pub(crate) fn new(scheduler: &Scheduler) -> Self {
        Self { scheduler: scheduler.clone(), books: RefCell::default() }
    }

    /// To read in.
    pub(crate) fn books(&self) -> Ref<'_, Books> {
        self.books.borrow()
    }

    /// Counts something.
    pub(crate) fn count(&self, what: &'static str) {
        *self.books.borrow_mut().figures.entry(what).or_default() += 1;
    }

    /// The guarantee is broken.
    pub(crate) fn violate(&self, what: String) {
        self.scheduler.note(|| format!("VIOLATION: {what}"));
        self.books.borrow_mut().violation.get_or_insert(what);
    }

    fn check(&self, is_kept: bool, what: impl FnOnce() -> String) {
        if !is_kept {
            self.violate(what());
        }
    }

    /// A message is about to be published.
    pub(crate) fn publish(&self, key: &MessageKey) {
        self.books.borrow_mut().publications.entry(key.clone()).or_default();
    }

    /// A sender was told that its message is durable; it has published nothing else in the channel meanwhile.
    pub(crate) fn accept(&self, sender: &str, key: &MessageKey) {
        self.count("accepted");
        self.scheduler.note(|| format!("accepted: {} in {}", key.2, key.0));
        let mut books = self.books.borrow_mut();
        books.publications.entry(key.clone()).or_default().is_accepted = true;
        books.orders.entry((sender.to_owned(), key.0.clone())).or_default().push(key.clone());
    }

    /// What can never be delivered was accepted.
    pub(crate) fn accept_garbage(&self, body: &str, reason: &'static str) {
        self.books.borrow_mut().garbage.insert(body.to_owned(), reason);
    }

    /// A dead letter was buried.
    pub(crate) fn bury(&self, body: &str, reason: &'static str) {
        self.count("buried");
        self.books.borrow_mut().buried.insert(body.to_owned(), reason);
    }

    /// A dead letter goes back to its queue, or is dropped by an operator.
    pub(crate) fn redrive(&self, group: &str, body: &str, is_dropped: bool) {
        self.count("redriven");
        self.interrupt_group(group);
        if is_dropped {
            self.books.borrow_mut().garbage.remove(body);
        }
        if let Ok(Parcel::Message(envelope)) = Parcel::parse(body, group, usize::MAX) {
            let key = (envelope.channel, envelope.from, envelope.id);
            let mut books = self.books.borrow_mut();
            let publication = books.publications.entry(key).or_default();
            publication.is_redriven = true;
            publication.is_dropped |= is_dropped;
        }
    }

    /// Messages were appended to a log.
    pub(crate) fn append(&self, channel: &Channel, append: &Append<'_>) {
        let mut broken = Vec::new();
        let mut books = self.books.borrow_mut();
        let Books { logs, publications, .. } = &mut *books;
        let log = logs.entry((channel.clone(), append.epoch.clone())).or_default();
        for message in append.messages {
            if message.seq.0 != log.len() as u64 + 1 {
                broken.push(format!("`{channel}` has {} behind {}", message.seq, log.len()));
            }
            if log.iter().any(|row| row.from == message.from && row.id == message.id) {
                broken.push(format!("{} is in the log of `{channel}` twice, as {} as well", message.id, message.seq));
            }
            if !publications.contains_key(&(channel.clone(), message.from.clone(), message.id.clone())) {
                broken.push(format!("{} is in the log of `{channel}` and was never published", message.id));
            }
            log.push(Row {
                from: message.from.clone(),
                id: message.id.clone(),
                expires: append.expires.0,
                has_receipt: message.receipt.is_some(),
            });
        }
        drop(books);
        broken.into_iter().for_each(|what| self.violate(what));
    }

    /// An operator ends this life of a channel's log.
    pub(crate) fn erase(&self, channel: &Channel, epoch: Epoch) {
        self.count("erased");
        self.books.borrow_mut().erased.insert((channel.clone(), epoch));
    }

    /// A member's row is written.
    pub(crate) fn put_member(&self, channel: &Channel, id: &ConnectionId) {
        self.books.borrow_mut().members.insert((channel.clone(), id.clone()));
    }

    /// Somebody tries to post to a connection.
    pub(crate) fn attempt(&self, id: &ConnectionId, Posted { channel, epoch, seqs }: &Posted) {
        self.count("posts");
        let mut books = self.books.borrow_mut();
        let is_member = books.members.contains(&(channel.clone(), id.clone()));
        let attempts = seqs.iter().map(|seq| (channel.clone(), id.clone(), epoch.clone(), *seq));
        books.attempts.extend(attempts);
        drop(books);
        self.check(is_member, || format!("{id} is posted to, and was never a member of `{channel}`"));
    }

    /// A member was told that it is one.
    pub(crate) fn promise(&self, channel: &Channel, id: &ConnectionId, epoch: Epoch, head: Seq) {
        self.books.borrow_mut().promises.entry((channel.clone(), id.clone())).or_insert((epoch, head));
    }

    /// A member asks to leave.
    pub(crate) fn release(&self, channel: &Channel, id: &ConnectionId) {
        self.books.borrow_mut().promises.remove(&(channel.clone(), id.clone()));
    }

    /// A page of a round failed after all its retries: its members recover.
    pub(crate) fn fail_page(&self, channel: &Channel, round: &Round) {
        self.count("failed pages");
        self.leave_out(channel, &round.epoch, (round.from, round.to));
    }

    /// Members were left out of a range, because a page failed or time was up.
    pub(crate) fn leave_out(&self, channel: &Channel, epoch: &Epoch, (from, to): (Seq, Seq)) {
        self.count("left out");
        self.books.borrow_mut().failed_pages.push((channel.clone(), epoch.clone(), from, to));
    }

    /// Whoever was to send in a channel was stopped for good.
    pub(crate) fn interrupt(&self, channel: &Channel) {
        self.count("interrupted");
        self.books.borrow_mut().interrupted.insert(channel.clone());
    }

    /// Somebody else has sent what was left in these channels.
    pub(crate) fn mend<'a>(&self, channels: impl Iterator<Item = &'a Channel>) {
        let mut books = self.books.borrow_mut();
        for channel in channels {
            books.interrupted.remove(channel);
        }
    }

    /// As [`Ledger::interrupt`], for a message group that may be any text.
    pub(crate) fn interrupt_group(&self, group: &str) {
        if let Ok(channel) = group.parse() {
            self.interrupt(&channel);
        }
    }

    /// A device begins, or begins anew, in a channel at a position.
    pub(crate) fn begin(&self, device: &str, channel: &str, position: Position) {
        self.books.borrow_mut().positions.insert((device.to_owned(), channel.to_owned()), position);
    }

    /// A device has left a channel.
    pub(crate) fn leave(&self, device: &str, channel: &str) {
        self.books.borrow_mut().positions.remove(&(device.to_owned(), channel.to_owned()));
    }

    /// A device's application is handed a message: it must be the next one, and be what the log has there.
    pub(crate) fn hand_out(&self, device: &str, delivery: &Delivery) {
        self.count("handed out");
        let Delivery { epoch, message, .. } = delivery;
        let channel = delivery.channel.to_string();
        self.scheduler.note(|| format!("{device} has {} of {channel}", message.seq));
        let mut books = self.books.borrow_mut();
        let next = Position { epoch: epoch.clone(), seq: message.seq };
        let before = books.positions.insert((device.to_owned(), channel.clone()), next);
        let row = channel
            .parse()
            .ok()
            .and_then(|parsed| books.logs.get(&(parsed, Epoch::new(epoch.clone()))))
            .and_then(|log| log.get(usize::try_from(message.seq).ok()?.checked_sub(1)?));
        let is_the_logs = row.is_some_and(|row| row.id.as_str() == message.id && row.from.as_str() == message.from);
        drop(books);
        self.check(is_the_logs, || format!("{device} is handed {} as {} of `{channel}`", message.id, message.seq));
        let is_next = before.as_ref().is_none_or(|before| before.epoch == *epoch && before.seq + 1 == message.seq);
        self.check(is_next, || format!("{device} is handed {} of `{channel}` behind {before:?}", message.seq));
    }

    /// A device was told that what it missed can't be had: that life of the log must have been erased, or retention have passed.
    pub(crate) fn reset(&self, device: &str, channel: &Channel, since: &Since, now: &Position) {
        self.count("told that it can't");
        self.scheduler.note(|| format!("{device} begins anew in {channel}, behind {since:?}, at {now:?}"));
        let books = self.books.borrow();
        let life = (channel.clone(), Epoch::new(since.epoch.as_ref().unwrap_or(&now.epoch).clone()));
        let is_erased = books.erased.contains(&life);
        let log = books.logs.get(&life);
        let next = log.and_then(|log| log.get(usize::try_from(since.seq.unwrap_or_default()).ok()?));
        let has_expired = next.is_some_and(|row| row.expires <= self.scheduler.now());
        drop(books);
        self.check(is_erased || has_expired, || {
            format!("{device} is told that it can't have what is behind {since:?} in `{channel}`, and the log has it")
        });
    }
}

/// What a device asked for.
pub(crate) type Since = hubbub_client::channel_state::Since;

impl Books {
    /// Whether a range that a message lies in had a page that failed.
    pub(crate) fn has_failed_page(&self, channel: &Channel, epoch: &Epoch, seq: u64) -> bool {
        self.failed_pages.iter().any(|(failed, failed_epoch, from, to)| {
            failed == channel && failed_epoch == epoch && from.0 < seq && seq <= to.0
        })
    }

    /// The last message of a log that ever was.
    pub(crate) fn row(&self, channel: &Channel, epoch: &Epoch, seq: u64) -> Option<&Row> {
        self.logs.get(&(channel.clone(), epoch.clone()))?.get(usize::try_from(seq).ok()?.checked_sub(1)?)
    }
}
