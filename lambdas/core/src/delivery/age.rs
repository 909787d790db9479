//! The age of messages when they are delivered.

use crate::metrics::{AGE, MAX_VALUES, milliseconds};
use crate::ports::Meter;
use crate::wire::time::Timestamp;

/// Records when messages were delivered, each by when the queue took it.
pub fn record_ages<M: Meter>(meter: &M, now: Timestamp, taken_at: impl IntoIterator<Item = Timestamp>) {
    for at in taken_at {
        meter.record(AGE, milliseconds(now.since(at)));
    }
}

/// Some of many moments, evenly chosen, so that a distribution can be made of them.
#[must_use]
pub fn choose(moments: &[Timestamp]) -> Vec<Timestamp> {
    let step = moments.len().div_ceil(MAX_VALUES).max(1);
    moments.iter().step_by(step).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_moments_a_hundred_at_most_are_chosen_evenly() {
        let moments: Vec<Timestamp> = (0..250).map(Timestamp).collect();
        assert_eq!(choose(&moments).len(), 84);
        assert_eq!(choose(&moments[..100]), moments[..100]);
        assert_eq!(choose(&[]), []);
    }
}
