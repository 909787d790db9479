//! A client for Hubbub.
