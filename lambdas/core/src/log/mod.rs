//! A channel's log: append, recovery, leases.

pub mod append;
pub mod lease;
pub mod read;
pub mod recovery;
pub mod state;
