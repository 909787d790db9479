//! Time, which always comes in from outside.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment and a while.
    #[must_use]
    pub fn plus(self, while_: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(while_.as_millis()).unwrap_or(u64::MAX)))
    }

    /// This moment, a while ago.
    #[must_use]
    pub fn minus(self, while_: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(while_.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero where clocks disagree and it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// In seconds, as DynamoDB's time to live wants it; rounded up, so that a row never ends before its moment.
    #[must_use]
    pub fn as_ttl(self) -> u64 {
        self.0.div_ceil(1_000)
    }
}
