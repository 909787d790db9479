//! `authorize`: decides who may connect, and tells the other functions who it is and what the token grants.

#[cfg(feature = "lambda")]
mod handler;
#[cfg(feature = "lambda")]
pub mod keys;
pub mod token;

#[cfg(feature = "lambda")]
pub use handler::Handler;
