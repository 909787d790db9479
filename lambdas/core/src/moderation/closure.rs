//! What is taken away: a message's body, a room's members, a room's whole log.
//!
//! A body that is gone leaves its message's place in the log, so that sequences stay without holes, and a message that the queue delivers
//! again is still found.

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::ports::{Clock, Ids, Log, PortError, PortResult, ReadLimit};
use crate::wire::channel::Channel;
use crate::wire::id::{Epoch, MessageId, UserId};
use crate::wire::message::{Message, Seq};
use crate::wire::time::Timestamp;

/// How many messages of a log are read at a time to be erased.
const READ_MESSAGES: usize = 256;

/// How many bodies are removed at a time.
const REDACTIONS_AT_ONCE: usize = 16;

/// Removes a message's body; how many are gone, one or none.
///
/// # Errors
/// When the log can't be read or written.
pub async fn delete<S: Log>(log: &S, channel: &Channel, seq: Seq) -> PortResult<u64> {
    let Some(state) = log.state(channel).await? else { return Ok(0) };
    log.redact(channel, &state.epoch, seq).await.map(u64::from)
}

/// Closes a channel to those who want to join it. Those who are members stay so until they are told, which is the fan-out's work.
///
/// # Errors
/// When the channel can't be read or written.
pub async fn close<S: Log, E: Ids>(log: &S, env: &E, channel: &Channel) -> PortResult<()> {
    log.open(channel, &Epoch::new(env.fresh())).await?;
    // INVARIANT: the channel is closed before its members are told and removed, and a join reads `closed` after it has written the member. So no
    // member is left.
    log.set_closed(channel, true).await
}

/// Removes the bodies of all messages before the notice with this id, and returns how many. Messages after the notice stay, also when this is
/// repeated.
///
/// # Errors
/// When the log can't be read or written, or time is up. Erasing again goes on from there.
pub async fn erase_before<S: Log, E: Clock>(
    log: &S,
    env: &E,
    channel: &Channel,
    notice: (&UserId, &MessageId),
    deadline: Timestamp,
) -> PortResult<u64> {
    let Some(state) = log.state(channel).await? else { return Ok(0) };
    let limit = ReadLimit { messages: READ_MESSAGES, bytes: usize::MAX };
    let (mut before, mut erased, mut is_found) = (state.head.next(), 0, false);
    loop {
        // As of the beginning of time, when nothing had expired: what has expired may be there for days.
        let messages = log.read_back(channel, &state.epoch, before, limit, Timestamp(0)).await?;
        let Some(oldest) = messages.last() else { return Ok(erased) };
        before = oldest.seq;
        let older = messages.iter().skip_while(|message| {
            is_found = is_found || (&message.from, &message.id) == notice;
            !is_found
        });
        erased += stream::iter(older.filter(|message| message.content.body().is_some()))
            .map(|message: &Message| log.redact(channel, &state.epoch, message.seq))
            .buffer_unordered(REDACTIONS_AT_ONCE)
            .try_fold(0, async |erased, gone| Ok(erased + u64::from(gone)))
            .await?;
        if env.now() >= deadline {
            return Err(PortError {
                operation: "erase log",
                detail: format!("time is up before `{channel}` is erased"),
                retryable: true,
            });
        }
    }
}
