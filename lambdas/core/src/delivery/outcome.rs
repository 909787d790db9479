//! What became of posts: for one member, for a page, for a broadcast.

use std::iter::Sum;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// What became of the posts to one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// API Gateway took every frame.
    Delivered,
    /// 410: the socket is not there.
    Gone,
    /// 429, again and again: the account's quota, or a client that doesn't read. The member recovers by the gap.
    Throttled,
    /// Anything else: an error, or no answer in time. The member recovers by the gap.
    Failed,
}

/// How many members had which outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Members that were posted to.
    pub members: u64,
    /// Members that were delivered every frame.
    pub delivered: u64,
    /// Members whose socket is not there.
    pub gone: u64,
    /// Members that were throttled to the end.
    pub throttled: u64,
    /// Members whose posts failed otherwise.
    pub failed: u64,
    /// Frames times members.
    pub posts: u64,
}

impl Tally {
    /// Counts the outcomes of posting `frames` frames to members.
    #[must_use]
    pub fn count(outcomes: &[Outcome], frames: usize) -> Self {
        let of = |wanted: Outcome| outcomes.iter().filter(|outcome| **outcome == wanted).count() as u64;
        let members = outcomes.len() as u64;
        Self {
            members,
            delivered: of(Outcome::Delivered),
            gone: of(Outcome::Gone),
            throttled: of(Outcome::Throttled),
            failed: of(Outcome::Failed),
            posts: members * frames as u64,
        }
    }
}

impl AddAssign for Tally {
    /// A number stays where it ends: tallies come back from outside, by the state machine.
    fn add_assign(&mut self, other: Self) {
        self.members = self.members.saturating_add(other.members);
        self.delivered = self.delivered.saturating_add(other.delivered);
        self.gone = self.gone.saturating_add(other.gone);
        self.throttled = self.throttled.saturating_add(other.throttled);
        self.failed = self.failed.saturating_add(other.failed);
        self.posts = self.posts.saturating_add(other.posts);
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |mut sum, tally| {
            sum += tally;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_has_one_outcome() {
        use Outcome::{Delivered, Failed, Gone, Throttled};
        let tally = Tally::count(&[Delivered, Gone, Delivered, Throttled, Failed], 3);
        assert_eq!(tally, Tally { members: 5, delivered: 2, gone: 1, throttled: 1, failed: 1, posts: 15 });
        assert_eq!([tally, tally].into_iter().sum::<Tally>().posts, 30);
    }
}
