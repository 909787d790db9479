//! The receive function.
