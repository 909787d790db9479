//! Presence: the users who are in a small room, told to the members who asked for it; and signals to the members who are there now.
//!
//! A change of a shard's count returns whether somebody watches. The change then requests an announcement, unless one is due already. About a
//! second later the announcement posts all users who are there, as one frame. So a storm of joins is one frame, and a client that missed a
//! frame, or watches only since then, knows everything from the next one.
//!
//! Presence is best effort: nothing of it may fail a join or a delivery, and `who` tells the truth.

pub mod announcer;
pub mod notice;
pub(crate) mod signal;
pub(crate) mod small_room;
pub mod watch;
