//! What the benchmarks share: key distributions, thread harness, load, pictures, tables, models of
//! other systems.

#![forbid(unsafe_code)]

pub mod claims;
pub mod lender;
pub mod load;
pub mod machine;
pub mod mod_python;
pub mod photos;
pub mod pictures;
pub mod plan;
pub mod report;
pub mod sdbm;
pub mod table;
pub mod threads;
pub mod waits;
pub mod zipf;
