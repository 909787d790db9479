//! How fast a user may publish: a number of messages a second, and a burst after a rest.
//!
//! The rule is the generic cell rate algorithm. What is remembered of a user is one moment, the *arrival* of the next message if all came
//! evenly; a message may come before it by as much as the burst lasts. So one conditional write decides, whichever of the user's
//! sockets the message comes from.

use std::time::Duration;

use crate::wire::time::Timestamp;

/// How fast a user may publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishRate {
    /// Messages a second.
    pub per_second: u64,
    /// Messages at once, after a rest.
    pub burst: u64,
}

/// What a message is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Now.
    pub now: Timestamp,
    /// By how much each message moves the arrival.
    pub interval: Duration,
    /// How far ahead of now the arrival may be.
    pub ahead: Duration,
}

impl PublishRate {
    /// A message that comes now.
    #[must_use]
    pub fn turn(self, now: Timestamp) -> Turn {
        self.turns(now, 1)
    }

    /// A frame that comes now and counts as `count` messages.
    #[must_use]
    pub fn turns(self, now: Timestamp, count: u32) -> Turn {
        // In whole milliseconds, as timestamps are; a thousand messages a second are the most that this tells apart.
        let interval = Duration::from_millis((1_000 / self.per_second.max(1)).max(1));
        let ahead = interval.saturating_mul(u32::try_from(self.burst.saturating_sub(1)).unwrap_or(u32::MAX));
        Turn { now, interval: interval.saturating_mul(count), ahead }
    }
}

impl Turn {
    /// The arrival after this message, if it may come; else how long to wait.
    ///
    /// # Errors
    /// The wait.
    pub fn take(self, arrival: Option<Timestamp>) -> Result<Timestamp, Duration> {
        let arrival = arrival.unwrap_or(self.now).max(self.now);
        let ahead = arrival.since(self.now);
        if ahead > self.ahead { Err(ahead - self.ahead) } else { Ok(arrival.plus(self.interval)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: PublishRate = PublishRate { per_second: 20, burst: 4 };

    #[test]
    fn a_burst_may_come_at_once_and_the_rest_evenly() {
        let mut arrival = None;
        for _ in 0..4 {
            arrival = Some(RATE.turn(Timestamp(1_000)).take(arrival).unwrap());
        }
        assert_eq!(RATE.turn(Timestamp(1_000)).take(arrival), Err(Duration::from_millis(50)));
        assert_eq!(RATE.turn(Timestamp(1_049)).take(arrival), Err(Duration::from_millis(1)));
        arrival = Some(RATE.turn(Timestamp(1_050)).take(arrival).unwrap());
        assert!(RATE.turn(Timestamp(1_050)).take(arrival).is_err());
        assert!(RATE.turn(Timestamp(60_000)).take(arrival).is_ok());
    }

    proptest! {
        #[test]
        fn no_more_come_than_the_rate_and_the_burst_allow(steps in prop::collection::vec(0_u64..100, 1..500)) {
            let (mut now, mut arrival, mut taken) = (0, None, Vec::new());
            for step in steps {
                now += step;
                if let Ok(next) = RATE.turn(Timestamp(now)).take(arrival) {
                    arrival = Some(next);
                    taken.push(now);
                }
            }
            for (index, first) in taken.iter().enumerate() {
                let within = taken[index..].iter().take_while(|at| **at < first + 1_000).count();
                prop_assert!(within <= 20 + 4, "{within} within a second");
            }
        }
    }
}
