//! Why there is no connection.

use std::error;
use std::fmt;
use std::time::Duration;

/// Why a pool could not lend a connection. `E` is the manager's own error, and the `source()`.
pub struct Error<E>(Box<Kind<E>>);

enum Kind<E> {
    Timeout { limit: Duration, phase: Phase, busy: usize, max_size: usize, waiting: usize },
    Manager { action: &'static str, cause: E },
    Closed,
}

/// What a caller was doing when its deadline came.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Phase {
    Waiting,
    Testing,
    Connecting,
}

/// What the manager refused to do, as the message says it.
pub(crate) const OPEN: &str = "open a connection";

impl<E> Error<E> {
    pub(crate) fn timeout(
        limit: Duration,
        phase: Phase,
        busy: usize,
        max_size: usize,
        waiting: usize,
    ) -> Self {
        Error(Box::new(Kind::Timeout { limit, phase, busy, max_size, waiting }))
    }

    pub(crate) fn manager(action: &'static str, cause: E) -> Self {
        Error(Box::new(Kind::Manager { action, cause }))
    }

    pub(crate) fn closed() -> Self {
        Error(Box::new(Kind::Closed))
    }

    /// Whether the deadline came first.
    pub fn is_timeout(&self) -> bool {
        matches!(*self.0, Kind::Timeout { .. })
    }

    /// Whether the manager, or the database behind it, refused; [`cause`](Error::cause) says why.
    pub fn is_manager(&self) -> bool {
        matches!(*self.0, Kind::Manager { .. })
    }

    /// Whether the pool has been closed.
    pub fn is_closed(&self) -> bool {
        matches!(*self.0, Kind::Closed)
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

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Timeout { limit, phase, busy, max_size, waiting } => {
                let doing = match phase {
                    Phase::Waiting => "waiting for one",
                    Phase::Testing => "testing one",
                    Phase::Connecting => "opening one",
                };
                write!(
                    f,
                    "no connection within {limit:?}, {doing}: \
                     {busy} of {max_size} in use, {waiting} others waiting"
                )
            }
            Kind::Manager { action, cause } => write!(f, "cannot {action}: {cause}"),
            Kind::Closed => f.write_str("the pool is closed"),
        }
    }
}

impl<E: fmt::Display> fmt::Debug for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl<E: error::Error + 'static> error::Error for Error<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.cause().map(|cause| cause as _)
    }
}
