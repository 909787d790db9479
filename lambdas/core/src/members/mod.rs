//! Connections, memberships and members.

pub mod connection;
pub mod dismissal;
pub mod membership;
pub mod pruning;
pub mod shard;
