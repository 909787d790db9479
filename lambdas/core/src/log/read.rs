//! Reading a range of a log.

use crate::ports::{Clock, Log, PortResult, ReadLimit};
use crate::wire::channel::Channel;
use crate::wire::id::Epoch;
use crate::wire::message::{Message, Seq};

/// How many messages are read from the log at a time.
const READ_MESSAGES: usize = 256;

/// Reads a range of the log, without what has expired.
///
/// # Errors
/// When the log can't be read.
pub async fn read_range<S: Log, E: Clock>(
    log: &S,
    env: &E,
    channel: &Channel,
    epoch: &Epoch,
    (from, to): (Seq, Seq),
) -> PortResult<Vec<Message>> {
    let mut messages: Vec<Message> = Vec::new();
    let mut after = from;
    while after < to {
        let limit = ReadLimit { messages: READ_MESSAGES, bytes: usize::MAX };
        let read = log.read(channel, epoch, after, limit, env.now()).await?;
        let Some(last) = read.last() else { break };
        after = last.seq;
        messages.extend(read.into_iter().take_while(|message| message.seq <= to));
    }
    Ok(messages)
}
