//! Delivery: the publish queue's messages go to logs, and from there to members.

pub mod age;
pub mod deliver;
pub mod fan_out;
pub mod outcome;
pub mod settlement;
