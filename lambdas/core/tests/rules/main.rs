//! The rules, on the store in memory.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod broadcast;
mod client_frames;
mod client_handler;
mod connecting;
mod deliver;
mod expulsion;
mod frames;
mod grants;
mod moderation;
mod presence;
