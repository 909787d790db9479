//! Hubbub's state machines: their definitions, the values of the placeholders, and our rules for definitions.
//!
//! A definition is a file of its own beside this crate, valid JSON as it stands, with placeholders such as
//! `${DeliverPageArn}` where SAM's `DefinitionSubstitutions` would have them. This crate runs nothing: the Pulumi program
//! fills the placeholders with references, a test with plain ARNs.

pub mod check;
pub mod render;

pub use check::{Problem, Violation, check};
pub use render::{Arns, Piece, RenderError, broadcast, broadcast_pieces};

/// The broadcast state machine's committed definition, with its placeholders.
pub const BROADCAST: &str = include_str!("../broadcast.asl.json");

/// The timeouts of tasks, and of the functions that they wait for.
pub mod timeouts {
    /// Seconds between the function's timeout and its task's, so that the execution shows the function's own error.
    pub const MARGIN_SECONDS: u64 = 5;
    /// `TimeoutSeconds` of `PlanBroadcast`.
    pub const PLAN_BROADCAST_SECONDS: u64 = 60;
    /// `TimeoutSeconds` of `DeliverPage`.
    pub const DELIVER_PAGE_SECONDS: u64 = 120;
}
