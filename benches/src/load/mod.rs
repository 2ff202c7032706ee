//! Load that wrk can't make: closed loops with tails, idle thousands, slow readers, slow heads.
//!
//! All of it is bounded in count and in time, and goes to the loopback only: whoever names another
//! address gets an error.

pub mod closed;
pub mod crowd;
pub mod heads;

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

/// Most connections that one load opens, whatever it is asked for.
pub const MOST: usize = 20_000;

fn only_loopback(addr: SocketAddr) -> Result<()> {
    match addr.ip().is_loopback() {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::InvalidInput, format!("{addr} is another machine"))),
    }
}
