//! End-to-end tests: real sockets, real functions, on the local stack that `HUBBUB_OUTPUTS` names. scripts/test starts one.
//!
//! Each test has rooms and users of its own, so that they run side by side. None sleeps and hopes: each waits for a condition until a
//! deadline.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod command_line;
mod connecting;
mod dead_letters;
mod delivery;
mod ending;
mod examples;
mod moderation;
mod presence;
mod queue;
mod receipts;
mod secrets;
mod signals;
mod talking;
