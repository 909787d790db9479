//! Figures as text: counts, times and percentiles.

use std::time::Duration;

/// A number of things: `1 socket`, `2 sockets`.
#[must_use]
pub fn counted(count: u64, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

/// The smallest value that this many percent of all do not exceed. The values are sorted, the shortest first.
#[must_use]
pub fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// In milliseconds, to a tenth.
#[must_use]
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentile_is_the_value_of_its_rank() {
        let hundred: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        let check = |sorted: &[Duration], percent, expected: Option<u64>| {
            assert_eq!(percentile(sorted, percent), expected.map(Duration::from_millis));
        };
        check(&hundred, 50, Some(50));
        check(&hundred, 99, Some(99));
        check(&hundred, 100, Some(100));
        check(&hundred[..1], 50, Some(1));
        check(&hundred[..3], 99, Some(3));
        check(&[], 50, None);
    }

    #[test]
    fn one_thing_has_no_plural() {
        assert_eq!(counted(1, "socket"), "1 socket");
        assert_eq!(counted(0, "socket"), "0 sockets");
    }
}
