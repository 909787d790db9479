//! What tests of the rules share.
//!
//! [`memory`] is the store in memory, on which the rules' tests and the simulation run. [`intercept`] puts hooks around every call of a port,
//! which may delay it, fail it, or lose its answer. [`store_suite`] holds the tests that every store must pass. [`fixtures`] has time that is set
//! by hand, ids that count, and ports that record.

pub mod fixtures;
pub mod intercept;
pub mod memory;
pub mod store_suite;
