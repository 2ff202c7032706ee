//! What the benchmarks share: key distributions, thread harness, pictures.

#![forbid(unsafe_code)]

pub mod lender;
pub mod photos;
pub mod pictures;
pub mod report;
pub mod threads;
pub mod zipf;
