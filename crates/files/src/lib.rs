//! A bounded, crash-safe cache of plain files, made once and served by descriptor.
//!
//! A server makes something costly from something else (a thumbnail from a photograph, a document
//! from a database) and wants it made once, kept within a bound, and sent by `sendfile`. Here it
//! is a file, `root/xx/yy/<hash>`, whose body begins at offset 0.
//!
//! ```
//! use larder_files::{FileCache, Key, Limits};
//!
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//! let cache = FileCache::open(dir, Limits::new().max_bytes(1 << 30))?;
//! let key = Key::new("photos/7.jpg", "size=4711 mtime=1700000000", "w=320 q=80 jpeg");
//! let entry = cache.get_or_make(&key, |out| out.write_all(b"the costly bytes"))?;
//! assert_eq!(entry.read()?, "the costly bytes");
//! assert!(cache.get(&key).is_some_and(|again| again.etag() == entry.etag()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Made once.** [`FileCache::begin`] gives the first who asks a [`Lease`] and all others a
//! [`Flight`], to wait on or to leave a callback with; [`FileCache::get_or_make`] is the same for
//! one who may block. The lease is a lock on the unpublished file: it holds between processes, and
//! dies with its holder. Waiting for another process takes a thread, and there are at most 16:
//! beyond so many keys that are being made elsewhere at once, an entry is made here again; and so
//! it is when a maker elsewhere takes longer than his waiters will wait. What cannot be made can
//! be [refused](Lease::refuse) for a while.
//!
//! **Never torn.** A file is written beside and renamed, without fsync, and ends in a trailer: the
//! full key, the length, a checksum. At a cold hit (the descriptor is not open yet) the trailer is
//! read and the key and the length are compared, always. The body is summed when it is short
//! ([`Limits::verify_up_to`]) or was written before the machine last started. That suffices: the
//! page cache outlives every process, so only a machine that goes down can tear a renamed file,
//! and every file from before is summed. What a long file does not have checked is decay of the
//! disk while the machine is up. What fails is a miss, is unlinked and counted. A hot hit checks
//! the key alone: its descriptor has passed, and is to the same file whatever the name is now.
//!
//! **Cheap when hot.** The descriptors of files in use stay open. A hit on one of them takes no
//! lock and makes no system call. It is counted on a line of its thread's, and beyond that writes
//! to nothing but the entry that it hands out: the reference count and, beside it, the time of use.
//! Whether it was asked for again decides how long it stays open, so a scan does not close it.
//!
//! **Never in the way.** A cache that cannot work costs the copy on disk and not the answer: on a
//! full, read-only or vanished disk, or without descriptors, an [`Entry`] is its bytes in
//! [memory](Body::Memory), and the [`Fault`] is counted, and reported once a kind.
//!
//! **Bounded.** Bytes, those being written too, files, descriptors, refusals and waiters. The file that was not used for
//! longest goes first; recency is the mtime, set at most once an hour, so it survives restarts.
//! Files are evicted by those who insert and by the background thread, never by a hit. Several
//! processes may share a directory: each evicts by its own count, which learns of the others' files
//! by hits and by a recount, so between recounts they may pass the bound by what the others added.
//!
//! | module | it holds |
//! |---|---|
//! | `cache` | [`FileCache`]: the way of a request |
//! | `store` | what clones share; eviction, and how a file leaves everywhere |
//! | `descriptors` | the table of open files, which hits are answered from |
//! | `flight`, `lease` | those who wait; the one who makes |
//! | `watch` | waiting for a maker in another process |
//! | `draft`, `writer`, `room` | the unpublished file and its lock; what is written to it; its share |
//! | `tree`, `trailer`, `key` | the directory; the end of a file; its name |
//! | `index`, `chores` | the accounts; the thread that rebuilds them |
//! | `listing` | a walk over what there is |
//! | `entry`, `refusal`, `error`, `faults`, `limits`, `stats` | what callers hold |
//! | `sys` | what differs between platforms |

#![forbid(unsafe_code)]

mod cache;
mod chores;
mod descriptors;
mod draft;
mod entry;
mod error;
mod faults;
mod flight;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod key;
mod lease;
mod limits;
mod listing;
mod refusal;
mod room;
mod stats;
mod store;
mod sys;
mod trailer;
mod tree;
mod watch;
mod writer;

pub use cache::{Begin, FileCache};
pub use entry::{Body, Entry};
pub use error::{Error, SharedError};
pub use faults::Fault;
pub use flight::Flight;
pub use key::Key;
pub use lease::Lease;
pub use limits::Limits;
pub use listing::{Listed, Listing};
pub use refusal::Refusal;
pub use stats::Stats;
