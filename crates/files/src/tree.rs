//! The directory: claimed by a marker, entries at `xx/yy/<name>`, drafts at `drafts/<name>`.

use std::fs::{self, DirEntry, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::entry::{Body, Entry};
use crate::error::Error;
use crate::key::{Key, Name, directory_of};
use crate::sys;
use crate::trailer::{FOOTER, Flaw, Trailer};
use parking_lot::RwLock;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// The file whose presence says that a directory is a cache, and whose first line says of which
/// format. An empty one is ours too: its writer was killed.
const MARKER: &str = "larder-files";
const FORMAT_LINE: &str = "larder files 1";
const DRAFTS: &str = "drafts";

/// Read at once with the trailer, which is most thumbnails in one system call.
const READ_AT_ONCE: u64 = 64 << 10;

pub(crate) struct Tree {
    root: PathBuf,
    boot: u128,
    verify_up_to: u64,
    /// Written by the sweep for each draft it tries, read by whoever begins one: so that the lock
    /// that the sweep takes for a moment is not mistaken for a maker's in another process.
    pub(crate) sweeping: RwLock<()>,
}

/// What stands at the place of an entry.
pub(crate) enum Found {
    /// With the body, when verifying has read the whole of it.
    Entry(Entry, Option<Vec<u8>>),
    Absent,
    Unusable(Flaw),
    Fault(io::Error),
}

impl Tree {
    /// Claims `dir`, or recognises it as claimed.
    pub(crate) fn claim(dir: &Path, verify_up_to: u64) -> Result<Tree, Error> {
        let root = std::path::absolute(dir).map_err(|e| Error::io("resolve", dir, e))?;
        fs::create_dir_all(&root).map_err(|e| Error::io("create", &root, e))?;
        let marker = root.join(MARKER);
        match fs::read_to_string(&marker) {
            Ok(text) if text.lines().next() == Some(FORMAT_LINE) => {}
            Ok(text) if text.is_empty() => mark(&marker),
            Ok(_) => return Err(Error::not_ours(&root, "its marker names another format")),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let mut content = fs::read_dir(&root).map_err(|e| Error::io("list", &root, e))?;
                // A marker that has appeared since is another process's claim, as good as ours.
                if content.next().is_some() && !marker.exists() {
                    return Err(Error::not_ours(&root, "it has other content and no marker"));
                }
                mark(&marker);
            }
            Err(e) => return Err(Error::io("read", &marker, e)),
        }
        let _ = fs::create_dir(root.join(DRAFTS)); // There already, or a fault at the first draft.
        Ok(Tree { root, boot: sys::boot_id(), verify_up_to, sweeping: RwLock::new(()) })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn boot(&self) -> u128 {
        self.boot
    }

    pub(crate) fn drafts(&self) -> PathBuf {
        self.root.join(DRAFTS)
    }

    pub(crate) fn path(&self, name: &Name) -> PathBuf {
        name.path(&self.root)
    }

    /// Opens and verifies the file of `key`. Unlinks nothing.
    pub(crate) fn open(&self, key: &Key) -> Found {
        match sys::open_entry(&self.path(&key.name())) {
            Ok(file) => match self.verify(file, key) {
                Ok(found) => found,
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Found::Unusable(Flaw::Torn),
                Err(e) => Found::Fault(e),
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => Found::Absent,
            Err(e) if sys::is_foreign(&e) => Found::Unusable(Flaw::Torn),
            Err(e) => Found::Fault(e),
        }
    }

    fn verify(&self, file: File, key: &Key) -> io::Result<Found> {
        let facts = sys::facts(&file)?;
        let len = facts.len;
        let trailer_len = (key.bytes().len() + FOOTER) as u64;
        if !facts.is_file || len < FOOTER as u64 {
            return Ok(Found::Unusable(Flaw::Torn));
        }
        let tail_len = if len <= READ_AT_ONCE { len } else { trailer_len.min(len) };
        let mut tail = sys::read_at(&file, len - tail_len, tail_len as usize)?;
        let trailer = match Trailer::decode(&tail, len, key.bytes()) {
            Ok(trailer) => trailer,
            Err(flaw) => return Ok(Found::Unusable(flaw)),
        };
        let sum = if tail_len == len {
            xxh3_128(&tail[..trailer.body_len as usize])
        } else if self.must_sum(&trailer) {
            sum_of(&file, trailer.body_len)?
        } else {
            trailer.body_sum
        };
        if sum != trailer.body_sum {
            return Ok(Found::Unusable(Flaw::Torn));
        }
        let read = (tail_len == len).then(|| {
            tail.truncate(trailer.body_len as usize);
            tail
        });
        let body = Body::File { file: Arc::new(file), offset: 0, len: trailer.body_len };
        let entry = Entry::new(key.bytes().clone(), body, sum, facts.modified_ns);
        Ok(Found::Entry(entry, read))
    }

    /// The page cache outlives processes: what was written since the machine started is whole.
    fn must_sum(&self, trailer: &Trailer) -> bool {
        trailer.body_len <= self.verify_up_to || self.boot == 0 || trailer.boot != self.boot
    }

    /// Is the root the directory that was claimed, rather than the empty mount point of a disk that
    /// has gone?
    pub(crate) fn is_there(&self) -> bool {
        self.root.join(MARKER).exists()
    }

    /// Puts a finished draft in its place.
    pub(crate) fn publish(&self, draft: &Path, name: &Name) -> io::Result<()> {
        let path = self.path(name);
        match fs::rename(draft, &path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.create_below(&name.directory())?;
                fs::rename(draft, &path)
            }
            result => result,
        }
    }

    /// Creates a directory below the root, but never the root: a root without its marker is
    /// another directory now, such as the empty mount point of a disk that has gone.
    pub(crate) fn create_below(&self, dir: &Path) -> io::Result<()> {
        fs::metadata(self.root.join(MARKER))?;
        fs::create_dir_all(self.root.join(dir))
    }

    pub(crate) fn create_drafts(&self) -> io::Result<()> {
        self.create_below(Path::new(DRAFTS))
    }

    /// The directories `xx/yy` that exist.
    pub(crate) fn directories(&self) -> impl Iterator<Item = PathBuf> + Send + use<> {
        // Made lazily: the listing of one level is held at a time.
        pairs_in(&self.root).into_iter().flat_map(|directory| pairs_in(&directory))
    }

    /// The directory of all entries of a source.
    pub(crate) fn directory_of_source(&self, prefix: &[u8]) -> PathBuf {
        self.root.join(directory_of(prefix))
    }

    /// The entries in one directory by name; what is not ours is passed over.
    pub(crate) fn entries(dir: &Path) -> io::Result<Vec<(Name, DirEntry)>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if let Some(name) = entry.file_name().to_str().and_then(Name::parse) {
                entries.push((name, entry));
            }
        }
        Ok(entries)
    }
}

fn mark(marker: &Path) {
    // Failing is no error: a directory that cannot be written has no claim to make.
    let about = "This directory is a cache: it may be deleted at any time.";
    let _ = fs::write(marker, format!("{FORMAT_LINE}\n{about}\n"));
}

/// The directories of two hexadecimal digits in `dir`; none if it cannot be listed.
fn pairs_in(dir: &Path) -> Vec<PathBuf> {
    let is_pair = |entry: &DirEntry| {
        let name = entry.file_name();
        let digits = name.as_encoded_bytes();
        digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit)
    };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(is_pair).map(|entry| entry.path()).collect()
}

fn sum_of(file: &File, len: u64) -> io::Result<u128> {
    let mut sum = Xxh3::new();
    let mut piece = vec![0; READ_AT_ONCE as usize];
    let mut at = 0;
    while at < len {
        let n = (len - at).min(READ_AT_ONCE) as usize;
        sys::read_exact_at(file, &mut piece[..n], at)?;
        sum.update(&piece[..n]);
        at += n as u64;
    }
    Ok(sum.digest128())
}
