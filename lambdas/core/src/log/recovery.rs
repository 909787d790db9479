//! Recovery: the messages that a member missed, or the answer that they are lost.

use crate::log::state::ChannelState;
use crate::ports::{Log, PortResult, ReadLimit};
use crate::wire::channel::Channel;
use crate::wire::frame::count_that_fits;
use crate::wire::id::{Epoch, MAX_ID_BYTES};
use crate::wire::message::{Message, Seq};
use crate::wire::server_frame::MAX_SMALL_ROOM;
use crate::wire::time::Timestamp;

/// The bytes of an answer without its messages: the type, the channel, the epoch, the numbers and a `ref`, with room to spare.
const ANSWER_BYTES: usize = 1_024;

/// The bytes of a small room's users in an answer: a hundred ids, each with its quotes and a comma, and the field around them.
const PRESENCE_BYTES: usize = MAX_SMALL_ROOM * (MAX_ID_BYTES + 3) + 64;

/// How many bytes of messages fit into an answer of `max_frame_bytes`; fewer where it also holds a small room's users.
#[must_use]
pub const fn answer_budget(max_frame_bytes: usize, with_presence: bool) -> usize {
    let presence = if with_presence { PRESENCE_BYTES } else { 0 };
    max_frame_bytes.saturating_sub(ANSWER_BYTES + presence)
}

/// The last message that a member saw.
#[derive(Clone, Copy, Debug)]
pub struct Since<'a> {
    pub seq: Seq,
    /// The epoch that it was seen in; without it, any.
    pub epoch: Option<&'a Epoch>,
}

/// The messages that a member missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// All of them, or the first part of them and `more`.
    Recovered {
        /// The messages after `since`, in order.
        messages: Vec<Message>,
        /// Whether there is more to ask for.
        more: bool,
    },
    /// They are lost: the epoch is another, or retention has passed.
    Lost,
}

/// Reads the messages after the last one that a member saw, at most `budget` bytes of them.
///
/// `state` was read after the member joined. Later messages are posted to the member, so there is no gap; and the messages end with the head
/// of `state`, so they overlap only with posts under way.
///
/// # Errors
/// When the log can't be read.
pub async fn recover<S: Log>(
    log: &S,
    channel: &Channel,
    state: &ChannelState,
    Since { seq: since, epoch }: Since<'_>,
    budget: usize,
    now: Timestamp,
) -> PortResult<Recovery> {
    if epoch.is_some_and(|epoch| *epoch != state.epoch) || since > state.head {
        return Ok(Recovery::Lost);
    }
    if since == state.head {
        return Ok(Recovery::Recovered { messages: Vec::new(), more: false });
    }
    let limit = ReadLimit { messages: usize::MAX, bytes: budget };
    let mut messages = log.read(channel, &state.epoch, since, limit, now).await?;
    messages.retain(|message| message.seq <= state.head);
    if messages.first().is_none_or(|first| first.seq != since.next()) {
        return Ok(Recovery::Lost);
    }
    messages.truncate(fitting(&messages, budget)?);
    let more = messages.last().is_some_and(|last| last.seq < state.head);
    Ok(Recovery::Recovered { messages, more })
}

/// A page of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// Whether there are older ones.
    pub more: bool,
}

/// Reads a page of the log backwards from `before`: at most `limit` messages and `budget` bytes.
///
/// # Errors
/// When the log can't be read.
pub async fn history<S: Log>(
    log: &S,
    channel: &Channel,
    state: &ChannelState,
    before: Option<Seq>,
    limit: usize,
    budget: usize,
    now: Timestamp,
) -> PortResult<LogPage> {
    let before = before.unwrap_or_else(|| state.head.next());
    let limits = ReadLimit { messages: limit + 1, bytes: budget };
    let mut messages = log.read_back(channel, &state.epoch, before, limits, now).await?;
    let read = messages.len();
    messages.truncate(limit.min(fitting(&messages, budget)?));
    let more = messages.len() < read;
    messages.reverse();
    Ok(LogPage { messages, more })
}

/// How many of the first messages an answer holds: at least one, which always fits.
fn fitting(messages: &[Message], budget: usize) -> PortResult<usize> {
    Ok(count_that_fits(messages, budget)?.max(1))
}
