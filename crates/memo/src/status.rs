//! How a whole table is doing.

use crate::error::Error;
use std::time::Duration;

/// How the loads of a [`StaticTable`](crate::StaticTable) went so far; made by
/// [`status`](crate::StaticTable::status).
#[derive(Debug)]
#[non_exhaustive]
pub struct Status {
    /// Rows of the table that was loaded last.
    pub rows: usize,
    /// Time since the load of that table began; `None` if there is none yet.
    pub age: Option<Duration>,
    /// Whether the next look-up has to wait for a load: there is no table yet, or what it depends
    /// on was bumped.
    pub is_stale: bool,
    /// Loads that gave a table.
    pub loads: u64,
    /// Loads that gave none, since the loader failed or panicked.
    pub failures: u64,
    /// Why the last of these failed, however many have succeeded since.
    pub last_error: Option<Error>,
}
