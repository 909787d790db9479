//! API Gateway's @connections on the loopback: what a poster posts to in tests and benchmarks.
//!
//! It answers as the real one does where a poster can tell: it checks path, signature headers and size; it has the account's quota
//! of requests, a latency, a buffer for each client, and faults by connection id. It counts what it was asked. It doesn't hold
//! sockets: a post that is answered 200 goes nowhere.
//!
//! | what | where |
//! |---|---|
//! | what it is like | [`Settings`] |
//! | which ids go wrong, and how | [`Fault`] |
//! | what it was asked | [`Counters`] |
//! | starting and stopping | [`Gateway`] |
//!
//! It depends on nothing else of Hubbub, so that it judges the poster by its own rules.

mod account;
mod certificate;
mod counters;
mod fault;
mod latency;
mod request;
mod server;
mod service;
mod settings;

pub use counters::Counters;
pub use fault::Fault;
pub use server::Gateway;
pub use settings::{Buffer, Latency, Quota, Settings};
