//! Frames: the text of one post to a socket. Every server frame is serialised here.
//!
//! Messages that are sent together share a frame, so that a busy channel costs one post for each member and round, not one for each
//! message.

use serde::Serialize;
use serde_json::Error;

use super::channel::Channel;
use super::id::Epoch;
use super::message::{Message, Seq};
use super::server_frame::ServerFrame;

/// A JSON text for a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The text.
    pub text: String,
    /// The last message in it. [`Seq::ZERO`] where the frame belongs to no log.
    pub last: Seq,
}

impl Frame {
    /// A frame that belongs to no log.
    ///
    /// # Errors
    /// None is known: every field is a string or JSON already. The type is serde_json's.
    pub fn beside_the_log(frame: &impl Serialize) -> Result<Self, Error> {
        Ok(Self { text: serde_json::to_string(frame)?, last: Seq::ZERO })
    }
}

/// Packs messages into as few frames of at most `max_bytes` as their order allows. A frame ends only between messages.
///
/// # Errors
/// As [`Frame::beside_the_log`].
pub fn pack(channel: &Channel, epoch: &Epoch, messages: &[Message], max_bytes: usize) -> Result<Vec<Frame>, Error> {
    let wrapper = serde_json::to_string(&ServerFrame::messages(channel, epoch, &[]))?.len();
    let mut frames = Vec::new();
    let mut rest = messages;
    while let Some((first, _)) = rest.split_first() {
        let count = count_that_fits(rest, max_bytes.saturating_sub(wrapper))?.max(1);
        let (group, later) = rest.split_at(count);
        let frame = match group {
            [message] => ServerFrame::message(channel, epoch, message),
            _ => ServerFrame::messages(channel, epoch, group),
        };
        frames.push(Frame { text: serde_json::to_string(&frame)?, last: group.last().unwrap_or(first).seq });
        rest = later;
    }
    Ok(frames)
}

/// How many of the first messages fit into an array of `budget` bytes between its brackets.
///
/// # Errors
/// As [`Frame::beside_the_log`].
pub fn count_that_fits(messages: &[Message], budget: usize) -> Result<usize, Error> {
    let mut used = 0;
    for (count, message) in messages.iter().enumerate() {
        used += serde_json::to_string(message)?.len() + usize::from(count > 0);
        if used > budget {
            return Ok(count);
        }
    }
    Ok(messages.len())
}
