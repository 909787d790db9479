//! Records a connection that opens, as a member of its user's channel and of everyone.

mod handler;

pub use handler::Handler;
