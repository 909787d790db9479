//! Pages: how a broadcast's members are split over the state machine's Map.

use serde::{Deserialize, Serialize};

use crate::members::shard::Shard;

/// One item of the Map: shards whose members one `deliver-page` posts to. Never connection ids: a state's payload is 256 KiB at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its place among the round's pages.
    pub index: u32,
    /// The shards.
    pub shards: Vec<Shard>,
}

/// Groups shards into pages of about `page_members`; a larger shard is a page by itself. No shard is left out, however many members
/// it is said to have, because counts are approximate.
#[must_use]
pub fn plan_pages(counts: &[u64], page_members: u64) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    let mut room = None;
    for (shard, members) in (0..).zip(counts) {
        match (pages.last_mut(), room) {
            (Some(page), Some(left)) if *members <= left => {
                page.shards.push(shard);
                room = Some(left - members);
            }
            _ => {
                let index = u32::try_from(pages.len()).unwrap_or(u32::MAX);
                pages.push(Page { index, shards: vec![shard] });
                room = page_members.checked_sub(*members);
            }
        }
    }
    pages
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(counts: &[u64], expected: &[&[Shard]]) {
        let pages = plan_pages(counts, 5_000);
        let shards: Vec<&[Shard]> = pages.iter().map(|page| page.shards.as_slice()).collect();
        assert_eq!(shards, expected, "{counts:?}");
    }

    #[test]
    fn shards_fill_pages() {
        check(&[0], &[&[0]]);
        check(&[2_000, 2_000, 2_000], &[&[0, 1], &[2]]);
        check(&[2_500, 2_500, 1], &[&[0, 1], &[2]]);
        check(&[11_000, 100, 100], &[&[0], &[1, 2]]);
    }

    proptest! {
        #[test]
        fn each_shard_is_in_one_page_and_pages_are_not_too_large(
            counts in prop::collection::vec(0u64..12_000, 1..200),
            page_members in 1u64..20_000,
        ) {
            let pages = plan_pages(&counts, page_members);
            let shards: Vec<Shard> = pages.iter().flat_map(|page| page.shards.clone()).collect();
            prop_assert_eq!(shards, (0..u32::try_from(counts.len()).unwrap()).collect::<Vec<_>>());
            for (index, page) in (0..).zip(&pages) {
                prop_assert_eq!(page.index, index);
                let members: u64 = page.shards.iter().map(|shard| counts[*shard as usize]).sum();
                prop_assert!(page.shards.len() == 1 || members <= page_members);
            }
        }
    }
}
