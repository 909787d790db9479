//! Any input at Hubbub's entry points: the bodies of the fuzz targets, and what they share with the property tests.
//!
//! A target is a plain function of bytes that panics when a rule is broken. `fuzz/` hands it to libFuzzer (`scripts/fuzz`), and
//! `tests/corpora.rs` hands it every input that was kept (`scripts/test`). All of them run the real rules on the store in memory.
//!
//! Inputs are texts, one thing on a line, so that people can read and write them:
//!
//! | target | a line |
//! |---|---|
//! | [`client_frame`] | a frame; `root> ` or another name before it says who sends it, `alice` without |
//! | [`envelope`] | a record of the queue: its message group, a tab and the body; or `!7` and `?7`, by which the seventh effect is refused, or done without an answer |
//! | [`token_claims`] | the whole input is a token's claims, or its header and a line with its claims |
//! | [`cursor`] | what the state machine hands to `plan-broadcast` or `deliver-page`, or a frame of a client |

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a target says by a panic that a rule is broken"
)]

pub mod batch;
mod client_frame;
mod cursor;
mod envelope;
pub mod faults;
pub mod ports;
pub mod stage;
mod token_claims;

pub use client_frame::client_frame;
pub use cursor::cursor;
pub use envelope::envelope;
pub use token_claims::token_claims;

/// A target: a function of any bytes, which panics when a rule is broken.
pub type Target = fn(&[u8]);

/// Every target with its name, which is also its corpus's.
pub const TARGETS: [(&str, Target); 4] =
    [("client_frame", client_frame), ("envelope", envelope), ("token_claims", token_claims), ("cursor", cursor)];
