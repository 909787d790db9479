//! Frames: what one post carries to a member.
//!
//! Messages that are sent together share a frame, so that a busy channel costs one post for each member and round, not one for
//! each message.

use serde_json::Error;

use crate::channel::Channel;
use crate::id::Epoch;
use crate::message::{Message, Seq};
use crate::protocol::ServerFrame;

/// The largest frame, in bytes: API Gateway closes a socket that sends a larger one, and meters posts in steps of it
/// (apigateway-execution-service-websocket-limits-table).
pub const MAX_FRAME_BYTES: usize = 32_768;

/// A JSON text for a socket, of at most [`MAX_FRAME_BYTES`], and the last message in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The text.
    pub text: String,
    /// The last message in it.
    pub last: Seq,
}

/// Packs messages into as few frames as their order allows; a frame ends only between messages.
///
/// # Errors
/// None that is known: every field is a string or JSON already. The type is serde_json's.
pub fn pack(channel: &Channel, epoch: &Epoch, messages: &[Message]) -> Result<Vec<Frame>, Error> {
    let wrapper = serde_json::to_string(&ServerFrame::messages(channel, epoch, &[]))?.len();
    let mut frames = Vec::new();
    let mut rest = messages;
    while let Some((first, _)) = rest.split_first() {
        let count = count_that_fits(rest, MAX_FRAME_BYTES - wrapper)?.max(1);
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
/// As [`pack`].
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::message;

    fn packed(sizes: &[usize]) -> (Vec<Message>, Vec<Frame>) {
        let messages: Vec<Message> =
            sizes.iter().zip(1..).map(|(size, seq)| message(seq, &"x".repeat(*size))).collect();
        let frames = pack(&Channel::Everyone, &Epoch::new("E"), &messages).unwrap();
        (messages, frames)
    }

    #[test]
    fn one_message_has_the_short_form() {
        let (_, frames) = packed(&[1]);
        assert_eq!(
            frames[0].text,
            r#"{"type":"message","channel":"everyone","epoch":"E","seq":1,"id":"m-1","from":"alice","body":"x","at":1001}"#
        );
    }

    #[test]
    fn several_messages_share_a_frame() {
        let (_, frames) = packed(&[1, 2]);
        assert_eq!(frames.len(), 1);
        assert_eq!(
            frames[0].text,
            r#"{"type":"messages","channel":"everyone","epoch":"E","messages":[{"seq":1,"id":"m-1","from":"alice","body":"x","at":1001},{"seq":2,"id":"m-2","from":"alice","body":"xx","at":1002}]}"#
        );
        assert_eq!(frames[0].last, Seq(2));
    }

    proptest! {
        #[test]
        fn frames_hold_every_message_once_in_order_and_are_small_enough(sizes in prop::collection::vec(0usize..24_000, 0..30)) {
            let (messages, frames) = packed(&sizes);
            let mut held = Vec::new();
            for frame in &frames {
                prop_assert!(frame.text.len() <= MAX_FRAME_BYTES);
                let value: serde_json::Value = serde_json::from_str(&frame.text).unwrap();
                let seqs: Vec<u64> = match value.get("messages") {
                    Some(list) => list.as_array().unwrap().iter().map(|one| one["seq"].as_u64().unwrap()).collect(),
                    None => vec![value["seq"].as_u64().unwrap()],
                };
                prop_assert_eq!(seqs.last().copied(), Some(frame.last.0));
                held.extend(seqs);
            }
            let expected: Vec<u64> = messages.iter().map(|message| message.seq.0).collect();
            prop_assert_eq!(held, expected);
        }

        #[test]
        fn two_frames_in_a_row_would_not_fit_into_one(sizes in prop::collection::vec(0usize..24_000, 0..30)) {
            let (messages, frames) = packed(&sizes);
            let mut first = 0usize;
            for frame in &frames {
                let end = usize::try_from(frame.last.0).unwrap();
                if let Some(next) = messages.get(end) {
                    let with_next: usize = frame.text.len() + serde_json::to_string(next).unwrap().len();
                    prop_assert!(with_next + 20 > MAX_FRAME_BYTES, "{first}..{end}");
                }
                first = end;
            }
        }
    }
}
