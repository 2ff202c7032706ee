//! The unpublished file of an entry, which is at once the lease on making it.
//!
//! A draft is `drafts/<name>`, locked (flock) by its maker, whatever process that is in. Who holds
//! the lock *and* has seen that the path still names the locked file owns the path: only the owner
//! truncates, renames or unlinks it. The lock dies with its holder; a draft that nobody has locked
//! is a leftover, taken over by the next maker of the same entry or swept at open.
//!
//! Why the second look: between our open and our lock the owner may have renamed the file into its
//! place, and then the lock that we got is on a published entry.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::key::Name;
use crate::sys;
use crate::tree::Tree;

/// Each try is lost to another maker who has just ended; a file system whose files change their
/// identity would lose them all.
const TRIES: usize = 32;

pub(crate) struct Draft {
    file: File,
    path: PathBuf,
}

/// What came of asking for a draft.
pub(crate) enum Begun {
    Ours(Draft),
    /// Another process makes this entry; locking the file blocks until it is done or dead.
    Held(File),
}

impl Draft {
    /// Opens and locks the draft of `name`.
    pub(crate) fn begin(tree: &Tree, name: &Name) -> io::Result<Begun> {
        let path = tree.drafts().join(name.file_name());
        let _not_swept = tree.sweeping.read();
        for _ in 0..TRIES {
            let file = open(tree, &path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Begun::Held(file)),
                Err(TryLockError::Error(e)) => return Err(e),
            }
            match sys::same_file(&file, &path) {
                Ok(true) => {
                    file.set_len(0)?;
                    return Ok(Begun::Ours(Draft { file, path }));
                }
                // Published or discarded between our open and our lock: ours is the next.
                Ok(false) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::other("the draft is another file at every look"))
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Unlinks the draft. The caller owns the path.
    pub(crate) fn discard(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    /// Unlinks what dead makers have left; what stays all the same is told to `note`.
    pub(crate) fn sweep(tree: &Tree, note: impl Fn(&Path, io::Error)) -> io::Result<()> {
        for entry in fs::read_dir(tree.drafts())? {
            let path = entry?.path();
            let _alone = tree.sweeping.write();
            let Ok(file) = sys::open_entry(&path) else { continue };
            if file.try_lock().is_ok()
                && sys::same_file(&file, &path).unwrap_or(false)
                && let Err(e) = fs::remove_file(&path)
            {
                note(&path, e);
            }
        }
        Ok(())
    }
}

fn open(tree: &Tree, path: &Path) -> io::Result<File> {
    match sys::open_draft(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            tree.create_drafts()?;
            sys::open_draft(path)
        }
        result => result,
    }
}
