//! Hubbub's state machines: the definitions as they ship, how their placeholders are filled, and what must hold of them.
//!
//! A definition is a file of its own beside this crate, valid JSON as it stands, with placeholders such as
//! `${DeliverPageArn}` where SAM's `DefinitionSubstitutions` would have them. This crate runs nothing: the Pulumi program
//! fills the placeholders with references, a test with plain ARNs.

pub mod check;
pub mod render;

pub use check::{Fault, Problem, check};
pub use render::{Arns, Piece, RenderError, broadcast, broadcast_pieces};

/// The broadcast state machine as it ships, with its placeholders.
pub const BROADCAST: &str = include_str!("../broadcast.asl.json");

/// The ends of the functions' own time, in seconds, and of the tasks that wait for them.
pub mod timeouts {
    /// How many seconds a function gives up before its task does, so that the function's own error is the one that is seen.
    pub const MARGIN_SECONDS: u64 = 5;
    /// `TimeoutSeconds` of `PlanBroadcast`.
    pub const PLAN_BROADCAST_SECONDS: u64 = 60;
    /// `TimeoutSeconds` of `DeliverPage`.
    pub const DELIVER_PAGE_SECONDS: u64 = 120;
}
