//! How fast users, senders and the whole stack may go.

pub mod budget;
pub mod pace;
pub mod turns;
