//! A thumbnail server.
fn main() {}
