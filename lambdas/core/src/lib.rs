//! Hubbub's rules: a channel is an ordered log with members, and there is one append, one fan-out and one recovery.
//!
//! This crate does no I/O and knows no AWS type. Time, ids and every effect come in by [`ports`]; `hubbub-aws` implements them, and the
//! functions under `lambdas/` turn events into calls of [`receive`], [`deliver`] and [`broadcast`].
//!
//! | what | where |
//! |---|---|
//! | what things are called | [`names`], [`functions`], [`config`], [`id`], [`channel`], [`time`] |
//! | what is on the wire | [`message`], [`envelope`], [`frame`], [`protocol`]; with the feature `schema`, as JSON Schema |
//! | the log | [`append`], [`recovery`] |
//! | who may do what, and how much | [`capability`], [`limit`] |
//! | what is taken away, and from whom | [`order`], [`expulsion`], [`closure`] |
//! | the members | [`member`], [`membership`], [`presence`], [`signal`] |
//! | the fan-out | [`fan_out`], [`page`], [`lease`], [`broadcast`], [`outcome`], [`settlement`] |
//! | what operators see of it | [`metrics`] |

pub mod append;
pub mod broadcast;
pub mod capability;
pub mod channel;
pub mod closure;
pub mod config;
pub mod deliver;
pub mod envelope;
pub mod expulsion;
pub mod fan_out;
pub mod frame;
pub mod functions;
pub mod id;
pub mod lease;
pub mod limit;
pub mod member;
pub mod membership;
pub mod message;
pub mod metrics;
pub mod names;
pub mod object;
pub mod order;
pub mod outcome;
pub mod page;
pub mod ports;
pub mod presence;
pub mod protocol;
pub mod rate;
pub mod receive;
pub mod recovery;
#[cfg(feature = "schema")]
pub mod schema;
pub mod settlement;
pub mod signal;
pub mod time;

#[cfg(any(test, feature = "testing"))]
pub mod contract;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
