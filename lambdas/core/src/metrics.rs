//! What is counted for operators: every metric with its unit and meaning, and an invocation's measurements before they are written.
//!
//! The rules record by the port `Meter`; `hubbub-aws` writes one line for each invocation, from which CloudWatch takes the values.
//! A metric has the dimensions [`STACK`] and [`FUNCTION`] and no others: CloudWatch charges for each combination of values, so that a channel or a
//! user as a dimension would cost as much as there are channels or users. No value tells of an id, a body or an address.

use std::collections::BTreeMap;
use std::time::Duration;

/// CloudWatch's namespace of all metrics.
pub const NAMESPACE: &str = "Hubbub";

/// The dimension with the stack's name.
pub const STACK: &str = "stack";

/// The dimension with the function's name, which is its crate's.
pub const FUNCTION: &str = "function";

/// Values of a distribution in one line, at most: the embedded metric format allows no more.
pub const MAX_VALUES: usize = 100;

/// A unit, as CloudWatch calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// So many; the values of an invocation are added up.
    Count,
    /// A time; each value is kept, for percentiles.
    Milliseconds,
}

impl Unit {
    /// CloudWatch's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

/// Something that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    /// Its name in CloudWatch.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// What it says.
    pub meaning: &'static str,
    /// The functions that record it.
    pub functions: &'static [&'static str],
}

/// Messages that clients published and were told `accepted`.
pub const ACCEPTED: Metric = Metric {
    name: "Accepted",
    unit: Unit::Count,
    meaning: "messages of clients that are on the publish queue; what services send to it, SQS counts",
    functions: &["receive"],
};
/// Messages that went into logs.
pub const APPENDED: Metric = Metric {
    name: "Appended",
    unit: Unit::Count,
    meaning: "messages that went into their channels' logs, with the notices of orders",
    functions: &["deliver"],
};
/// Deliveries that succeeded.
pub const DELIVERED: Metric = Metric {
    name: "Delivered",
    unit: Unit::Count,
    meaning: "messages times the members that they were delivered to; a page that is repeated counts again",
    functions: &["deliver", "deliver-page"],
};
/// Deliveries to sockets that are not there.
pub const GONE: Metric = Metric {
    name: "Gone",
    unit: Unit::Count,
    meaning: "messages times the members whose socket is not there (410), who are pruned",
    functions: &["deliver", "deliver-page"],
};
/// Deliveries that were throttled to the end.
pub const THROTTLED: Metric = Metric {
    name: "Throttled",
    unit: Unit::Count,
    meaning: "messages times the members that were answered 429 to the end, and recover",
    functions: &["deliver", "deliver-page"],
};
/// Deliveries that failed otherwise.
pub const FAILED: Metric = Metric {
    name: "Failed",
    unit: Unit::Count,
    meaning: "messages times the members that could not be posted to, or not in time, and recover",
    functions: &["deliver", "deliver-page"],
};
/// Posts against the callback budget.
pub const POSTS: Metric = Metric {
    name: "Posts",
    unit: Unit::Count,
    meaning: "frames times the members that they were posted to, receipts, presence and signals: what uses up `callbackRps`, but for tries that are repeated",
    functions: &["announce", "deliver", "deliver-page", "plan-broadcast", "receive"],
};
/// How long rounds take.
pub const ROUND_TIME: Metric = Metric {
    name: "RoundTime",
    unit: Unit::Milliseconds,
    meaning: "from the plan of a broadcast's round until all its pages are delivered",
    functions: &["plan-broadcast"],
};
/// How old messages are when they are delivered.
pub const AGE: Metric = Metric {
    name: "Age",
    unit: Unit::Milliseconds,
    meaning: "from when the queue took a message until all its channel's members were posted it; of many in a round, a hundred",
    functions: &["deliver", "plan-broadcast"],
};
/// Messages that can never be delivered.
pub const DEAD_LETTERS: Metric = Metric {
    name: "DeadLetters",
    unit: Unit::Count,
    meaning: "messages that can never be delivered; those that the queue itself gives up are only on the dead-letter queue",
    functions: &["deliver"],
};
/// How long sockets were open.
pub const CONNECTION_MINUTES: Metric = Metric {
    name: "ConnectionMinutes",
    unit: Unit::Count,
    meaning: "minutes, begun ones whole, that sockets were open; counted when one closes, if API Gateway says so",
    functions: &["disconnect"],
};

/// All metrics.
pub const ALL: [Metric; 11] =
    [ACCEPTED, APPENDED, DELIVERED, GONE, THROTTLED, FAILED, POSTS, ROUND_TIME, AGE, DEAD_LETTERS, CONNECTION_MINUTES];

/// Measurements that have been recorded and not been written yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measurements(BTreeMap<Metric, Values>);

/// What was recorded of a metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Values {
    kept: Vec<u64>,
    /// One of this many values is kept.
    stride: u64,
    seen: u64,
}

impl Measurements {
    /// Adds to a count, or a value to a distribution. Memory is bounded, however much is recorded. A count of nothing is not recorded:
    /// CloudWatch charges for a metric in each hour in which it gets a value.
    pub fn record(&mut self, metric: Metric, value: u64) {
        match metric.unit {
            Unit::Count if value == 0 => {}
            Unit::Count => {
                let Values { kept, .. } = self.0.entry(metric).or_default();
                let sum = kept.pop().unwrap_or_default();
                kept.push(sum.saturating_add(value));
            }
            Unit::Milliseconds => self.0.entry(metric).or_default().sample(value),
        }
    }

    /// The metrics that have values, and these: one of a count, [`MAX_VALUES`] at most of a distribution.
    pub fn iter(&self) -> impl Iterator<Item = (&Metric, &[u64])> {
        self.0.iter().map(|(metric, values)| (metric, values.kept.as_slice()))
    }

    /// What was counted of a metric, or how many values a distribution has.
    #[must_use]
    pub fn total(&self, metric: Metric) -> u64 {
        let Some(values) = self.0.get(&metric) else { return 0 };
        match metric.unit {
            Unit::Count => values.kept.iter().sum(),
            Unit::Milliseconds => values.seen,
        }
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Values {
    /// Keeps every value while there is room, then every second one, then every fourth: the distribution stays what it is.
    fn sample(&mut self, value: u64) {
        let stride = self.stride.max(1);
        if self.seen.is_multiple_of(stride) {
            if self.kept.len() == MAX_VALUES {
                let mut position = 0;
                self.kept.retain(|_| {
                    position += 1;
                    position % 2 == 1
                });
                self.stride = stride * 2;
            }
            self.kept.push(value);
        }
        self.seen += 1;
    }
}

/// A time as a value.
#[must_use]
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own_a_meaning_and_a_function() {
        for (index, metric) in ALL.iter().enumerate() {
            assert!(ALL.iter().skip(index + 1).all(|other| other.name != metric.name), "{}", metric.name);
            assert!(metric.name.chars().all(|c| c.is_ascii_alphabetic()), "{}", metric.name);
            assert!(!metric.meaning.is_empty() && !metric.functions.is_empty(), "{}", metric.name);
        }
    }

    #[test]
    fn counts_are_added_up_and_a_count_of_nothing_is_no_value() {
        let mut measurements = Measurements::default();
        measurements.record(GONE, 0);
        assert!(measurements.is_empty());
        for value in [2, 0, 3] {
            measurements.record(DELIVERED, value);
        }
        assert_eq!(measurements.iter().collect::<Vec<_>>(), [(&DELIVERED, [5].as_slice())]);
        assert_eq!((measurements.total(DELIVERED), measurements.total(GONE)), (5, 0));
    }

    #[test]
    fn a_distribution_keeps_its_values_while_there_is_room() {
        let mut measurements = Measurements::default();
        for value in 0..100 {
            measurements.record(AGE, value);
        }
        let (_, values) = measurements.iter().next().unwrap();
        assert_eq!(values, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn of_many_values_an_even_choice_is_kept() {
        for count in [101_u64, 200, 999, 10_000] {
            let mut measurements = Measurements::default();
            for value in 0..count {
                measurements.record(AGE, value);
            }
            let (_, values) = measurements.iter().next().unwrap();
            assert!((50..=MAX_VALUES).contains(&values.len()), "{count}: {}", values.len());
            let step = values[1] - values[0];
            assert!(values.windows(2).all(|pair| pair[1] - pair[0] == step), "{count}: {values:?}");
            assert!(count - values.last().unwrap() <= 2 * step, "{count}: {values:?}");
            assert_eq!(measurements.total(AGE), count);
        }
    }
}
