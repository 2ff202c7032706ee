//! One short example a crate; run one with `cargo run -p larder-examples --example memo`.
#![forbid(unsafe_code)]
