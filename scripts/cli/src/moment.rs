//! Times for people.

use std::time::Duration;

const DAY: u64 = 86_400;

/// A time in UTC, to the second: `2026-11-24 11:54:18Z`.
pub(crate) fn utc(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    let (year, month, day) = date(seconds / DAY);
    let (hour, minute, second) = (seconds % DAY / 3_600, seconds % 3_600 / 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day since 1970, by counting from a March, so that the leap day is a year's last
/// (howardhinnant.github.io/date_algorithms.html, civil_from_days).
const fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

/// A time span, in its largest unit.
pub(crate) fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..DAY => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc() {
        let check = |milliseconds, expected: &str| assert_eq!(utc(milliseconds), expected);
        check(0, "1970-01-01 00:00:00Z");
        check(951_782_400_000, "2000-02-29 00:00:00Z");
        check(1_767_323_045_999, "2026-01-02 03:04:05Z");
        check(4_107_542_399_000, "2100-02-28 23:59:59Z");
        check(4_107_542_400_000, "2100-03-01 00:00:00Z");
    }

    #[test]
    fn a_span_is_said_in_its_largest_unit() {
        let check = |seconds, expected: &str| assert_eq!(span(Duration::from_secs(seconds)), expected);
        check(59, "59 s");
        check(60, "1 min");
        check(7_200, "2 h");
        check(200_000, "2 d");
    }
}
