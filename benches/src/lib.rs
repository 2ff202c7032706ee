//! What the benchmarks share: key distributions, thread harness, pictures.

#![forbid(unsafe_code)]

pub mod zipf;
