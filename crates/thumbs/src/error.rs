//! What can go wrong with a picture, in words that diagnose.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Says why no thumbnail was made. The message alone diagnoses; the predicates tell what to do
/// about it.
#[derive(Clone)]
pub struct Error {
    kind: Kind,
    message: Arc<str>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NotAPicture,
    Unsupported,
    TooLarge,
    Damaged,
    Io,
    Changed,
    Timeout,
}

impl Error {
    /// True when the content is of no format that is known here.
    pub fn is_not_a_picture(&self) -> bool {
        self.kind == Kind::NotAPicture
    }

    /// True when the picture is sound as far as one can tell, but uses a feature that no decoder
    /// here has.
    pub fn is_unsupported(&self) -> bool {
        self.kind == Kind::Unsupported
    }

    /// True when the picture has more pixels than allowed, or alone needs more than the memory
    /// budget.
    pub fn is_too_large(&self) -> bool {
        self.kind == Kind::TooLarge
    }

    /// True when the picture breaks the rules of its own format.
    pub fn is_damaged(&self) -> bool {
        self.kind == Kind::Damaged
    }

    /// True when the source could not be read; [`source`](std::error::Error::source) is the
    /// [`io::Error`].
    pub fn is_io(&self) -> bool {
        self.kind == Kind::Io
    }

    /// True when the source changed under each attempt to read it: ask again when it has come to
    /// rest.
    pub fn is_changed(&self) -> bool {
        self.kind == Kind::Changed
    }

    /// True when decoding took longer than the time limit, or no memory came free within the wait
    /// limit.
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }

    fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into().into(), source: None }
    }

    pub(crate) fn not_a_picture(first: &[u8]) -> Error {
        let message = if first.is_empty() {
            "not a picture: it is empty".to_owned()
        } else {
            let shown = &first[..first.len().min(8)];
            format!("not a picture: it begins with {shown:02x?}, which no known format does")
        };
        Error::new(Kind::NotAPicture, message)
    }

    pub(crate) fn unsupported(what: impl fmt::Display) -> Error {
        Error::new(Kind::Unsupported, sentence("unsupported picture", what))
    }

    pub(crate) fn damaged(what: impl fmt::Display) -> Error {
        Error::new(Kind::Damaged, sentence("damaged picture", what))
    }

    pub(crate) fn too_many_pixels(width: u32, height: u32, max: u64) -> Error {
        let message =
            format!("picture of {width}x{height} pixels exceeds the limit of {max} pixels");
        Error::new(Kind::TooLarge, message)
    }

    pub(crate) fn over_budget(width: u32, height: u32, needed: u64, budget: u64) -> Error {
        let message = format!(
            "picture of {width}x{height} pixels needs {needed} bytes to decode, \
             more than the whole memory budget of {budget} bytes"
        );
        Error::new(Kind::TooLarge, message)
    }

    pub(crate) fn over_limits(what: impl fmt::Display) -> Error {
        Error::new(Kind::TooLarge, sentence("picture too large for its decoder", what))
    }

    pub(crate) fn no_room(needed: u64, budget: u64, waited: Duration) -> Error {
        let message = format!(
            "no room for {needed} decoded bytes within {} ms: other pictures hold the budget of {budget} bytes",
            waited.as_millis()
        );
        Error::new(Kind::Timeout, message)
    }

    pub(crate) fn too_slow(limit: Duration) -> Error {
        let message = format!("decoding took longer than the limit of {} ms", limit.as_millis());
        Error::new(Kind::Timeout, message)
    }

    pub(crate) fn changed(attempts: u32) -> Error {
        Error::new(
            Kind::Changed,
            format!("picture changed while being read, {attempts} times running"),
        )
    }

    /// What the cache itself had to say; a cause of the thumbnailer's own is passed on as it was.
    pub(crate) fn cache(cause: larder_files::Error) -> Error {
        let waited = cause.is_timeout() || cause.is_crowded() || cause.is_abandoned();
        let kind = if waited { Kind::Timeout } else { Kind::Io };
        let message = format!("thumbnail cache: {cause}").into();
        Error { kind, message, source: Some(Arc::new(cause)) }
    }

    pub(crate) fn io(doing: &str, path: Option<&Path>, cause: io::Error) -> Error {
        let message = match path {
            Some(path) => format!("cannot {doing} {}: {cause}", path.display()),
            None => format!("cannot {doing} the picture: {cause}"),
        };
        Error { kind: Kind::Io, message: message.into(), source: Some(Arc::new(cause)) }
    }
}

/// Decoders end their messages with a full stop or not; here none does.
fn sentence(beginning: &str, what: impl fmt::Display) -> String {
    let mut message = format!("{beginning}: {what}");
    message.truncate(message.trim_end_matches(['.', ' ']).len());
    message
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("kind", &self.kind).field("message", &self.message).finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
