//! A room's shards, pages, frames and senders, as the functions' own rules decide them.

use hubbub_core::broadcast::page::{Page, plan_pages};
use hubbub_core::limits::budget::MAX_MAP_CONCURRENCY;
use hubbub_core::members::shard::{shard_of, shards_wanted};
use hubbub_core::transport::API_GATEWAY;
use hubbub_core::wire::channel::Channel;
use hubbub_core::wire::frame::{Frame, pack};
use hubbub_core::wire::id::{Epoch, MessageId, RoomId, UserId};
use hubbub_core::wire::message::{Body, Content, Message, Seq};
use hubbub_core::wire::time::Timestamp;

use crate::inputs::{PlanError, Tuning};
use crate::number::{size as length, whole};

/// When the planned messages were published.
const SOME_TIME: u64 = 1_000;

/// More messages than the smallest ones that fit into a frame.
const MORE_THAN_A_FRAME: u64 = 400;

/// A room as the functions see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Its members by shard.
    pub counts: Vec<u64>,
    /// The members of each page of a broadcast; a single one where `deliver` posts by itself.
    pub pages: Vec<u64>,
    /// Whether `deliver` posts by itself.
    pub inline: bool,
    /// Pages that are under way at once, at most.
    pub concurrency: u32,
    /// Frames of a round, at most.
    pub round_frames: u64,
    /// Messages that a frame takes.
    pub frame_messages: u64,
    /// Bytes of a frame with one message.
    pub frame_bytes: u64,
    /// Bytes that each further message adds to a frame.
    pub message_bytes: u64,
}

impl Shape {
    /// The shape of a room whose members are spread over these shards.
    ///
    /// # Errors
    /// When messages can't be packed, which is not known to happen.
    pub fn of(counts: Vec<u64>, size: u64, tuning: &Tuning) -> Result<Self, PlanError> {
        let budget = tuning.budget();
        let inline = counts.iter().sum::<u64>() <= tuning.inline_limit;
        let pages = if inline { vec![counts.iter().sum()] } else { pages(&counts, tuning.page_members) };
        let frames = frames(size)?;
        let first = frames.first();
        let alone = frames_of(&[message_of(1, size)?])?.first().map_or(0, |frame| frame.text.len() as u64);
        let frame_messages = first.map_or(1, |frame| frame.last.0);
        let full = first.map_or(0, |frame| frame.text.len() as u64);
        Ok(Self {
            counts,
            pages,
            inline,
            concurrency: if inline { 1 } else { budget.page_senders().min(MAX_MAP_CONCURRENCY) },
            round_frames: tuning.round_frames.min(budget.round_frames(tuning.page_members)),
            frame_messages,
            frame_bytes: alone,
            message_bytes: full / frame_messages.max(1),
        })
    }

    /// The shape of a room whose members are spread evenly.
    ///
    /// # Errors
    /// As [`Shape::of`].
    pub fn even(members: u64, size: u64, tuning: &Tuning) -> Result<Self, PlanError> {
        let shards = u64::from(shards_wanted(&[members], tuning.shard_members));
        let (each, rest) = (members / shards, members % shards);
        let counts = (0..shards).map(|shard| each + u64::from(shard < rest)).collect();
        Self::of(counts, size, tuning)
    }

    /// The members.
    #[must_use]
    pub fn members(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Frames for this many messages.
    #[must_use]
    pub fn frames_for(&self, messages: f64) -> u64 {
        whole((messages / self.frame_messages.max(1) as f64).ceil()).max(1)
    }

    /// How many senders are at work at once.
    #[must_use]
    pub fn senders(&self) -> u32 {
        self.concurrency.min(u32::try_from(self.pages.len()).unwrap_or(u32::MAX))
    }
}

fn pages(counts: &[u64], page_members: u64) -> Vec<u64> {
    plan_pages(counts, page_members).iter().map(|page| page_size(page, counts)).collect()
}

fn page_size(page: &Page, counts: &[u64]) -> u64 {
    page.shards.iter().filter_map(|shard| counts.get(length(u64::from(*shard)))).sum()
}

/// A message whose body has this many bytes of JSON.
fn message_of(seq: u64, size: u64) -> Result<Message, PlanError> {
    let text = "x".repeat(length(size.saturating_sub(2)).max(1));
    Ok(Message {
        seq: Seq(seq),
        id: MessageId::parse(&format!("m-{seq}")).map_err(invalid)?,
        from: UserId::parse("alice").map_err(invalid)?,
        content: Content::Body(Body::parse(format!("\"{text}\"")).map_err(invalid)?),
        at: Timestamp(SOME_TIME + seq),
        receipt: None,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "so that `map_err` takes it as it is")]
fn invalid(error: impl ToString) -> PlanError {
    PlanError::Frame(error.to_string())
}

fn frames_of(messages: &[Message]) -> Result<Vec<Frame>, PlanError> {
    let epoch = Epoch::new("01J00000000000000000000000");
    let room = Channel::Room(RoomId::parse("room0").map_err(invalid)?);
    pack(&room, &epoch, messages, API_GATEWAY.max_frame_bytes).map_err(invalid)
}

fn frames(size: u64) -> Result<Vec<Frame>, PlanError> {
    let messages: Vec<Message> = (1..=MORE_THAN_A_FRAME).map(|seq| message_of(seq, size)).collect::<Result<_, _>>()?;
    frames_of(&messages)
}

/// The shards of the benchmark's connections, by the hash of their ids.
#[must_use]
pub fn shards_of_ids(room: &str, members: u64, tuning: &Tuning) -> Vec<u64> {
    let shards = shards_wanted(&[members], tuning.shard_members);
    let mut counts = vec![0; length(u64::from(shards))];
    for number in 0..members {
        let id = hubbub_core::wire::id::ConnectionId::new(format!("{room}-{number:09}="));
        if let Some(count) = counts.get_mut(length(u64::from(shard_of(&id, shards)))) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(members: u64) -> Shape {
        Shape::even(members, 1_024, &Tuning::default()).unwrap()
    }

    #[test]
    fn room_is_split_as_the_functions_split_it() {
        assert_eq!((shape(1_000).pages, shape(1_000).inline), (vec![1_000], true));
        assert_eq!((shape(10_000).counts.len(), shape(10_000).pages), (8, vec![5_000, 5_000]));
        assert_eq!((shape(100_000).counts.len(), shape(100_000).pages.len()), (64, 22));
    }

    #[test]
    fn thirty_messages_of_a_kilobyte_share_a_frame() {
        assert!((29..31).contains(&shape(1).frame_messages), "{:?}", shape(1));
        assert_eq!(Shape::even(1, 24_576, &Tuning::default()).unwrap().frame_messages, 1);
    }

    #[test]
    fn shards_of_ids_vary_as_hashes_do() {
        let counts = shards_of_ids("room0", 100_000, &Tuning::default());
        assert_eq!((counts.iter().sum::<u64>(), counts.len()), (100_000, 64));
        let variance = counts.iter().map(|count| (*count as f64 - 1_562.5).powi(2)).sum::<f64>() / 64.0;
        assert!((800.0..2_600.0).contains(&variance), "{variance}");
    }
}
