//! Plans a Hubbub stack: how long until everybody has a message, what it costs, and which settings it wants.
//!
//! What the functions decide, they decide here: the rules of `hubbub-core` run on the store in memory, in simulated time. See
//! [`simulation`] for what is played, [`latency`] for what is assumed.
//!
//! | what | where |
//! |---|---|
//! | what is asked | [`inputs`] |
//! | shards, pages, frames of a room | [`shape`] |
//! | how long steps take, and where that is known from | [`latency`] |
//! | the plan in closed form | [`estimate`] |
//! | the plan by chance | [`simulation`], [`monte_carlo`] |
//! | what AWS asks, and what a month comes to | [`prices`], [`bill`] |
//! | everything together, and the settings | [`plan`] |
//! | for people, and as lines to look at | [`report`], [`plot`] |
//! | beside what was measured | [`comparison`] |
//! | the command | [`command`] |

pub mod bill;
pub mod command;
pub mod comparison;
pub mod estimate;
pub mod inputs;
pub mod latency;
pub mod monte_carlo;
pub mod number;
pub mod plan;
pub mod plot;
pub mod prices;
pub mod report;
mod sender;
pub mod shape;
pub mod simulation;
pub mod traffic;
