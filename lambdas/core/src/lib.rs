//! Hubbub's rules: channels, envelopes, frames, planning, ports. No I/O.

pub mod config;
pub mod names;
