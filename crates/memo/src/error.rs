//! What can go wrong beside the loader itself.

use std::error;
use std::fmt;
use std::time::Duration;

/// Characters of a key that an error message shows.
const KEY_CHARS: usize = 80;

/// A look-up that could not be answered for a reason of the memo's own.
pub struct Error {
    kind: Kind,
    /// The key as `Debug` shows it, cut short.
    key: String,
}

enum Kind {
    Recursion,
    Timeout(Duration),
}

impl Error {
    pub(crate) fn recursion(key: &(impl fmt::Debug + ?Sized)) -> Self {
        Error { kind: Kind::Recursion, key: shown(key) }
    }

    pub(crate) fn timeout(key: &(impl fmt::Debug + ?Sized), waited: Duration) -> Self {
        Error { kind: Kind::Timeout(waited), key: shown(key) }
    }

    /// Tells whether a loader asked, on its own thread, for the key that it was loading.
    pub fn is_recursion(&self) -> bool {
        matches!(self.kind, Kind::Recursion)
    }

    /// Tells whether another thread's load of the key outlasted the wait.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::Timeout(_))
    }
}

fn shown(key: &(impl fmt::Debug + ?Sized)) -> String {
    let mut shown = format!("{key:?}");
    if let Some((cut, _)) = shown.char_indices().nth(KEY_CHARS) {
        shown.truncate(cut);
        shown.push_str("...");
    }
    shown
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match self.kind {
            Kind::Recursion => write!(f, "the loader of key {key} asked for that key itself"),
            Kind::Timeout(waited) => {
                write!(f, "waited {waited:?} for another thread's load of key {key}")
            }
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl error::Error for Error {}

/// Why a fallible load gave no value: the caller's loader failed, or the memo refused.
///
/// The loader's error keeps its type, so nothing has to be converted to be memoised:
///
/// ```
/// use larder_memo::{LoadError, StaticMemo};
///
/// static PORTS: StaticMemo<String, u16> = StaticMemo::new();
///
/// let failed = PORTS.get_or_try_load("http", || "eighty".parse::<u16>());
/// match failed {
///     Ok(port) => println!("{port}"),
///     Err(LoadError::Loader(error)) => println!("no number: {error}"),
///     Err(LoadError::Memo(error)) => println!("try later: {error}"),
/// }
/// ```
#[derive(Debug)]
pub enum LoadError<E> {
    /// The loader returned this; it is not remembered.
    Loader(E),
    /// The memo refused before any loader of this call ran.
    Memo(Error),
}

impl<E> LoadError<E> {
    /// Tells whether a loader asked, on its own thread, for the key that it was loading.
    pub fn is_recursion(&self) -> bool {
        matches!(self, LoadError::Memo(error) if error.is_recursion())
    }

    /// Tells whether another thread's load of the key outlasted the wait.
    pub fn is_timeout(&self) -> bool {
        matches!(self, LoadError::Memo(error) if error.is_timeout())
    }

    /// Returns the loader's error, or makes one of its type from the memo's.
    pub fn into_loader(self, from_memo: impl FnOnce(Error) -> E) -> E {
        match self {
            LoadError::Loader(error) => error,
            LoadError::Memo(error) => from_memo(error),
        }
    }
}

impl<E> From<Error> for LoadError<E> {
    fn from(error: Error) -> Self {
        LoadError::Memo(error)
    }
}

impl<E: fmt::Display> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Loader(error) => write!(f, "the loader failed: {error}"),
            LoadError::Memo(error) => error.fmt(f),
        }
    }
}

impl<E: error::Error + 'static> error::Error for LoadError<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            LoadError::Loader(error) => Some(error),
            LoadError::Memo(error) => error.source(),
        }
    }
}
