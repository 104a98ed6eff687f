//! The edgenode frontend. Not built up yet: see the crates.
fn main() {}
