//! Where a picture is, and whether it is still the same one.

use std::fs::File;
use std::io::{Cursor, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::Error;
use crate::watch::Origin;

/// A picture to read: a file, or bytes already in memory.
#[derive(Clone, Debug)]
pub struct Source {
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Path(PathBuf),
    Bytes(Arc<[u8]>),
}

impl Source {
    /// Names a file. It is opened at each use, and never written.
    pub fn path(path: impl Into<PathBuf>) -> Source {
        Source { place: Place::Path(path.into()) }
    }

    /// Takes bytes in memory: a `Vec<u8>`, a slice, or an `Arc<[u8]>`, which is shared and not
    /// copied.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Source {
        Source { place: Place::Bytes(bytes.into()) }
    }

    pub(crate) fn open(&self) -> Result<Opened, Error> {
        match &self.place {
            Place::Bytes(bytes) => Ok(Opened { what: What::Bytes(Arc::clone(bytes)) }),
            Place::Path(path) => {
                refuse_special(path)?;
                let file = File::open(path).map_err(|e| Error::io("open", Some(path), e))?;
                Ok(Opened { what: What::File { file, path: path.clone() } })
            }
        }
    }
}

/// A source with its file open: every read and both fingerprints are of one and the same file, even
/// when another is renamed over it meanwhile.
pub(crate) struct Opened {
    what: What,
}

enum What {
    File { file: File, path: PathBuf },
    Bytes(Arc<[u8]>),
}

/// Changes whenever a file is written in place; `None` for bytes, which cannot change.
pub(crate) type Fingerprint = Option<(u64, Option<SystemTime>)>;

impl Opened {
    /// Returns a reader from the first byte.
    pub(crate) fn origin(&self) -> Result<Origin, Error> {
        match &self.what {
            What::Bytes(bytes) => Ok(Origin::Bytes(Cursor::new(Arc::clone(bytes)))),
            What::File { file, path } => {
                let mut file = file.try_clone().map_err(|e| Error::io("read", Some(path), e))?;
                // The clone shares its position with the last reader, which is done by now.
                file.rewind().map_err(|e| Error::io("read", Some(path), e))?;
                Ok(Origin::File(file))
            }
        }
    }

    /// The bytes, if they are in memory already.
    #[cfg(feature = "turbojpeg")]
    pub(crate) fn in_memory(&self) -> Option<&[u8]> {
        match &self.what {
            What::Bytes(bytes) => Some(bytes),
            What::File { .. } => None,
        }
    }

    /// How many bytes it has now.
    #[cfg(feature = "turbojpeg")]
    pub(crate) fn size_bytes(&self) -> Result<u64, Error> {
        let in_memory = self.in_memory().map_or(0, |bytes| bytes.len() as u64);
        Ok(self.fingerprint()?.map_or(in_memory, |(size, _)| size))
    }

    pub(crate) fn fingerprint(&self) -> Result<Fingerprint, Error> {
        match &self.what {
            What::Bytes(_) => Ok(None),
            What::File { file, path } => {
                let found = file.metadata().map_err(|e| Error::io("stat", Some(path), e))?;
                Ok(Some((found.len(), found.modified().ok())))
            }
        }
    }

    /// The path, for an error of reading, which does not know it.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.what {
            What::File { path, .. } => Some(path),
            What::Bytes(_) => None,
        }
    }
}

/// A directory or a device has no bytes of its own, and the mere opening of a pipe may never end.
fn refuse_special(path: &Path) -> Result<(), Error> {
    let found = std::fs::metadata(path).map_err(|e| Error::io("open", Some(path), e))?;
    if found.is_file() {
        return Ok(());
    }
    Err(Error::io("read", Some(path), std::io::Error::other("not a regular file")))
}
