//! Leases: one broadcast for each channel at a time.
//!
//! A lease's id is also the execution's name, so that starting it again is harmless, and its successor's id follows from its own, so
//! that any later run can finish a handover that was cut short.

use serde::{Deserialize, Serialize};

use crate::wire::channel::Channel;
use crate::wire::id::LeaseId;
use crate::wire::time::Timestamp;

/// A channel's lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it.
    pub id: LeaseId,
    /// Until when, unless it is renewed.
    pub until: Timestamp,
}

impl Lease {
    /// Whether it still counts.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// How much of a channel's name a lease shows. An execution's name has 80 characters at most: these, a hyphen, an id of 26 and a
/// generation.
const CHANNEL_CHARS: usize = 44;

/// The first lease of a broadcast. `fresh` is an id that was never used: a name can't be used again for 90 days.
///
/// An execution's name may hold no `:`, and with `.` in it CloudWatch Logs can't be used, so both are written `_`.
#[must_use]
pub fn first(channel: &Channel, fresh: &str) -> LeaseId {
    let name: String = channel
        .to_string()
        .chars()
        .map(|character| if matches!(character, ':' | '.') { '_' } else { character })
        .take(CHANNEL_CHARS)
        .collect();
    LeaseId::new(format!("{name}-{fresh}-1"))
}

/// The lease of the execution that takes over from this one.
#[must_use]
pub fn successor(lease: &LeaseId) -> LeaseId {
    let (base, generation) = lease.as_str().rsplit_once('-').unwrap_or((lease.as_str(), ""));
    let generation: u32 = generation.parse().unwrap_or(1);
    LeaseId::new(format!("{base}-{}", generation.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::id::RoomId;

    #[test]
    fn a_lease_is_a_name_that_step_functions_takes() {
        let room = Channel::Room(RoomId::parse(&format!("a.b:c_{}", "x".repeat(58))).unwrap());
        let mut lease = first(&room, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
        assert!(lease.as_str().starts_with("room_a_b_c_xxx"));
        for _ in 0..1_000 {
            lease = successor(&lease);
        }
        assert!(lease.as_str().len() <= 80, "{lease}");
        assert!(lease.as_str().ends_with("-01ARZ3NDEKTSV4RRFFQ69G5FAV-1001"));
    }

    #[test]
    fn a_lease_counts_until_its_end() {
        let lease = Lease { id: LeaseId::new("x"), until: Timestamp(10) };
        assert!(lease.is_live(Timestamp(9)));
        assert!(!lease.is_live(Timestamp(10)));
    }
}
