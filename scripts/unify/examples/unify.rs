//! Selected so that cargo unites features; see the package.

fn main() {}
