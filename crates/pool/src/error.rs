//! Why there is no connection.

use std::error;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::breaker::Outage;
use crate::events::NestedCheckout;
use crate::held::Holder;

/// Why a pool could not lend a connection. `E` is the manager's own error, and the `source()`.
pub struct Error<E>(Box<Kind<E>>);

enum Kind<E> {
    Timeout(Timeout),
    Manager { action: &'static str, cause: E },
    Closed,
    Overloaded { waiting: usize },
    Nested(NestedCheckout),
    Outage(Outage),
    OutOfBounds { request: Request, asked: u32, most: u32 },
    StillLent { lent: u32, waited: Duration },
}

/// What was asked of a pool in a number that it can't meet, however long it waits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Request {
    Lend,
    Resize,
}

/// What a caller found when its deadline came.
pub(crate) struct Timeout {
    pub(crate) limit: Duration,
    pub(crate) phase: Phase,
    pub(crate) busy: usize,
    pub(crate) max_size: usize,
    pub(crate) waiting: usize,
    pub(crate) holder: Option<InTheWay>,
    pub(crate) outage: Option<Outage>,
}

/// Who has what the caller wanted.
pub(crate) enum InTheWay {
    /// The calling thread: it waited for itself.
    Itself(Holder),
    /// Another, that has had its connection for the longest.
    Other(Holder),
}

/// What a caller was doing when its deadline came.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Phase {
    Waiting,
    /// For that many at once.
    WaitingForMany(u32),
    /// While the pool was paused.
    Paused,
    Testing,
    Connecting,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Phase::Waiting => f.write_str("waiting for one"),
            Phase::WaitingForMany(count) => write!(f, "waiting for {count} at once"),
            Phase::Paused => f.write_str("waiting while the pool is paused"),
            Phase::Testing => f.write_str("testing one"),
            Phase::Connecting => f.write_str("opening one"),
        }
    }
}

/// What the manager refused to do, as the message says it.
pub(crate) const OPEN: &str = "open a connection";

impl<E> Error<E> {
    pub(crate) fn timeout(timeout: Timeout) -> Self {
        Error(Box::new(Kind::Timeout(timeout)))
    }

    pub(crate) fn manager(action: &'static str, cause: E) -> Self {
        Error(Box::new(Kind::Manager { action, cause }))
    }

    pub(crate) fn closed() -> Self {
        Error(Box::new(Kind::Closed))
    }

    pub(crate) fn overloaded(waiting: usize) -> Self {
        Error(Box::new(Kind::Overloaded { waiting }))
    }

    pub(crate) fn out_of_bounds(request: Request, asked: u32, most: u32) -> Self {
        Error(Box::new(Kind::OutOfBounds { request, asked, most }))
    }

    pub(crate) fn still_out(lent: u32, waited: Duration) -> Self {
        Error(Box::new(Kind::StillLent { lent, waited }))
    }

    pub(crate) fn outage(outage: Outage) -> Self {
        Error(Box::new(Kind::Outage(outage)))
    }

    pub(crate) fn nested(nested: NestedCheckout) -> Self {
        Error(Box::new(Kind::Nested(nested)))
    }

    /// Whether the calling thread has a connection of this pool already, and
    /// [`Nested::Refuse`](crate::Nested::Refuse) is set; [`held_by_caller`](Error::held_by_caller)
    /// says where it asked for that.
    pub fn is_nested(&self) -> bool {
        matches!(*self.0, Kind::Nested(_))
    }

    /// Whether no connection could be opened at the time, by anybody: the message has the last
    /// attempt's error. With a deadline that came first, both this and
    /// [`is_timeout`](Error::is_timeout).
    pub fn is_outage(&self) -> bool {
        self.last_outage().is_some()
    }

    /// Returns what was known of the outage.
    pub fn last_outage(&self) -> Option<&Outage> {
        match &*self.0 {
            Kind::Outage(outage) => Some(outage),
            Kind::Timeout(timeout) => timeout.outage.as_ref(),
            _ => None,
        }
    }

    /// Whether the deadline came first.
    pub fn is_timeout(&self) -> bool {
        matches!(*self.0, Kind::Timeout(_) | Kind::StillLent { .. })
    }

    /// Whether more was asked for than the pool can ever have: waiting would not have helped.
    pub fn is_out_of_bounds(&self) -> bool {
        matches!(*self.0, Kind::OutOfBounds { .. })
    }

    /// How many connections were lent, or being opened, when
    /// [`close_within`](crate::Pool::close_within) or [`pause_within`](crate::Pool::pause_within)
    /// gave up waiting for them.
    pub fn still_lent(&self) -> Option<u32> {
        match *self.0 {
            Kind::StillLent { lent, .. } => Some(lent),
            _ => None,
        }
    }

    /// Whether the manager, or the database behind it, refused; [`cause`](Error::cause) says why.
    pub fn is_manager(&self) -> bool {
        matches!(*self.0, Kind::Manager { .. })
    }

    /// Whether the caller was sent away at once because
    /// [`max_waiters`](crate::Builder::max_waiters) others waited already.
    pub fn is_overloaded(&self) -> bool {
        matches!(*self.0, Kind::Overloaded { .. })
    }

    /// Whether the pool has been closed.
    pub fn is_closed(&self) -> bool {
        matches!(*self.0, Kind::Closed)
    }

    /// Where the calling thread had asked for a connection of the same pool that it still had, when
    /// that is why it waited in vain or was refused.
    pub fn held_by_caller(&self) -> Option<&'static Location<'static>> {
        match &*self.0 {
            Kind::Timeout(Timeout { holder: Some(InTheWay::Itself(own)), .. }) => {
                Some(own.call_site)
            }
            Kind::Nested(nested) => Some(nested.held.call_site),
            _ => None,
        }
    }

    /// The manager's error, typed.
    pub fn cause(&self) -> Option<&E> {
        match &*self.0 {
            Kind::Manager { cause, .. } => Some(cause),
            _ => None,
        }
    }

    /// Takes the manager's error out.
    pub fn into_cause(self) -> Option<E> {
        match *self.0 {
            Kind::Manager { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

impl<E: error::Error> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Timeout(timeout) => timeout.fmt(f),
            Kind::Manager { action, cause } => {
                write!(f, "cannot {action}: {}", in_full(cause))
            }
            Kind::Outage(outage) => write!(f, "no connection: {outage}"),
            Kind::Nested(nested) => write!(f, "no second connection for one thread: {nested}"),
            Kind::Closed => f.write_str("the pool is closed"),
            Kind::Overloaded { waiting } => {
                write!(f, "no connection: {waiting} callers wait already, as many as may")
            }
            Kind::OutOfBounds { request: Request::Lend, asked, most } => {
                write!(f, "{asked} connections at once can't be had: max_size is {most}")
            }
            Kind::OutOfBounds { request: Request::Resize, asked, most } => {
                write!(
                    f,
                    "max_size can't become {asked}: it must be from 1 to {most}, the capacity"
                )
            }
            Kind::StillLent { lent, waited } => {
                write!(f, "not all connections came back within {waited:?}: {lent} still lent")
            }
        }
    }
}

/// An error and what is behind it, as text. Many an error says little by itself ("db error") and
/// leaves the rest to its sources; some repeat what theirs say, which is then said once.
pub(crate) fn in_full(error: &dyn error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(behind) = source {
        let behind_it = behind.to_string();
        if !text.contains(&behind_it) {
            text = format!("{text}: {behind_it}");
        }
        source = behind.source();
    }
    text
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timeout { limit, phase, busy, max_size, waiting, holder, outage } = self;
        write!(
            f,
            "no connection within {limit:?}, {phase}: \
             {busy} of {max_size} in use, {waiting} others waiting"
        )?;
        match holder {
            Some(InTheWay::Itself(own)) => write!(f, "; this thread itself has one, {own}"),
            Some(InTheWay::Other(holder)) => write!(f, "; the longest held was {holder}"),
            None => Ok(()),
        }?;
        outage.as_ref().map_or(Ok(()), |outage| write!(f, "; {outage}"))
    }
}

impl<E: error::Error> fmt::Debug for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl<E: error::Error + 'static> error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.cause().map(|cause| cause as _)
    }
}
