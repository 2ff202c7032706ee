//! Sessions without a global lock and without stop-the-world clean-up, and limits a user.
//!
//! A session store of the old kind takes one lock for each request, and now and then stops everybody
//! to look through all sessions for those that have expired. Here a check takes no lock, a write
//! waits for nobody but a writer of the same session, and clean-up looks only at what has expired.
//!
//! ```
//! use larder_sessions::{Login, MemoryStore, Saved, Sessions};
//!
//! let sessions = Sessions::builder(MemoryStore::default()).build();
//!
//! // A visitor without a cookie costs nothing, until something is stored.
//! let mut session = sessions.open(None)?;
//! session.set("basket", &["apples", "pears"])?;
//! assert_eq!(session.save()?, Saved::Stored);
//!
//! // Who logs in gets a new id, and keeps the basket.
//! let address = "192.0.2.7".parse()?;
//! assert!(matches!(session.login("ann", Some(address))?, Login::Admitted { .. }));
//! let set_cookie = session.set_cookie().expect("the response tells the browser its new id");
//!
//! // The next request.
//! let cookie = set_cookie.split(';').next();
//! let session = sessions.open(cookie)?;
//! assert_eq!(session.user(), Some("ann"));
//! assert_eq!(session.get::<Vec<String>>("basket")?.map(|basket| basket.len()), Some(2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Nothing is resurrected.** A save says of which version its changes are. Onto a session that has
//! moved on it is merged, key by key; that both have changed one key is told, and nothing stored.
//! Onto a session that was revoked or has expired it is [refused](Saved::Gone): revocation wins
//! against each request that is under way, in this process and in others.
//!
//! **Ids.** 192 bits of the system's generator, made here and never taken from a request. A store
//! has their hashes only: who reads its directory can use none. A login, or a
//! [renewal](Session::renew), makes a new one; requests under way with the old one go on for a
//! moment ([`Builder::overlap`]); after a login they see what was before it, and store nothing.
//!
//! **Times.** A session ends when it was not used for the idle time, and at its absolute end in any
//! case. That it was used is written at most sixteen times an idle time.
//!
//! **Users.** At a login a [limit](PerUser) refuses, or ends the oldest session or the idlest one;
//! an account that is used from [too many networks](Networks) is flagged, or locked for new ones.
//! Its owner sees the [list](Sessions::list_user), and [ends](Sessions::end) what is not theirs.
//!
//! **Stores.** [`MemoryStore`] for one process; [`FileStore`] for the processes of a machine, a file
//! a session; `SqliteStore`, with the feature `sqlite`, beside the data. A check of a session that
//! the first two have in memory ([`Sessions::peek`]) writes nothing that another thread reads, and is
//! never behind; where processes share a directory it makes one system call, which the kernel counts
//! on a line of its own. Other stores are a [`Store`] away. Somebody has to keep a [`Sweeper`], which
//! [`Sessions::sweep`] starts, or to call [`Sessions::clean`].
//!
//! | module | it holds |
//! |---|---|
//! | `sessions`, `builder`, `limits` | [`Sessions`]: from a cookie to a session; settings |
//! | `session`, `save` | the [`Session`] of a request; merging by key |
//! | `renew`, `login` | a new id; who is admitted, and what has to go for it |
//! | `cookie`, `id`, `network`, `clock` | what a request says; what it is taken for |
//! | `record`, `account`, `codec` | what stores keep, as bytes |
//! | `store`, `memory`, `file`, `sqlite` | the [`Store`] trait and three of them |
//! | `sweeper`, `metrics`, `error` | the thread that cleans up; what was counted; what failed |

#![forbid(unsafe_code)]

mod account;
mod builder;
mod clock;
mod codec;
mod cookie;
mod error;
#[cfg(unix)]
mod file;
mod id;
mod limits;
mod login;
mod memory;
mod metrics;
#[cfg(all(test, loom))]
mod models;
mod network;
mod record;
mod renew;
mod save;
mod session;
mod sessions;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod sweeper;
#[cfg(unix)]
mod sync;

pub use account::Account;
pub use builder::Builder;
pub use clock::{Clock, ManualClock, SystemClock};
pub use cookie::{Cookie, SameSite};
pub use error::Error;
#[cfg(unix)]
pub use file::{FileSettings, FileStore};
pub use id::{Handle, NotAHandle};
pub use limits::{Networks, PerUser};
pub use login::{Login, Seen};
pub use memory::MemoryStore;
pub use metrics::Metrics;
pub use network::Network;
pub use record::Record;
pub use save::{Choice, Clash, Made, Saved};
pub use session::Session;
pub use sessions::{Listed, Sessions};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use store::{Census, Cleaned, Store, Swap};
pub use sweeper::Sweeper;
