//! Settles a round of a broadcast and plans the next.

mod handler;

pub use handler::Handler;
