//! Why an update was refused.

use std::error;
use std::fmt::{self, Debug, Display};

/// Characters of a key that an error message shows.
const KEY_CHARS: usize = 80;

/// An update that was refused; it has changed nothing.
pub struct Error {
    kind: Kind,
    /// The array's name, if it has one.
    array: Option<String>,
}

enum Kind {
    Reentrant,
    Full { held: usize, more: usize, limit: usize },
    TooManyArrays { limit: usize },
    Overflow { key: String, sum: String },
}

impl Error {
    #[cold]
    pub(crate) fn reentrant() -> Self {
        Kind::Reentrant.into()
    }

    #[cold]
    pub(crate) fn full(held: usize, more: usize, limit: usize) -> Self {
        Kind::Full { held, more, limit }.into()
    }

    #[cold]
    pub(crate) fn too_many_arrays(limit: usize) -> Self {
        Kind::TooManyArrays { limit }.into()
    }

    #[cold]
    pub(crate) fn overflow(key: &(impl Debug + ?Sized), sum: impl Display) -> Self {
        Kind::Overflow { key: shown(key), sum: sum.to_string() }.into()
    }

    /// Names the array.
    #[cold]
    pub(crate) fn of(mut self, array: &str) -> Self {
        self.array = Some(array.to_owned());
        self
    }

    /// Tells whether the update came from within a closure that an array was running, where it
    /// might have waited for itself.
    pub fn is_reentrant(&self) -> bool {
        matches!(self.kind, Kind::Reentrant)
    }

    /// Tells whether it would have made more variables or arrays than there may be.
    pub fn is_full(&self) -> bool {
        matches!(self.kind, Kind::Full { .. } | Kind::TooManyArrays { .. })
    }

    /// Tells whether a count has no room for the sum.
    pub fn is_overflow(&self) -> bool {
        matches!(self.kind, Kind::Overflow { .. })
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Error { kind, array: None }
    }
}

fn shown(key: &(impl Debug + ?Sized)) -> String {
    let mut shown = format!("{key:?}");
    if let Some((cut, _)) = shown.char_indices().nth(KEY_CHARS) {
        shown.truncate(cut);
        shown.push_str("...");
    }
    shown
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(array) = &self.array {
            write!(f, "array {}: ", shown(array))?;
        }
        match &self.kind {
            Kind::Reentrant => f.write_str(
                "an update from within a closure that an array is running would wait for itself",
            ),
            Kind::Full { held, more, limit } => {
                write!(f, "{held} variables and {more} more are over the limit of {limit}")
            }
            Kind::TooManyArrays { limit } => {
                write!(f, "no more arrays than {limit}, the limit, can have a name")
            }
            Kind::Overflow { key, sum } => write!(f, "variable {key}: {sum} overflows"),
        }
    }
}

impl Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl error::Error for Error {}
