//! Answers clients' frames: every route but `$connect` and `$disconnect`.

mod handler;

pub use handler::Handler;
