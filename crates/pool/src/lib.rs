//! A thread-safe connection pool for any [r2d2 manager](ManageConnection): fast, fair, exact, and
//! it never loses a slot.
//!
//! ```
//! # #[cfg(feature = "sqlite")] {
//! use larder_pool::Pool;
//! use larder_pool::sqlite::SqliteManager;
//!
//! let pool = Pool::builder().max_size(8).build(SqliteManager::memory())?;
//! pool.get()?.execute_batch("CREATE TABLE photo (id INTEGER PRIMARY KEY, path TEXT)")?;
//!
//! std::thread::scope(|scope| {
//!     for id in 0..4 {
//!         let pool = &pool;
//!         scope.spawn(move || {
//!             let conn = pool.get().expect("a connection");
//!             conn.execute("INSERT INTO photo VALUES (?1, 'a.jpg')", [id]).expect("a row");
//!         }); // the connection goes back here
//!     }
//! });
//! assert_eq!(pool.state().connections, pool.state().idle_connections);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it works
//! Connections live in a fixed array of slots. A checkout claims one with one compare-exchange, the
//! slot that the thread had last first; a return publishes it with another. Nothing else is written
//! that two threads share, not even a reference count. Who finds no slot waits in a queue, and
//! while anybody waits each return hands its connection straight to the oldest. The right to a slot
//! is a value that frees the slot when it is dropped, on whichever way out: slots can't be lost.
//!
//! # Running it
//! [`Pool::get_many`] lends several connections at once, in its turn, all or none. [`Pool::resize`]
//! changes `max_size`, [`Pool::pause`] and [`Pool::resume`] keep callers waiting through a failover,
//! [`Pool::close_within`] drains. All of them act on what is free at once and on what is lent when
//! it comes back; nobody is interrupted. [`Pool::state`] tells where things are, without a lock.
//!
//! # Deadlines
//! One deadline covers waiting, testing and connecting. Waiting is exact. Connecting happens on the
//! thread of the caller who needs the connection, whose error it is then; Rust can't interrupt it,
//! so a `connect` that hangs holds that caller and one slot for as long as the manager lets it (and
//! for 5 s those who would open one next): give the manager a connect time-out. Where that can't be done,
//! [`Builder::isolate_blocking_calls`] makes the deadline exact at the price of a thread a connect.
//!
//! # Trouble
//! Whoever has a connection is known by the place that asked for it: [`Pool::holders`] lists them,
//! time-outs name them, [`Builder::leak_threshold`] reports them, and
//! [`Builder::nested_checkout`] refuses a thread a second one. A database that is out is met by one
//! attempt at a time, ever more seldom, and callers learn [why](Outage) at once. [`Pool::metrics`]
//! counts, [`Events`] tells.
//!
//! # Differences from r2d2
//! | | r2d2 | here |
//! |---|---|---|
//! | threads of its own | three a pool, shared by configuration | none |
//! | `build` | opens `min_idle`, by default `max_size` | opens `min_idle`, by default and at least one |
//! | afterwards | keeps `min_idle` idle, in the background | opens what a caller needs and finds no idle one for |
//! | while one opens | its caller takes what comes back meanwhile | its caller waits for that one, others take what comes back |
//! | which connection | the last returned | the thread's last; any idle one |
//! | who is next | whoever is quicker | the one who waited longest |
//! | a broken one goes | nobody who waits is helped, if `min_idle` is 0 | its slot goes to the oldest waiter |
//! | `connect` fails | tried again in the background for as long as the pool lives; the caller gets the message at the time-out | the caller gets the typed error at once, as `source()` |
//! | the database is out | callers wait for their time-outs | one tries at a time; the others get the cause at once, or wait for the end: [`Builder::during_outage`] |
//! | `get_timeout` | one deadline over the waits, tests come on top | one deadline over all; see above |
//! | `test_on_check_out` | each time, new ones too, or never | after 500 ms idle ([`Builder::test_after_idle`]) or never |
//! | `max_lifetime` | up to 30 s late, idle connections only | up to a tenth early, at checkout and return as well |
//! | `idle_timeout` | all of them, up to 30 s late, then `min_idle` are opened again | down to `min_idle`, by a returning caller that is due |
//! | dropped while panicking | goes back into the pool | is closed |
//! | a callback panics | its slot is lost, but for `on_release` | the panic reaches the caller, the slot is free |
//! | returned in a transaction | the next holder continues it | a [return gate](Builder::return_gate); on by `SqliteManager::pool` |
//! | `error_handler` | every error | those that no caller gets |
//! | `event_handler` | r2d2's events, which can't be made outside it | [`Builder::events`] |
//! | `Error` | one type | [`Error<M::Error>`](Error), the manager's own within; its predicates say what happened |
//! | `get_timeout(ZERO)` | lends what is idle; polling it gets connections opened in the background | lends what is idle and opens nothing; [`Pool::try_get`] says so |
//! | `build_unchecked` | begins to open `min_idle` in the background | opens nothing until somebody asks |
//! | many connect at once | as many as the background threads | one, then two, then four: [`Builder::during_outage`] |
//! | waiters | any number | [`Builder::max_waiters`], then an error at once |
//! | `thread_pool` | for connecting and ageing | none: there are no threads |
//! | `state().connections` | without those that are being opened | with them |
//! | `on_release` | for those that go one by one, not for the rest of a pool that is dropped | for each |
//! | several at once | one after another, and two callers may each hold what the other lacks | [`Pool::get_many`] |
//! | `max_size` | for ever | [`Pool::resize`], up to [`Builder::max_capacity`] |
//! | closing | when all clones and all lent connections are gone | when all clones are gone, or by [`Pool::close`]; lent ones as they come back |
//!
//! # Map
//! `slot`, `queue`, `bag` and `control` know nothing of connections: one slot, who waits for one,
//! all of them, and what is done to all of them. `live` is a connection in its slot; `checkout`,
//! `checkin`, `ageing` and `opening` are what happens to it, and `breaker` and `admission` say when
//! one may be opened. `held`, `nested`, `leak`, `metrics` and `events` keep the books; `pool`,
//! `operate`, `pooled` and `builder` are what users hold. `sqlite` stands on these alone.
//!
//! # Forking
//! A pool must not be used in a forked child, nor dropped there. Its connections are the parent's:
//! two processes would talk over one session, and closing one in the child may end it for both
//! (a PostgreSQL client says goodbye on the shared socket; SQLite forbids the use of a connection
//! across a fork). Its queue may be locked by a thread that the child does not have, and a lock has
//! no deadline. So fork before the pool is built, or `std::mem::forget` every clone of it and every
//! lent connection in the child, and build another there. Starting another program
//! (`std::process::Command`) is harmless: nothing of the pool runs between the fork and the exec.

mod admission;
mod affinity;
mod ageing;
mod bag;
mod breaker;
mod builder;
mod checkin;
mod checkout;
mod clock;
mod config;
mod control;
mod error;
mod events;
mod gate;
mod held;
mod histogram;
mod home;
mod leak;
mod live;
mod metrics;
#[cfg(all(loom, test))]
mod models;
mod nested;
mod opening;
mod operate;
mod pool;
mod pooled;
mod queue;
#[cfg(all(loom, test))]
mod row_models;
mod shared;
mod site;
mod slot;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod sync;
mod waiter;

pub use admission::DuringOutage;
pub use breaker::Outage;
pub use builder::Builder;
pub use clock::Clock;
pub use error::Error;
pub use events::{Checkout, Events, NestedCheckout};
pub use gate::Returned;
pub use held::Holder;
pub use histogram::Histogram;
pub use live::Fate;
pub use metrics::{Closed, Metrics};
pub use nested::Nested;
pub use pool::{Pool, State};
pub use pooled::{Pooled, PooledConnection};
pub use r2d2::{
    CustomizeConnection, Extensions, HandleError, LoggingErrorHandler, ManageConnection,
    NopConnectionCustomizer, NopErrorHandler,
};
