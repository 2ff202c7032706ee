//! The directories of a shelf, one for each span of time in which files expire.

use std::collections::HashSet;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;
use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat};
use rustix::io::Errno;

/// Files are read into as much at first: most are shorter.
const READ_AT_ONCE: usize = 4096;
/// A file that is longer is none of ours.
const MAX_FILE_BYTES: usize = 64 << 20;
/// Of a bucket so many spoiled files are told apart; there may be more.
const MAX_SPOILED: usize = 4096;

/// A directory of files that expire at its end.
pub(crate) struct Bucket {
    /// Its name, in seconds since 1970.
    pub(crate) end_s: u64,
    dir: OwnedFd,
    /// Device and inode: what tells it from a later directory of the same name.
    identity: (u64, u64),
    /// Files in it: what was counted, and this process's changes since.
    count: AtomicI64,
    /// Names in it that are no session's, when it was counted.
    pub(crate) foreign: AtomicU64,
    /// Names of sessions under which something else was found, by whoever looked.
    spoiled: Mutex<HashSet<u128>>,
    pub(crate) is_counted: AtomicBool,
}

/// What was found under a name.
pub(crate) enum Look {
    Bytes(Vec<u8>),
    Nothing,
    /// A link, a directory, or something else that is no file.
    Foreign,
}

impl Bucket {
    pub(crate) fn open(root: &OwnedFd, end_s: u64) -> io::Result<Bucket> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(root, end_s.to_string(), flags, Mode::empty())?;
        let identity = identity(&rustix::fs::fstat(&dir)?);
        Ok(Bucket {
            end_s,
            dir,
            identity,
            count: AtomicI64::new(0),
            foreign: AtomicU64::new(0),
            spoiled: Mutex::default(),
            is_counted: AtomicBool::new(false),
        })
    }

    /// Is it what is under its name? It is not if somebody has removed it.
    pub(crate) fn is_in(&self, root: &OwnedFd) -> io::Result<bool> {
        match rustix::fs::statat(root, self.end_s.to_string(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(identity(&stat) == self.identity),
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    pub(crate) fn is_over(&self, now_ms: u64) -> bool {
        self.end_s.saturating_mul(1000) <= now_ms
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed).max(0) as u64
    }

    pub(crate) fn add(&self, change: i64) {
        self.count.fetch_add(change, Ordering::Relaxed);
    }

    /// Its names were counted, since there was this [`tally`](Bucket::tally): what was added and
    /// removed by this process meanwhile is added to them.
    pub(crate) fn counted(&self, count: u64, foreign: u64, since: i64) {
        self.count.fetch_add(count as i64 - since, Ordering::Relaxed);
        self.foreign.store(foreign, Ordering::Relaxed);
        self.is_counted.store(true, Ordering::Relaxed);
    }

    /// The count as it is kept: below zero while more was removed than was counted.
    pub(crate) fn tally(&self) -> i64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Notes that the file of this name is none of ours; once, however often it is looked at.
    pub(crate) fn note_spoiled(&self, name: u128) {
        let mut spoiled = self.spoiled.lock();
        if spoiled.len() < MAX_SPOILED {
            spoiled.insert(name);
        }
    }

    /// Names that are no session's, and files that are none under the name of one.
    pub(crate) fn count_foreign(&self) -> u64 {
        self.foreign.load(Ordering::Relaxed) + self.spoiled.lock().len() as u64
    }

    /// Does it hold nothing but what names the session that another one went on as?
    pub(crate) fn is_passed(&self) -> bool {
        !self.end_s.is_multiple_of(2)
    }

    /// Reads a file. A link is not followed, and a FIFO does not block.
    pub(crate) fn look(&self, name: &[u8]) -> io::Result<Look> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.dir, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Look::Nothing),
            Err(Errno::LOOP | Errno::NXIO) => return Ok(Look::Foreign),
            Err(e) => return Err(e.into()),
        };
        // On the stack: most files are a few hundred bytes, and what is found is as large as it is.
        let mut room = [MaybeUninit::uninit(); READ_AT_ONCE];
        let begun = match rustix::io::read(&file, &mut room[..]) {
            Ok((begun, _)) => &*begun,
            Err(Errno::INTR) => return read_on(&file, &[]),
            Err(Errno::ISDIR | Errno::AGAIN) => return Ok(Look::Foreign),
            Err(e) => return Err(e.into()),
        };
        // A file gives as much as there is room for, until it ends.
        match begun.len() < READ_AT_ONCE {
            true => Ok(Look::Bytes(begun.to_vec())),
            false => read_on(&file, begun),
        }
    }

    /// Writes a file under a name that nobody else has.
    pub(crate) fn draft(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.dir, name, flags, Mode::from_raw_mode(0o600))?;
        let written = io::Write::write_all(&mut std::fs::File::from(file), bytes);
        if written.is_err() {
            let _ = self.unlink(name.as_bytes());
        }
        written
    }

    /// Moves a file over from this bucket to another one, or to another name.
    pub(crate) fn rename(&self, name: &[u8], to: &Bucket, to_name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.dir, name, &to.dir, to_name)?)
    }

    /// Puts a draft in the place of a file, if that is still there: a rename alone would bring back
    /// what another process has cleaned up. And ext4 takes a rename over a file for a reason to
    /// write the new one out at once, which costs several times what the exchange does.
    pub(crate) fn replace(&self, draft: &[u8], name: &[u8]) -> io::Result<()> {
        match self.exchange(draft, name) {
            Ok(()) => {
                // The old content. What can't be unlinked goes with its bucket.
                let _ = self.unlink(draft);
                Ok(())
            }
            // A file system that can't: whoever cleans up between the two is not noticed.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
                self.rename(draft, self, name)
            }
            Err(e) => Err(e.into()),
        }
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    fn exchange(&self, draft: &[u8], name: &[u8]) -> rustix::io::Result<()> {
        let flags = rustix::fs::RenameFlags::EXCHANGE;
        rustix::fs::renameat_with(&self.dir, draft, &self.dir, name, flags)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    fn exchange(&self, _: &[u8], _: &[u8]) -> rustix::io::Result<()> {
        Err(Errno::NOSYS)
    }

    pub(crate) fn unlink(&self, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.dir, name, AtFlags::empty())?)
    }
}

/// Reads what there is after a beginning.
fn read_on(file: &OwnedFd, begun: &[u8]) -> io::Result<Look> {
    let mut bytes = Vec::with_capacity(2 * READ_AT_ONCE);
    bytes.extend_from_slice(begun);
    loop {
        match rustix::io::read(file, spare_capacity(&mut bytes)) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(Errno::ISDIR | Errno::AGAIN) => return Ok(Look::Foreign),
            Err(e) => return Err(e.into()),
        }
        if bytes.len() < bytes.capacity() {
            return Ok(Look::Bytes(bytes));
        }
        if bytes.len() > MAX_FILE_BYTES {
            return Ok(Look::Foreign);
        }
        bytes.reserve(bytes.len());
    }
}

/// The buckets that there were at a generation of the table, in the order of the looks: the latest
/// first, but those that no session of this store could have come to after all others.
pub(crate) struct Table {
    pub(crate) generation: u64,
    pub(crate) buckets: Vec<Arc<Bucket>>,
    /// Ends under which there is something else: a file, or a directory that can't be read.
    pub(crate) taken: Vec<u64>,
    /// Other names, which are none of ours.
    pub(crate) foreign: u64,
    /// Were there more than are kept open? Then these were the right ones at this time.
    pub(crate) cut_at_s: Option<u64>,
}

/// What is in the directory of a shelf.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) ends: Vec<u64>,
    pub(crate) foreign: u64,
}

impl Listing {
    /// Lists a shelf in which these names are ours, beside the ends of buckets.
    pub(crate) fn of(path: &std::path::Path, ours: &[&str]) -> io::Result<Listing> {
        let mut listing = Listing::default();
        for entry in std::fs::read_dir(path)? {
            let name = entry?.file_name();
            match name.to_str().map(|name| (parse_end(name), ours.contains(&name))) {
                Some((Some(end_s), _)) => listing.ends.push(end_s),
                Some((None, true)) => {}
                _ => listing.foreign += 1,
            }
        }
        Ok(listing)
    }
}

/// Is it that what is under a bucket's name is no bucket of ours? Every other fault, such as that
/// too many files are open, is one: a session that can't be looked for is not gone.
pub(crate) fn is_foreign(e: &io::Error) -> bool {
    let errors = [Errno::NOTDIR, Errno::LOOP, Errno::ACCESS, Errno::PERM, Errno::NXIO];
    Errno::from_io_error(e).is_some_and(|e| errors.contains(&e))
}

impl Table {
    pub(crate) fn bucket(&self, end_s: u64) -> Option<&Arc<Bucket>> {
        self.buckets.iter().find(|bucket| bucket.end_s == end_s)
    }

    pub(crate) fn knows(&self, end_s: u64) -> bool {
        self.bucket(end_s).is_some() || self.taken.contains(&end_s)
    }

    /// What is foreign, as far as it was looked at.
    pub(crate) fn count_foreign(&self) -> u64 {
        let inside = self.buckets.iter().map(|bucket| bucket.count_foreign());
        self.foreign + self.taken.len() as u64 + inside.sum::<u64>()
    }
}

#[allow(clippy::unnecessary_cast, reason = "they have other widths elsewhere")]
fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

pub(crate) fn open_dir(path: &std::path::Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
}

/// Makes a bucket's directory, and says whether it was not there.
pub(crate) fn make_dir(root: &OwnedFd, end_s: u64) -> io::Result<bool> {
    match rustix::fs::mkdirat(root.as_fd(), end_s.to_string(), Mode::from_raw_mode(0o700)) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Reads the name of a bucket: digits, as they are written.
pub(crate) fn parse_end(name: &str) -> Option<u64> {
    let end_s = name.parse().ok()?;
    (u64::to_string(&end_s) == name).then_some(end_s)
}
