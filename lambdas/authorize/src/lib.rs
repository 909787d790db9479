//! The authorize function.
