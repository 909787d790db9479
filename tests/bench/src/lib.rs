//! What `scripts/bench` measures in Rust. The programs under `bin/` print JSON; the scripts run them beside their rivals, and write the
//! report.
//!
//! | what | where |
//! |---|---|
//! | CPU time and memory of this process | [`cost`] |
//! | the gateway and DynamoDB, as processes of their own | [`processes`] |
//! | rooms full of members | [`room`] |
//! | Step Functions' part: rounds, and pages over senders on threads of their own | [`machine`] |
//! | broadcasts that are measured | [`scenario`] |
//! | the SDK's poster, a rival | [`sdk_poster`] |

pub mod cost;
pub mod machine;
pub mod processes;
pub mod room;
pub mod scenario;
pub mod sdk_poster;
