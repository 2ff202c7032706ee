//! Bodies that a blocking reader makes while they are delivered.
//!
//! The reader is always in one place, and moves by message; no lock is taken and nobody waits:
//!
//! ```text
//!                      +---------------- bytes, and more to come -------------+
//!                      v                                                      |
//! worker reads (Pump) -+- bytes, room used up --> rests in the connection (Flow)
//!                      |                             |
//!                      |                             +-- half of the bytes left --> queue --> worker
//!                      +- bytes, end  --> Flow ends when they have left
//!                      +- it failed   --> Flow is cut when what came before has left
//!                      +- nobody waits any more: the reader is dropped
//! ```
//!
//! So a slow client holds bytes up to the bound and no worker; a reader that blocks holds the
//! worker that is in it. The first read comes before the head: one that fails at once is a 500.

mod flow;
mod pump;
mod source;

pub(crate) use flow::{Flow, SLICES};
pub(crate) use pump::{Pump, open};
pub(crate) use source::{Source, Then};
