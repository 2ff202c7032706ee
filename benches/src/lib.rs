//! What the benchmarks share: key distributions, thread harness, pictures, models of other systems.

#![forbid(unsafe_code)]

pub mod lender;
pub mod mod_python;
pub mod photos;
pub mod pictures;
pub mod report;
pub mod sdbm;
pub mod threads;
pub mod zipf;
