//! Process-wide memoised look-ups whose hits write next to nothing that threads share.
//!
//! A hit of a [`StaticMemo`] or a [`StaticTable`] writes nothing shared. One of a [`Memo`] writes
//! at most its entry's own two-bit counter, until that is full, and, in a memo with an idle time,
//! the time of its use.
//!
//! Every threaded server has this dictionary somewhere:
//!
//! ```python
//! cache = {}                            # 1  one for the process
//!
//! def title(photo):                     # 2
//!     if photo in cache:                # 3  hit?
//!         return cache[photo]           # 4  then return it
//!     row = query(photo)                # 5  else ask the database
//!     cache[photo] = row                # 6  and remember
//!     return row                        # 7
//!
//! def rename(photo, row):
//!     update(photo, row)                # 8  change the database
//!     cache.pop(photo, None)            # 9  and forget
//! ```
//!
//! It is the right idea, and under threads nearly every line of it is wrong:
//!
//! * **1** It grows with every key that a client thinks of, and never shrinks. [`Memo`] holds so
//!   many entries and no more, and its hash is seeded, so that keys cannot be chosen to collide.
//!   [`StaticMemo`] is for tables that are bounded by themselves, and [`StaticTable`] for those
//!   that are best loaded as a whole, and as a whole again when they have changed.
//! * **3, 4** Between the two the key may go. And each look-up takes a lock, or raises a reference
//!   count, that all threads share, so that a second core makes hits slower, not faster. Here a
//!   hit is one probe. It locks nothing; it counts itself on a line that belongs to its thread,
//!   and writes its entry's two-bit counter until the entry is known to be popular.
//! * **5** The page that all ask for expires, and all of them query at once. Here one loads and the
//!   others wait for it, with a deadline; nobody waits for the load of another key. A loader that
//!   fails or panics fails its own caller, the waiters try again, and nothing is remembered. One
//!   that asks for its own key gets an [`Error`] that names the key, where a lock would hang.
//!   And a page of fifty titles is fifty queries: [`Memo::get_many`] makes it one, for all keys
//!   that miss and that nobody else is loading.
//! * **6** The row was read before another thread passed lines 8 and 9: the old row is stored after
//!   it was forgotten, and stays. Here a load that began before an invalidation is never stored,
//!   and never returned to anyone who asked after it.
//! * **7** `row` is copied, or counted. A `static` [`StaticMemo`] lends a `&'static V`;
//!   [`Memo::read`] lends for the length of a closure.
//! * **8** The update is part of a transaction, which reads its own rows and puts them where all can
//!   see them, and is rolled back. Inside a [`Transaction`] scope its thread goes past the memos,
//!   and what it has to forget is forgotten at the commit or not at all.
//! * **9** Forgets one key. Which keys did that `UPDATE` touch? Entries can depend on [`Tables`],
//!   and a bump forgets all that were computed from a table in one step. And whoever forgets
//!   line 9 serves old rows for ever: a [`ChangeFeed`] bumps what the database says has changed.
//!
//! ```
//! use larder_memo::{Memo, StaticMemo, Tables};
//!
//! /// Loaded as it is asked for, kept for ever, lent without a lock.
//! static COUNTRIES: StaticMemo<String, String> = StaticMemo::new();
//!
//! let country: &'static str = COUNTRIES.get_or_load("no", || "Norway".to_owned());
//! assert_eq!(country, "Norway");
//!
//! /// At most 10,000 answers, all of them as fresh as the table `photos`.
//! let tables = Tables::new();
//! let titles: Memo<u64, String> = Memo::builder(10_000).depends_on(&tables, ["photos"]).build();
//!
//! let title = titles.get_or_try_load(&7, || std::str::from_utf8(b"Dawn").map(str::to_owned))?;
//! assert_eq!(title, "Dawn");
//! tables.bump("photos");
//! assert_eq!(titles.get(&7), None);
//! # Ok::<(), larder_memo::LoadError<std::str::Utf8Error>>(())
//! ```
//!
//! # Map
//!
//! ```text
//! static_memo  StaticMemo --+--> table    insert-only hash table, read without a lock (unsafe
//!                           |             code: here and in swap)
//! bounded  BoundedMemo -----+             one that keeps so much and no more
//!                           |
//! builder --> memo  Memo ---+--> ask      the ways to bring a loader
//!                           |      +--> answer  hit, join, refresh, or lead
//!                           |      +--> lead    runs the loader --> load; lands, on time or late
//!                           +--> fate     what is to stand under a key
//!                           +--> many     a page of keys in one load
//!                           +--> flights  single flight by key --> flight  one load, its waiters
//!                           +--> store    a bounded shelf: one for values, one for absent keys
//!                           |      +--> shelf   entries behind guards (papaya) --> entry
//!                           |      +--> policy  who has to go: S3-FIFO, touched by inserts alone
//!                           +--> judge    what may be served
//!                           |      +--> tables  versions that make entries stale
//!                           |      +--> life    times that make entries old
//!                           +--> listener what has left, told under no lock
//!                           +--> stats    counters --> stripes  a line of them for each thread
//!
//! static_table  StaticTable --+--> swap      the whole that readers see --> hazard  who reads what
//!                             +--> reloads   one load at a time --> schedule  when one is due
//!                             +--> aside     loads inside a transaction
//!                             +--> snapshot  a whole to keep
//!                             +--> status    how the loads went
//!
//! feed  ChangeFeed --+--> tables  one sequence for the bumps of all tables
//! transaction -------+            (StaticTable asks it too)
//! ```
//!
//! `sync` is the one door to threads: under `--cfg loom` it gives out loom's, and the models in
//! `tests/loom_*.rs` drive these very types. `tests/a_history_has_no_order` checks random histories
//! of threads against the specification that is written there.
//!
#![doc = include_str!("../HAZARDS.md")]
#![deny(unsafe_code)]

mod answer;
mod aside;
mod ask;
mod bounded;
mod builder;
mod clock;
mod entry;
mod error;
mod fate;
mod feed;
mod flight;
mod flights;
mod hash;
mod hazard;
mod judge;
mod lead;
mod life;
mod listener;
mod load;
mod many;
mod memo;
mod policy;
mod reloads;
mod schedule;
mod shelf;
mod snapshot;
mod static_memo;
mod static_table;
mod stats;
mod status;
mod store;
mod stripes;
mod swap;
mod sync;
mod table;
mod tables;
mod transaction;

pub use bounded::{BoundedMemo, Lent};
pub use builder::Builder;
pub use clock::Clock;
pub use error::{Error, LoadError};
pub use feed::{Bumps, ChangeFeed};
pub use hash::Seeded;
pub use listener::Cause;
pub use load::Load;
pub use memo::Memo;
pub use snapshot::{Rows, Snapshot};
pub use static_memo::{Iter, StaticMemo};
pub use static_table::{Loaded, StaticTable};
pub use stats::Stats;
pub use status::Status;
pub use tables::Tables;
pub use transaction::Transaction;
