//! The plan-broadcast function.
