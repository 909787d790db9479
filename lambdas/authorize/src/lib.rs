//! Decides who may connect: verifies the token, and hands the user and what it may do on to the other functions.

#[cfg(feature = "function")]
mod handler;
#[cfg(feature = "function")]
pub mod keys;
pub mod token;

#[cfg(feature = "function")]
pub use handler::Handler;
