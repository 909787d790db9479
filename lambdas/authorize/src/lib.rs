//! Decides who may connect: verifies the token, and hands the user and what it may do on to the other functions.

mod handler;
pub mod keys;
pub mod token;

pub use handler::Handler;
