//! Broadcasts: a large channel is delivered in rounds, under a lease, by the state machine.

pub mod page;
pub mod page_delivery;
pub mod planner;
pub mod round;
