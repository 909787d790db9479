//! What tests of the rules share.
//!
//! [`memory`] is the store in memory, on which the rules' tests and the simulation run. [`store_suite`] holds the tests that every store must
//! pass. [`fixtures`] has time that is set by hand, ids that count, and ports that record.

pub mod fixtures;
pub mod memory;
pub mod store_suite;
