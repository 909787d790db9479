//! The host's clock, and fresh ids.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hubbub_core::ports::{Clock, Ids};
use hubbub_core::wire::time::Timestamp;
use ulid::Ulid;

/// The host's clock and randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "this is where time comes in")]
    fn now(&self) -> Timestamp {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Ids for System {
    fn fresh(&self) -> String {
        Ulid::new().to_string()
    }
}
