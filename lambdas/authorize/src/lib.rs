//! Decides who may connect: verifies the token, and hands the user on to the other functions.

mod handler;
pub mod token;

pub use handler::{Handler, Keys};
