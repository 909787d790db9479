//! Checks and renders Hubbub's state machines.
