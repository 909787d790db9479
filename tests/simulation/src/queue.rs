//! The publish queue and its dead-letter queue, as SQS keeps FIFO queues.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use hubbub_core::delivery::deliver::Record;
use hubbub_core::names::MAX_RECEIVES;
use hubbub_core::wire::time::Timestamp;

use crate::scale::{DEDUPLICATION, VISIBILITY};
use crate::scheduler::{Scheduler, Signal};

/// The most messages that Lambda takes from a FIFO queue at once.
const BATCH: usize = 10;

/// The publish queue.
#[derive(Default)]
pub(crate) struct Queue {
    groups: RefCell<BTreeMap<String, VecDeque<Message>>>,
    /// When a deduplication id was last taken.
    known: RefCell<BTreeMap<(String, String), u64>>,
    /// What SQS itself has given up.
    given_up: RefCell<Vec<GivenUp>>,
    /// Notified when there may be something to take.
    pub(crate) changed: Signal,
}

struct Message {
    id: String,
    body: String,
    sent_at: u64,
    receives: u32,
    redriven: bool,
    /// The last receipt handle, and until when it counts.
    receipt: Option<(u64, u64)>,
}

impl Message {
    fn is_hidden(&self, now: u64) -> bool {
        self.receipt.is_some_and(|(_, until)| now < until)
    }
}

/// A message that was received too often.
#[derive(Clone, Debug)]
pub(crate) struct GivenUp {
    pub(crate) group: String,
    pub(crate) body: String,
    /// When the queue took it.
    pub(crate) sent_at: u64,
}

/// Records that were received together, and their receipt handle.
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    receipt: u64,
    hidden_until: u64,
}

impl Batch {
    /// Whether the queue has shown its messages again, so that two runs may have them.
    pub(crate) const fn has_expired(&self, now: u64) -> bool {
        now >= self.hidden_until
    }
}

pub(crate) struct Sending {
    pub(crate) group: String,
    pub(crate) deduplication: String,
    pub(crate) body: String,
    pub(crate) redriven: bool,
}

impl Queue {
    /// Takes a message, unless it was taken in the last five minutes.
    pub(crate) fn send(&self, scheduler: &Scheduler, sending: Sending) {
        let now = scheduler.now();
        let Sending { group, deduplication, body, redriven } = sending;
        let mut known = self.known.borrow_mut();
        let taken = known.entry((group.clone(), deduplication)).or_default();
        if *taken > 0 && now - *taken < DEDUPLICATION {
            return;
        }
        *taken = now;
        let id = format!("queue-{}", scheduler.fresh());
        let message = Message { id, body, sent_at: now, receives: 0, redriven, receipt: None };
        self.groups.borrow_mut().entry(group).or_default().push_back(message);
        self.changed.notify();
    }

    /// Receives from one group, or from two, of which no message is hidden. Gives up what was received too often.
    pub(crate) fn receive(&self, scheduler: &Scheduler) -> Option<Batch> {
        let now = scheduler.now();
        let receipt = scheduler.fresh();
        let mut groups = self.groups.borrow_mut();
        let mut records = Vec::new();
        loop {
            let free: Vec<String> = groups
                .iter()
                .filter(|(_, messages)| !messages.is_empty() && !messages.iter().any(|message| message.is_hidden(now)))
                .map(|(name, _)| name.clone())
                .collect();
            let Some((name, messages)) = scheduler.pick(&free).and_then(|name| Some((name, groups.get_mut(name)?)))
            else {
                break;
            };
            while let Some(message) = messages.pop_front_if(|message| message.receives >= MAX_RECEIVES) {
                scheduler.note(|| format!("given up: {}", message.body));
                self.given_up.borrow_mut().push(GivenUp {
                    group: name.clone(),
                    body: message.body,
                    sent_at: message.sent_at,
                });
            }
            let count = 1 + usize::try_from(scheduler.below(BATCH as u64)).unwrap_or_default();
            for message in messages.iter_mut().take(count.min(BATCH - records.len())) {
                message.receives += 1;
                message.receipt = Some((receipt, now + VISIBILITY));
                records.push(record(name, message));
            }
            if records.len() == BATCH || (!records.is_empty() && scheduler.below(5) > 0) {
                break;
            }
        }
        (!records.is_empty()).then_some(Batch { records, receipt, hidden_until: now + VISIBILITY })
    }

    /// Deletes what was delivered and shows the rest again, now or when the visibility timeout ends. A receipt handle that has expired does
    /// nothing. The groups of what was deleted at its last receive.
    pub(crate) fn finish(&self, scheduler: &Scheduler, batch: &Batch, failed: &[String]) -> Vec<String> {
        let now = scheduler.now();
        let mut last_chances = Vec::new();
        for record in &batch.records {
            let mut groups = self.groups.borrow_mut();
            let Some(messages) = groups.get_mut(&record.group) else { continue };
            let is_ours = |message: &Message| {
                message.id == record.queue_id
                    && message.receipt.is_some_and(|(receipt, until)| receipt == batch.receipt && now < until)
            };
            let Some(index) = messages.iter().position(is_ours) else { continue };
            if !failed.contains(&record.queue_id) {
                if let Some(message) = messages.remove(index)
                    && message.receives >= MAX_RECEIVES
                {
                    last_chances.push(record.group.clone());
                }
            } else if scheduler.below(2) == 0
                && let Some(message) = messages.get_mut(index)
            {
                message.receipt = None;
            }
        }
        self.changed.notify();
        last_chances
    }

    /// When the next message is shown again.
    pub(crate) fn next_shown(&self, now: u64) -> Option<u64> {
        let groups = self.groups.borrow();
        let hidden = groups.values().flatten().filter_map(|message| message.receipt.map(|(_, until)| until));
        hidden.filter(|until| *until > now).min()
    }

    /// Whether SQS has given something up.
    pub(crate) fn has_given_up(&self) -> bool {
        !self.given_up.borrow().is_empty()
    }

    /// Takes the messages that SQS has given up.
    pub(crate) fn take_given_up(&self) -> Vec<GivenUp> {
        self.given_up.take()
    }

    /// How many messages are in it.
    pub(crate) fn len(&self) -> usize {
        self.groups.borrow().values().map(VecDeque::len).sum()
    }
}

fn record(group: &str, message: &Message) -> Record {
    Record {
        queue_id: message.id.clone(),
        group: group.to_owned(),
        body: message.body.clone(),
        sent_at: Timestamp(message.sent_at),
        receives: message.receives,
        redriven: message.redriven,
        source: "arn:aws:sqs:us-east-1:000000000000:publish.fifo".to_owned(),
    }
}
