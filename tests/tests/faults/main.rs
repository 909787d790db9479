//! Faults on the local stack.
