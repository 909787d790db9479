//! Faults on the local stack: real functions are stopped, killed and refused things at the worst moments, and nothing may be lost, come
//! twice or come out of order.
//!
//! scripts/test starts the stack, with short timeouts, because what a killed function held comes back after them, and with posts one
//! after the other, because a page that is posted all at once has no middle. The faults are of the whole stack, so that the tests take
//! turns. A moment that can't be met for certain is tried for until it was met, and each test says how it knows.
//!
//! What a local AWS can't do (a socket that isn't read, a post that hangs, endless 429s) is tried on the gateway in tests/gateway.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod broadcast;
mod deliver;
mod members;
mod room;
