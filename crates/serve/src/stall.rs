//! The alarm: an I/O thread was kept from its sockets.

use std::fmt;
use std::time::Duration;

/// One turn of an I/O thread that took longer than
/// [`turn_alarm`](crate::Builder::turn_alarm): all its connections waited for that long.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Stall {
    /// Which I/O thread, from zero.
    pub io_thread: usize,
    /// How long the turn took.
    pub took: Duration,
    /// Connections that had an event in this turn.
    pub events: usize,
    /// Messages of other threads that were taken, most of them answers.
    pub messages: usize,
    /// Calls of the fast path.
    pub fast_calls: usize,
    /// How long these calls took together, each to a tick of the kernel's.
    pub fast_took: Duration,
    /// The target of the call that took longest, if it alone took half of the bound.
    pub fast_target: Option<String>,
    /// Bytes of bodies that were sent.
    pub body_bytes: u64,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { io_thread, took, events, messages, fast_calls, fast_took, .. } = self;
        write!(f, "I/O thread {io_thread} was busy for {took:?} in one turn: {events} events, ")?;
        write!(f, "{messages} messages, {} bytes sent, ", self.body_bytes)?;
        write!(f, "{fast_took:?} in {fast_calls} calls of the fast path")?;
        match &self.fast_target {
            Some(target) => write!(f, ", most of it for {target:?}"),
            None => Ok(()),
        }
    }
}
