//! What can go wrong before the server runs: names, sockets, threads; and with forms.

use std::error::Error as StdError;
use std::fmt;
use std::io;

/// Why a server could not be bound or started, or a form not be read.
///
/// The message alone diagnoses: it names the address or the thread, and the cause.
pub struct Error {
    message: String,
    source: io::Error,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>, source: io::Error) -> Self {
        Self { message: message.into(), source }
    }

    /// Tells whether another program already listens on the address.
    pub fn is_in_use(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }

    /// Tells whether the address needs rights that this process does not have.
    pub fn is_permission_denied(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }

    /// Tells whether what the client sent is at fault, so that the answer is 400.
    pub fn is_malformed(&self) -> bool {
        self.source.kind() == io::ErrorKind::InvalidData
    }

    /// The same as an error of reading, for those that read.
    #[cfg(feature = "forms")]
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::new(self.source.kind(), self)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = match self.source.kind() {
            io::ErrorKind::AddrInUse => "another program already listens there".to_owned(),
            io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
            _ => self.source.to_string(),
        };
        write!(f, "{}: {cause}", self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("message", &self.message)
            .field("source", &self.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.source)
    }
}
