//! The one error of the crate.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Any error's shared form, as one failure is told to many waiters.
pub type SharedError = Arc<dyn StdError + Send + Sync + 'static>;

/// Why a cache could not be opened, or an entry could not be had.
///
/// Faults of the disk are not among them once a cache is open: they cost the copy on disk, never
/// the answer. It is cheap to clone, since one failure is told to every waiter.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    source: Option<SharedError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NotOurs,
    Io,
    Timeout,
    Failed,
    Refused,
    Abandoned,
    Panicked,
    TooLarge,
    Reentrant,
    Crowded,
}

impl Error {
    fn new(kind: Kind, message: String, source: Option<SharedError>) -> Error {
        Error(Arc::new(Inner { kind, message, source }))
    }

    pub(crate) fn not_ours(dir: &Path, why: &str) -> Error {
        Error::new(Kind::NotOurs, format!("{}: not a larder cache: {why}", dir.display()), None)
    }

    pub(crate) fn io(what: &str, path: &Path, error: io::Error) -> Error {
        let message = format!("{}: cannot {what}: {error}", path.display());
        Error::new(Kind::Io, message, Some(Arc::new(error)))
    }

    pub(crate) fn timeout(waited: Duration) -> Error {
        let message = format!("gave up after {waited:.1?} waiting for another to make this entry");
        Error::new(Kind::Timeout, message, None)
    }

    pub(crate) fn failed(source: SharedError) -> Error {
        let message = format!("the entry could not be made: {source}");
        Error::new(Kind::Failed, message, Some(source))
    }

    pub(crate) fn refused(source: SharedError, retry_after: Duration) -> Error {
        let message = format!(
            "the entry could not be made and is not tried again for {:.0} s: {source}",
            retry_after.as_secs_f64().ceil()
        );
        Error::new(Kind::Refused, message, Some(source))
    }

    pub(crate) fn abandoned() -> Error {
        let message = "the one who was making this entry gave up without a result";
        Error::new(Kind::Abandoned, message.into(), None)
    }

    pub(crate) fn panicked() -> Error {
        let message = "the one who was making this entry panicked";
        Error::new(Kind::Panicked, message.into(), None)
    }

    pub(crate) fn too_large(limit: u64) -> Error {
        let message = format!("the entry is larger than the limit of {limit} bytes");
        Error::new(Kind::TooLarge, message, None)
    }

    pub(crate) fn reentrant() -> Error {
        let message = "making this entry asks for this entry";
        Error::new(Kind::Reentrant, message.into(), None)
    }

    pub(crate) fn crowded(limit: usize) -> Error {
        let message = format!("{limit} others already wait for this entry");
        Error::new(Kind::Crowded, message, None)
    }

    /// The directory holds something else, or a cache of another format; nothing was touched.
    pub fn is_not_ours(&self) -> bool {
        self.0.kind == Kind::NotOurs
    }

    /// The directory could not be created or read at open, or a body was lost by the disk.
    pub fn is_io(&self) -> bool {
        self.0.kind == Kind::Io
    }

    /// Another was making the entry and had not finished at the deadline.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == Kind::Timeout
    }

    /// The maker returned an error, which is the [`source`](StdError::source).
    pub fn is_failed(&self) -> bool {
        self.0.kind == Kind::Failed
    }

    /// The maker refused the source for a while; its reason is the [`source`](StdError::source).
    pub fn is_refused(&self) -> bool {
        self.0.kind == Kind::Refused
    }

    /// The maker dropped its lease or its process died: ask again, and perhaps lead.
    pub fn is_abandoned(&self) -> bool {
        self.0.kind == Kind::Abandoned
    }

    /// The maker panicked. Asking again runs the same code on the same source.
    pub fn is_panicked(&self) -> bool {
        self.0.kind == Kind::Panicked
    }

    /// More was written than [`max_entry_bytes`](crate::Limits::max_entry_bytes).
    pub fn is_too_large(&self) -> bool {
        self.0.kind == Kind::TooLarge
    }

    /// The maker of an entry waited for that very entry.
    pub fn is_reentrant(&self) -> bool {
        self.0.kind == Kind::Reentrant
    }

    /// [`max_waiters`](crate::Limits::max_waiters) already wait for this entry.
    pub fn is_crowded(&self) -> bool {
        self.0.kind == Kind::Crowded
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {})", self.0.kind, self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
