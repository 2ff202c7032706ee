//! What lies in a cache, found by walking the directory: one file after another, none kept.

use std::fs::{DirEntry, ReadDir};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::key::{Key, Name};
use crate::store::Store;
use crate::sys;
use crate::trailer::{FOOTER, Trailer};

/// Walks over the entries on disk, in no order; see [`FileCache::entries`].
///
/// [`FileCache::entries`]: crate::FileCache::entries
pub struct Listing {
    store: Arc<Store>,
    /// The names of at most two levels of 256 are in memory.
    directories: Box<dyn Iterator<Item = PathBuf> + Send>,
    /// The rest of the directory that is being read.
    open: Option<(PathBuf, ReadDir)>,
}

/// An entry that a [`Listing`] came by.
#[derive(Clone, Debug)]
pub struct Listed {
    key: Key,
    len: u64,
    touched: SystemTime,
}

impl Listed {
    /// What it is of, from the file itself. It serves to get or to remove the entry, and says its
    /// [`source`](Key::source).
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The length of its body in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Is its body empty?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// When it was last used or made, as far as the file knows: up to
    /// [`touch_every`](crate::Limits::touch_every) too early.
    pub fn touched(&self) -> SystemTime {
        self.touched
    }
}

impl Listing {
    pub(crate) fn new(store: Arc<Store>) -> Listing {
        let directories = Box::new(store.tree.directories());
        Listing { store, directories, open: None }
    }

    /// The next file of the open directory, or of those that follow.
    fn next_file(&mut self) -> Option<DirEntry> {
        loop {
            if let Some((directory, files)) = &mut self.open {
                match files.next() {
                    Some(Ok(file)) => return Some(file),
                    Some(Err(e)) => self.store.faults.note("list", directory, e),
                    None => {}
                }
            }
            // A directory that cannot be read on is left, as one that is at its end.
            let directory = self.directories.next()?;
            self.open = match std::fs::read_dir(&directory) {
                Ok(files) => Some((directory, files)),
                Err(e) => {
                    if e.kind() != io::ErrorKind::NotFound {
                        self.store.faults.note("list", &directory, e);
                    }
                    None
                }
            };
        }
    }
}

impl Iterator for Listing {
    type Item = Listed;

    fn next(&mut self) -> Option<Listed> {
        loop {
            let file = self.next_file()?;
            let name = file.file_name().to_str().and_then(Name::parse);
            // What is no entry is not ours to report: the next to ask for it removes it.
            if let Some(Ok(Some(listed))) = name.map(|name| look_at(&file.path(), name)) {
                return Some(listed);
            }
        }
    }
}

impl std::fmt::Debug for Listing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listing({})", self.store.tree.root().display())
    }
}

/// Reads the trailer alone; `None` for what is not an entry of this name.
fn look_at(path: &Path, name: Name) -> io::Result<Option<Listed>> {
    let file = sys::open_entry(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let len = metadata.len();
    let tail_len = len.min((Key::LONGEST + FOOTER) as u64);
    let mut tail = vec![0; tail_len as usize];
    sys::read_exact_at(&file, &mut tail, len - tail_len)?;
    let Ok((trailer, key)) = Trailer::parse(&tail, len) else { return Ok(None) };
    let Some(key) = Key::read_back(key, name) else { return Ok(None) };
    let touched = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(Some(Listed { key, len: trailer.body_len, touched }))
}
