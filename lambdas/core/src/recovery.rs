//! Recovery: what a member missed, or that it can't be had any more.

use crate::channel::Channel;
use crate::frame::{MAX_FRAME_BYTES, count_that_fits};
use crate::id::{Epoch, MAX_ID_BYTES};
use crate::message::{Message, Seq};
use crate::ports::{ChannelState, Log, PortError, PortResult, ReadLimit};
use crate::presence::MAX_COMPANY;
use crate::time::Timestamp;

/// What an answer needs besides its messages: the type, the channel, the epoch, the numbers and a `ref`, all with room to spare.
const ANSWER_BYTES: usize = 1_024;

/// How many bytes of messages fit into an answer.
const BUDGET: usize = MAX_FRAME_BYTES - ANSWER_BYTES;

/// What the users of a small room need in an answer: a hundred ids, each with its quotes and a comma, and what is around them.
const PRESENCE_BYTES: usize = MAX_COMPANY * (MAX_ID_BYTES + 3) + 64;

/// What a member missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// All of it, or the first part and `more`.
    Recovered {
        /// The messages behind `since`, in order.
        messages: Vec<Message>,
        /// Whether there is more to ask for.
        more: bool,
    },
    /// It can't be had: another epoch, or retention has passed.
    Lost,
}

/// Reads what a member missed since a sequence that it saw.
///
/// `state` was read after the member joined: what it doesn't cover is posted to the member, so that there is no gap between the two,
/// and the messages end with its head, so that there is no overlap but for posts under way.
///
/// With `presence`, there is room left for who is there.
///
/// # Errors
/// When the log can't be read.
pub async fn recover<S: Log>(
    log: &S,
    channel: &Channel,
    state: &ChannelState,
    since: Seq,
    epoch: Option<&Epoch>,
    presence: bool,
    now: Timestamp,
) -> PortResult<Recovery> {
    if epoch.is_some_and(|epoch| *epoch != state.epoch) || since > state.head {
        return Ok(Recovery::Lost);
    }
    if since == state.head {
        return Ok(Recovery::Recovered { messages: Vec::new(), more: false });
    }
    let budget = if presence { BUDGET - PRESENCE_BYTES } else { BUDGET };
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

/// Reads a page of the log backwards from `before`: the messages, oldest first, and whether there are older ones.
///
/// # Errors
/// When the log can't be read.
pub async fn history<S: Log>(
    log: &S,
    channel: &Channel,
    state: &ChannelState,
    before: Option<Seq>,
    limit: usize,
    now: Timestamp,
) -> PortResult<(Vec<Message>, bool)> {
    let before = before.unwrap_or_else(|| state.head.next());
    let limits = ReadLimit { messages: limit + 1, bytes: BUDGET };
    let mut messages = log.read_back(channel, &state.epoch, before, limits, now).await?;
    let read = messages.len();
    messages.truncate(limit.min(fitting(&messages, BUDGET)?));
    let more = messages.len() < read;
    messages.reverse();
    Ok((messages, more))
}

/// How many of the first messages an answer holds; one at least, which always fits.
fn fitting(messages: &[Message], budget: usize) -> PortResult<usize> {
    count_that_fits(messages, budget).map(|count| count.max(1)).map_err(|error| PortError {
        operation: "pack answer",
        detail: error.to_string(),
        retryable: false,
    })
}
