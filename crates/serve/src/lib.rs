//! Blocking handlers on workers, nginx-class delivery on I/O threads: an HTTP/1.1 server.
//!
//! A handler is plain Rust that may block: it asks a database, opens a file, and returns a
//! [`Reply`]. The reply borrows nothing, so before its first byte leaves, whatever the handler
//! held is released, and its worker is free. Accepting, reading, parsing, parking idle connections
//! and delivering happen on I/O threads that never block: ten thousand idle connections or a
//! thousand slow readers hold no worker. A short answer that the socket takes at once, its worker
//! hands to it in passing.
//!
//! ```no_run
//! use larder_serve::{Reply, Request, Router, Server};
//!
//! let router = Router::new()
//!     .get("/", |_: Request| Reply::html("<h1>larder</h1>").etag("v1").hot())
//!     .get("/hello/{name}", |request: Request| {
//!         Reply::text(format!("hello, {}\n", request.param("name").unwrap_or("you")))
//!     });
//! let server = Server::builder().workers(8).bind("127.0.0.1:8080")?.start(router)?;
//! server.stop_on_signals()?;
//! server.join();
//! # Ok::<(), larder_serve::Error>(())
//! ```
//!
//! # The way of a request
//!
//! ```text
//! I/O thread: read -> head (strict grammar) -> hot? fast path? -- yes --> writev    no worker
//!                                               | no
//!                                   body -> bounded queue -- full --> 503, Retry-After: 1
//!                                               |
//! worker:                            handler -> Reply: bytes | file | stream | later
//!                                               |  short bytes: one writev, and the rest is
//!                                               v  bookkeeping, which wakes nobody
//! I/O thread:             mailbox -> writev or sendfile, in turns -> after the last byte: next
//! ```
//!
//! # Map
//!
//! `head` and `body` are the grammar; `upload`, `spill` and `budget` hold bodies, `form` takes them
//! apart. `conditional`, `range`, `sibling`, `render` and `answer` turn one reply into what a
//! request has earned; `hot` is the response cache, `pages` its longer bodies. `queue`, `class`,
//! `worker` and `later` run handlers, `crew` and `post` are how threads wait for each other, `stream` readers. `listen` opens sockets; `io` is the event
//! loop, one connection a state machine in `io::conn`; `peek` is what it shows of a request,
//! `hooks` what it calls. `reaper` does what no I/O thread may wait for, `prefetch` brings files
//! into memory. `stats`, `histogram`, `log` and `stall`, the alarm, tell how it goes; `stop` ends
//! it; `os` is what differs between systems.
//!
//! # Features
//!
//! `forms` (off by default): `Request::form`, `Request::query_pairs` and `Request::multipart`.

#![forbid(unsafe_code)]

mod alive;
mod answer;
mod body;
mod budget;
mod builder;
mod class;
mod conditional;
mod crew;
mod date;
mod error;
mod exchange;
#[cfg(feature = "forms")]
mod form;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod handler;
mod head;
mod histogram;
mod hooks;
mod hot;
mod io;
mod later;
mod listen;
mod log;
mod os;
mod pages;
mod peek;
mod post;
mod prefetch;
mod queue;
mod range;
mod reaper;
mod render;
mod reply;
mod request;
mod router;
mod server;
mod sibling;
mod spill;
mod stall;
mod stats;
mod stop;
mod stream;
mod sync;
mod upload;
mod worker;

pub use builder::Builder;
pub use bytes::Bytes;
pub use class::{Class, ClassStats};
pub use error::Error;
#[cfg(feature = "forms")]
pub use form::{Multipart, Part};
pub use handler::Handler;
pub use histogram::Histogram;
pub use hot::Hot;
pub use http;
pub use later::Ticket;
pub use listen::Listener;
pub use log::{AccessLog, LogFormat, LogHandle};
pub use peek::Peek;
pub use reply::{Lease, Reply};
pub use request::Request;
pub use router::Router;
pub use server::{Bound, Meter, Running, Server};
pub use stall::Stall;
pub use stats::{Latency, Stats};
pub use stop::Stopper;
pub use upload::Body;
