//! Named arrays of variables that every thread reads and updates atomically.
//!
//! A threaded server has a few values that all its threads share and that change while it runs:
//! counters, switches, the list of mirrors, who holds the job. AOLserver gave them a command of
//! its own, `nsv`, and its users built on little else:
//!
//! ```tcl
//! nsv_incr hits $url                        ;# 1  one step, not get and set
//! nsv_set -default jobs thumbs $me          ;# 2  one wins, all learn who
//! nsv_array reset mirrors $list             ;# 3  all of them at once
//! set url [nsv_get mirrors $country]        ;# 4  from every thread, all the time
//! ```
//!
//! This crate is that command for Rust, typed, and without what its threads paid for it:
//!
//! * **4** There even a read takes a lock, which it shares with all arrays of its bucket, and
//!   writes a counter. Here it is one probe: it takes no lock, waits for nobody, and writes no
//!   line that another thread reads.
//! * **3** There readers wait for it. Here they have the old list until the moment at which all of
//!   them have the new one, and even two reads in a row cannot see a part of it.
//! * **1** A count is changed where it stands: one probe, one atomic exchange, one store. A bulk
//!   update of counts changes them there too, and is still one moment.
//! * **2** An update of a key holds one lock of its array's 16. What comes from a closure is
//!   computed before anything is changed, so that a panic leaves the old value; and a closure that
//!   updates an array is told so, where a lock would hang.
//! * Anything that a client can name would grow for ever. [`Array::max_entries`] and
//!   [`Vars::max_arrays`] refuse what is too much, and a count that overflows is an [`Error`] that
//!   names it.
//!
//! ```
//! use larder_vars::{Array, Vars};
//!
//! /// One array of counts.
//! static HITS: Array<String, u64> = Array::new().max_entries(10_000);
//!
//! /// Any number of arrays, found by name.
//! static VARS: Vars<String, String> = Vars::new().max_arrays(100);
//!
//! assert_eq!(HITS.incr("/", 1)?, 1);
//!
//! let mirrors = VARS.array("mirrors");
//! let list = [("no", "oslo.example"), ("se", "lund.example")];
//! mirrors.replace(list.map(|(country, host)| (country.to_owned(), host.to_owned())))?;
//! assert_eq!(mirrors.get("no").as_deref(), Some("oslo.example"));
//!
//! let winner = VARS.array("jobs").get_or_set("thumbs", "worker 1".to_owned())?;
//! assert_eq!(winner, "worker 1");
//! # Ok::<(), larder_vars::Error>(())
//! ```
//!
//! What all of `nsv` is called here is in [`nsv`].
//!
//! # Map
//!
//! ```text
//! vars  Vars ---> home     where an array lives: in itself, or in a Vars
//!                  |
//! array  Array ----+--> update  the ways to update it
//!                  +--> nested  dictionaries as values
//!                  +--> view    several keys at one moment
//!                  |
//!                core      one array: locks, moments, bounds
//!                  +--> bulk    updates of many keys at one moment
//!                  +--> stripe  a lock for some of the keys, and a count of their changes
//!                  +--> slot    a value, or two of which a bulk update decides, or a
//!                  |            +--> cell  a count that is changed in place
//!                  +--> shelf   the index behind guards (papaya) --> hash
//!                  +--> busy    who may not update now
//!                  +--> pause   updates wait for a look that may take no lock
//!                  +--> tally   how many variables there are and may be
//!
//! count  what can be counted      glob  patterns of names      error  why an update was refused
//! copies  counts that a view has lent
//! ```
//!
//! `sync` is the one door to threads: under `--cfg loom` it gives out loom's, and the models in
//! `tests/loom_vars.rs` drive these very types.
#![forbid(unsafe_code)]

mod array;
mod bulk;
mod busy;
mod cell;
mod copies;
mod core;
mod count;
mod error;
mod glob;
mod hash;
mod home;
mod nested;
pub mod nsv;
mod pause;
mod shelf;
mod slot;
mod stripe;
mod sync;
mod tally;
mod update;
mod vars;
mod view;

pub use array::{Array, NamedArray};
pub use count::Count;
pub use error::Error;
pub use glob::glob;
pub use home::{Home, Named, Own};
pub use nested::{Dict, Nested};
pub use vars::Vars;
pub use view::{Moved, View};
