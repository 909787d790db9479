//! Shards: the parts that a channel's members are spread over. Each is a partition of the table.

use sha2::{Digest, Sha256};

use crate::wire::id::ConnectionId;

/// The number of one part of a channel's members; each is a partition of the table.
pub type Shard = u32;

/// The shard of a connection that joins a channel with `shards` shards.
#[must_use]
pub fn shard_of(connection: &ConnectionId, shards: u32) -> Shard {
    let digest = Sha256::digest(connection.as_str().as_bytes());
    let hash = digest.iter().take(8).fold(0, |hash: u64, byte| hash << 8 | u64::from(*byte));
    Shard::try_from(hash % u64::from(shards.max(1))).unwrap_or_default()
}

/// Whether a join that brought its shard to `members` should look if the shards must double.
///
/// Looking reads every shard's count, so it isn't done at each join: at the first one over the limit, and then at every tenth part
/// of the limit.
#[must_use]
pub fn is_growth_due(members: u64, shard_members: u64) -> bool {
    members > shard_members && (members - shard_members - 1).is_multiple_of((shard_members / 10).max(1))
}

/// The number of shards that a channel should have: doubled until they hold `shard_members` each, on average.
///
/// The average counts, not the fullest shard: members never move, so the first shards stay fuller than the later ones.
#[must_use]
pub fn shards_wanted(counts: &[u64], shard_members: u64) -> u32 {
    let members: u64 = counts.iter().sum();
    let mut shards = u32::try_from(counts.len()).unwrap_or(u32::MAX).max(1);
    while members > u64::from(shards) * shard_members && shards < MAX_SHARDS {
        shards *= 2;
    }
    shards
}

/// The most shards of a channel: 4,096 of the default size hold eight million members.
pub const MAX_SHARDS: u32 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_keeps_its_shard_while_the_number_of_shards_does() {
        let connection = ConnectionId::new("L0SM9cOFvHcCIhw=");
        assert_eq!(shard_of(&connection, 8), shard_of(&connection, 8));
        assert_eq!(shard_of(&connection, 1), 0);
        assert_eq!(shard_of(&connection, 0), 0);
    }

    #[test]
    fn connections_spread_evenly() {
        let mut counts = [0u32; 8];
        for number in 0..8_000 {
            counts[shard_of(&ConnectionId::new(format!("connection-{number}")), 8) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
    }

    #[test]
    fn shards_double_when_they_hold_too_many_on_average() {
        assert_eq!(shards_wanted(&[2_000], 2_000), 1);
        assert_eq!(shards_wanted(&[2_001], 2_000), 2);
        assert_eq!(shards_wanted(&[3_000, 900], 2_000), 2);
        assert_eq!(shards_wanted(&[3_000, 1_001], 2_000), 4);
        assert_eq!(shards_wanted(&[9_000], 2_000), 8);
        assert_eq!(shards_wanted(&[u64::MAX], 1), MAX_SHARDS);
        assert_eq!(shards_wanted(&[], 2_000), 1);
    }

    #[test]
    fn growth_is_checked_at_the_limit_and_each_tenth_later() {
        let due: Vec<u64> = (0..=2_450).filter(|members| is_growth_due(*members, 2_000)).collect();
        assert_eq!(due, [2_001, 2_201, 2_401]);
        assert!(is_growth_due(2, 1));
    }
}
