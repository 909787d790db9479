//! Moderation: carrying out commands. A user leaves, a body is removed, a room is closed or opened.

pub mod closure;
pub mod expulsion;
pub mod moderator;
