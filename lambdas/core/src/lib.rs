//! Hubbub's rules: a channel is an ordered log with members, and there is one append, one fan-out and one recovery.
//!
//! This crate does no I/O and knows no AWS type. Time, ids and every effect come in by [`ports`]. `hubbub-aws` implements them, and
//! `hubbub-functions` turns events into calls of the rules. Modules lower in this table use only modules above them.
//!
//! | module | owns |
//! |---|---|
//! | [`names`], [`settings`], [`functions`], [`transport`] | names that two parts spell alike, settings, the functions, the transport's limits |
//! | [`wire`] | ids, messages, frames and queue messages, as they are read and written |
//! | [`limits`], [`metrics`] | rates, the callback budget; what is counted for operators |
//! | [`ports`] | the effects that the rules need |
//! | [`log`] | append, recovery, leases |
//! | [`members`], [`presence`] | connections, memberships, shards; the users of small rooms, signals |
//! | [`moderation`] | carrying out moderation commands |
//! | [`delivery`], [`broadcast`] | from the publish queue to members: fan-out, rounds, receipts |
//! | [`actions`] | one file for each client action |

pub mod actions;
pub mod broadcast;
pub mod delivery;
pub mod functions;
pub mod limits;
pub mod log;
pub mod members;
pub mod metrics;
pub mod moderation;
pub mod names;
pub mod ports;
pub mod presence;
pub mod settings;
pub mod transport;
pub mod wire;
