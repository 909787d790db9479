//! Appends what lies on the publish queue to the channels' logs, and fans it out or wakes the broadcast.

mod handler;

pub use handler::Handler;
