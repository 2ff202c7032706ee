//! What the benchmarks share: key distributions, thread harness, pictures.

pub mod zipf;
