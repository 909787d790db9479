//! Delivers a page of a round: some thousands of a room's members.

mod handler;

pub use handler::Handler;
