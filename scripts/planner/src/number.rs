//! Numbers between the whole and the broken, in one place because the compiler can't see that they fit.

use std::time::Duration;

/// The nearest whole number; nothing below zero.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float that is cast saturates")]
pub fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// The next whole number; nothing below zero.
#[must_use]
pub fn at_least(value: f64) -> u64 {
    whole(value.ceil())
}

/// An index or a length.
#[must_use]
pub fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A place in time in microseconds, as a duration.
#[must_use]
pub fn at(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// A duration in whole microseconds.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The value below which a part of sorted values lies; nothing where there are none.
#[must_use]
pub fn quantile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(size(whole(part * last as f64))).copied().unwrap_or_default()
}

/// The mean; nothing where there are no values.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}
