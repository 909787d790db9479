//! The disconnect function.
