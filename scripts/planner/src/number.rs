//! Conversions between integers and floats, in one place because the compiler can't see that they fit.

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
