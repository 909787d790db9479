//! For tests of the rules: ports that fail on demand.

pub mod intercept;
