//! The one error of the crate.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Why a session could not be read, written or opened.
///
/// That a session is gone, that a save met a conflict, or that a login was refused, is no error:
/// these are results of their own ([`Saved`](crate::Saved), [`Login`](crate::Login)).
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NotOurs,
    InUse,
    Io,
    Store,
    Timeout,
    TooLarge,
    Full,
    Value,
    Crowded,
    Random,
}

impl Error {
    fn new(kind: Kind, message: String) -> Error {
        Error { kind, message, source: None }
    }

    fn caused(
        kind: Kind,
        message: String,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Error {
        Error { kind, message, source: Some(source.into()) }
    }

    pub(crate) fn not_ours(dir: &Path, why: &str) -> Error {
        Error::new(Kind::NotOurs, format!("{}: not a larder session store: {why}", dir.display()))
    }

    pub(crate) fn in_use(dir: &Path, wanted: &str) -> Error {
        let message = format!("{}: {wanted} while another process has it open", dir.display());
        Error::new(Kind::InUse, message)
    }

    pub(crate) fn io(what: &str, path: &Path, error: io::Error) -> Error {
        let message = format!("{}: cannot {what}: {error}", path.display());
        Error::caused(Kind::Io, message, error)
    }

    /// Wraps what a store of another crate failed with; `what` it was doing, as a verb.
    pub fn store(what: &str, source: impl StdError + Send + Sync + 'static) -> Error {
        Error::caused(Kind::Store, format!("cannot {what}: {source}"), source)
    }

    pub(crate) fn not_listed() -> Error {
        let message =
            "the list of a user's sessions can't be read, nor can the store search for them";
        Error::new(Kind::Store, message.into())
    }

    pub(crate) fn timeout(waited: Duration) -> Error {
        let message = format!("gave up after {waited:.1?} waiting for another writer");
        Error::new(Kind::Timeout, message)
    }

    pub(crate) fn value_too_large(key: &str, len: usize, limit: usize) -> Error {
        let message = format!("the value of {key:?} takes {len} bytes, the limit is {limit}");
        Error::new(Kind::TooLarge, message)
    }

    pub(crate) fn key_too_long(len: usize, limit: usize) -> Error {
        Error::new(Kind::TooLarge, format!("a key takes {len} bytes, the limit is {limit}"))
    }

    pub(crate) fn user_too_long(len: usize, limit: usize) -> Error {
        Error::new(Kind::TooLarge, format!("a user takes {len} bytes, the limit is {limit}"))
    }

    pub(crate) fn session_too_large(len: usize, limit: usize) -> Error {
        Error::new(Kind::TooLarge, format!("the session takes {len} bytes, the limit is {limit}"))
    }

    pub(crate) fn full(limit: usize) -> Error {
        Error::new(Kind::Full, format!("the store holds {limit} sessions, which is its limit"))
    }

    pub(crate) fn encode(key: &str, cause: serde_json::Error) -> Error {
        Error::caused(Kind::Value, format!("the value of {key:?} has no JSON: {cause}"), cause)
    }

    pub(crate) fn decode(key: &str, cause: serde_json::Error) -> Error {
        Error::caused(
            Kind::Value,
            format!("the value of {key:?} is of another type: {cause}"),
            cause,
        )
    }

    pub(crate) fn crowded(tries: usize) -> Error {
        let message = format!("others changed it during each of {tries} tries");
        Error::new(Kind::Crowded, message)
    }

    pub(crate) fn random(cause: getrandom::Error) -> Error {
        Error::caused(Kind::Random, format!("the system gave no random bytes: {cause}"), cause)
    }

    /// The directory holds something else; nothing in it was touched.
    pub fn is_not_ours(&self) -> bool {
        self.kind == Kind::NotOurs
    }

    /// The directory is open in another process, and one of the two wants it alone.
    pub fn is_in_use(&self) -> bool {
        self.kind == Kind::InUse
    }

    /// The disk, or the store behind, failed; the cause is the [`source`](StdError::source).
    pub fn is_store(&self) -> bool {
        matches!(self.kind, Kind::Io | Kind::Store)
    }

    /// Another writer held the session's lock for longer than one waits.
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }

    /// A value, a key, a user or the whole session is over its limit.
    pub fn is_too_large(&self) -> bool {
        self.kind == Kind::TooLarge
    }

    /// The store holds as many sessions as it may.
    pub fn is_full(&self) -> bool {
        self.kind == Kind::Full
    }

    /// A value is not of the type asked for, or cannot be written as JSON.
    pub fn is_value(&self) -> bool {
        self.kind == Kind::Value
    }

    /// Others kept changing what was to be changed.
    pub fn is_crowded(&self) -> bool {
        self.kind == Kind::Crowded
    }

    /// The system gave no random bytes for an id.
    pub fn is_random(&self) -> bool {
        self.kind == Kind::Random
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {})", self.kind, self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
