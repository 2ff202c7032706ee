//! Placeholder until the crate under test exists.
fn main() {}
