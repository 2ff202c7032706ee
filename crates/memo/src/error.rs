//! What can go wrong beside the loader itself.

use std::any::type_name;
use std::error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Characters of a key that an error message shows.
const KEY_CHARS: usize = 80;

/// A look-up that could not be answered for a reason of the memo's own.
pub struct Error {
    kind: Kind,
    asked: Asked,
}

enum Kind {
    Recursion,
    Timeout(Duration),
    Load(Failure),
}

/// What the look-up asked for.
enum Asked {
    /// The key as `Debug` shows it, cut short.
    Key(String),
    /// A whole table; the type of its values.
    Table(&'static str),
}

/// Why a whole table could not be loaded. All who waited for the load share it.
#[derive(Clone)]
pub(crate) enum Failure {
    Loader(Arc<dyn error::Error + Send + Sync>),
    Panic,
}

impl Error {
    pub(crate) fn recursion(key: &(impl fmt::Debug + ?Sized)) -> Self {
        Error { kind: Kind::Recursion, asked: Asked::Key(shown(key)) }
    }

    pub(crate) fn timeout(key: &(impl fmt::Debug + ?Sized), waited: Duration) -> Self {
        Error { kind: Kind::Timeout(waited), asked: Asked::Key(shown(key)) }
    }

    pub(crate) fn table_recursion<V>() -> Self {
        Error { kind: Kind::Recursion, asked: Asked::table::<V>() }
    }

    pub(crate) fn table_timeout<V>(waited: Duration) -> Self {
        Error { kind: Kind::Timeout(waited), asked: Asked::table::<V>() }
    }

    pub(crate) fn table_load<V>(failure: Failure) -> Self {
        Error { kind: Kind::Load(failure), asked: Asked::table::<V>() }
    }

    /// Tells whether a loader asked, on its own thread, for what it was loading.
    pub fn is_recursion(&self) -> bool {
        matches!(self.kind, Kind::Recursion)
    }

    /// Tells whether another thread's load outlasted the wait.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind, Kind::Timeout(_))
    }

    /// Tells whether the loader of a [`StaticTable`](crate::StaticTable) failed or panicked; its
    /// own error is the [`source`](error::Error::source).
    pub fn is_load_failure(&self) -> bool {
        matches!(self.kind, Kind::Load(_))
    }
}

impl Asked {
    fn table<V>() -> Self {
        Asked::Table(type_name::<V>())
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asked::Key(key) => write!(f, "key {key}"),
            Asked::Table(values) => write!(f, "the table of {values}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Loader(error) => error.fmt(f),
            Failure::Panic => f.write_str("the loader panicked"),
        }
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
        let asked = &self.asked;
        match &self.kind {
            Kind::Recursion => {
                let what = if matches!(asked, Asked::Key(_)) { "key" } else { "table" };
                write!(f, "the loader of {asked} asked for that {what} itself")
            }
            Kind::Timeout(waited) => {
                write!(f, "waited {waited:?} for another thread's load of {asked}")
            }
            Kind::Load(failure) => write!(f, "loading {asked} failed: {failure}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.kind {
            Kind::Load(Failure::Loader(error)) => Some(&**error),
            _ => None,
        }
    }
}

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
