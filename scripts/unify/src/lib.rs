//! Empty, like the example beside it, which is what this package is for.
//!
//! Cargo unites the features of the packages that a command selects, and those of their development dependencies where it
//! builds a test or an example. `cargo build --workspace --bin NAME --example unify` therefore compiles only what NAME
//! needs, with the features that `--workspace --all-targets` gives: nothing is compiled again later. docs/adr/0010 has more.
