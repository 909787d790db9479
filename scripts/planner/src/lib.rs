//! Plans a Hubbub stack: the time until every member has a message, the price, and the settings that it needs.
//!
//! The plan is a set of formulas over the functions' own budget, pages and frames (`hubbub-core`); see [`estimate`] for the formulas and
//! [`latency`] for the assumed times.
//!
//! | what | where |
//! |---|---|
//! | the question | [`inputs`] |
//! | shards, pages, frames of a room | [`shape`] |
//! | the time of each step, and its source | [`latency`] |
//! | times and work | [`estimate`], [`traffic`] |
//! | AWS's prices, and a month's bill | [`prices`], [`bill`] |
//! | everything together, and the settings | [`plan`] |
//! | as text, and as plots | [`report`], [`plot`] |
//! | next to the measurements | [`comparison`] |
//! | the command | [`command`] |

pub mod bill;
pub mod command;
pub mod comparison;
pub mod estimate;
pub mod inputs;
pub mod latency;
pub mod number;
pub mod plan;
pub mod plot;
pub mod prices;
pub mod report;
pub mod shape;
pub mod traffic;
