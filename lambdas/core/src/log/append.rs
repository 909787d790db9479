//! Appending to a channel's log: each message exactly once, in the order of the queue, without holes.

use std::collections::HashSet;
use std::time::Duration;

use crate::metrics::APPENDED;
use crate::ports::{Append, Appended, Clock, Ids, Log, Meter, PortError, PortResult, ReadLimit};
use crate::wire::channel::Channel;
use crate::wire::id::{Epoch, MessageId, UserId};
use crate::wire::message::{Content, Message, ReceiptTo, Seq};
use crate::wire::queue_message::Envelope;
use crate::wire::time::Timestamp;

/// How many of the newest messages are read to see whether a redelivered one is in the log already.
///
/// A message that was received and not deleted blocks its group, so only its own batch (10 at most for a FIFO queue) can come after it in the
/// log. Three batches leave room for a run that overlaps another.
pub const REDELIVERY_WINDOW: usize = 30;

/// How often an append is tried again when another run moved the head. There is one writer for each channel, but for runs that
/// outlive their visibility timeout.
const ATTEMPTS: usize = 8;

/// A message on its way to the log: a [`Message`] without a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Its id, unique in the channel for its sender.
    pub id: MessageId,
    /// Who sent it.
    pub from: UserId,
    /// What it says.
    pub content: Content,
    /// Who wants to know what became of it.
    pub receipt: Option<ReceiptTo>,
    /// When the queue took it.
    pub at: Timestamp,
}

impl NewMessage {
    /// A message that the queue took at this moment.
    #[must_use]
    pub fn of(envelope: Envelope, at: Timestamp) -> Self {
        let Envelope { channel: _, id, from, body, receipt } = envelope;
        Self { id, from, content: Content::Body(body), receipt, at }
    }
}

/// Where a message may be that isn't new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LookBack {
    /// Among the newest: it held up its group since it was first received. This is looked at for every message, because a receive count
    /// is approximate, and a run that was held up may be overtaken by the redelivery of its own batch.
    Newest,
    /// Anywhere in what is kept of the log: it has been a dead letter for a while.
    Anywhere,
}

impl LookBack {
    /// How many messages to look through.
    const fn messages(self) -> usize {
        match self {
            Self::Newest => REDELIVERY_WINDOW,
            Self::Anywhere => usize::MAX,
        }
    }
}

/// Appends messages that were taken from the queue, all of one channel.
///
/// Those that are found where `look_back` says are left out. After an error it isn't
/// known whether they were written: the queue delivers them again, and then they are looked for.
///
/// # Errors
/// When the log can't be read or written.
pub async fn append<S: Log, E: Clock + Ids + Meter>(
    log: &S,
    env: &E,
    channel: &Channel,
    arrivals: &[NewMessage],
    look_back: LookBack,
    retention: Duration,
) -> PortResult<()> {
    for _ in 0..ATTEMPTS {
        let state = log.open(channel, &Epoch::new(env.fresh())).await?;
        let now = env.now();
        let mut known = HashSet::new();
        if state.head > Seq::ZERO {
            let limit = ReadLimit { messages: look_back.messages(), bytes: usize::MAX };
            let newest = log.read_back(channel, &state.epoch, state.head.next(), limit, now).await?;
            known.extend(newest.into_iter().map(|message| (message.from, message.id)));
        }
        let messages = number(arrivals, state.head, known);
        if messages.is_empty() {
            return Ok(());
        }
        let expires = now.plus(retention);
        let append = Append { epoch: &state.epoch, head: state.head, messages: &messages, now, expires };
        let appended = log.append(channel, &append).await?;
        if appended == Appended::Done {
            env.record(APPENDED, messages.len() as u64);
            let last = messages.last().map_or(state.head, |message| message.seq);
            tracing::debug!(%channel, seq = last.0, messages = messages.len(), "appended");
            return Ok(());
        }
    }
    Err(PortError {
        operation: "append",
        detail: format!("the head of `{channel}` moved {ATTEMPTS} times under the writer"),
        retryable: true,
    })
}

/// Numbers the unknown messages from the sequence after `head`.
fn number(arrivals: &[NewMessage], head: Seq, mut known: HashSet<(UserId, MessageId)>) -> Vec<Message> {
    let mut last = head;
    let mut messages = Vec::with_capacity(arrivals.len());
    for NewMessage { id, from, content, receipt, at } in arrivals.iter().cloned() {
        if known.insert((from.clone(), id.clone())) {
            last = last.next();
            messages.push(Message { seq: last, id, from, content, at, receipt });
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(from: &str, id: &str) -> NewMessage {
        let (from, id) = (UserId::parse(from).unwrap(), MessageId::parse(id).unwrap());
        NewMessage { id, from, content: Content::Deleted(Seq(1)), receipt: None, at: Timestamp(1_000) }
    }

    fn check(arrivals: &[NewMessage], known: &[(&str, &str)], expected: &[(u64, &str)]) {
        let known =
            known.iter().map(|(from, id)| (UserId::parse(from).unwrap(), MessageId::parse(id).unwrap())).collect();
        let messages = number(arrivals, Seq(7), known);
        let numbered: Vec<_> = messages.iter().map(|message| (message.seq.0, message.id.as_str())).collect();
        assert_eq!(numbered, expected);
    }

    #[test]
    fn messages_are_numbered_behind_the_head() {
        check(&[arrival("alice", "a"), arrival("alice", "b")], &[], &[(8, "a"), (9, "b")]);
    }

    #[test]
    fn known_and_repeated_messages_leave_no_hole() {
        let batch = [arrival("alice", "a"), arrival("alice", "b"), arrival("alice", "b"), arrival("alice", "c")];
        check(&batch, &[("alice", "a")], &[(8, "b"), (9, "c")]);
    }

    #[test]
    fn two_senders_may_use_the_same_id() {
        check(&[arrival("alice", "a"), arrival("bob", "a")], &[], &[(8, "a"), (9, "a")]);
    }
}
