//! The client and the session, against a scripted server on loopback.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::result_large_err,
    reason = "a test fails by panicking, in its helpers too, and the large error is the WebSocket library's"
)]

mod client;
mod fake;
mod session;
