//! End-to-end tests, demo and benchmarks on a local stack.
