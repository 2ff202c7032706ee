//! The clean-up of a shelf: what is in buckets that are over, a bounded number at a time.
//!
//! It unlinks by name and looks at no content. A file that was put off was moved to a later bucket,
//! so that whatever is still in this one has expired; one that is moved while we look at its name is
//! not there to be unlinked. The listing is kept open from one step to the next: directories don't
//! shrink, and to list again from the start would pass over all that has gone.

use std::collections::HashSet;
use std::fs::{self, ReadDir};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::AtFlags;
use rustix::io::Errno;

use crate::error::Error;
use crate::file::bucket::Bucket;
use crate::file::shelf::{Shelf, ends_in};
use crate::id::parse_name;
use crate::store::Cleaned;

/// Where the clean-up is.
#[derive(Default)]
pub(crate) struct Pass {
    open: Option<Open>,
    counting: Option<Counting>,
    /// Buckets with something in them that can't be unlinked: somebody else's directory.
    stuck: HashSet<u64>,
}

/// A bucket that is being emptied.
struct Open {
    bucket: Arc<Bucket>,
    names: ReadDir,
    is_stuck: bool,
}

impl Shelf {
    /// Unlinks at most `budget` files that have expired.
    pub(crate) fn clean(&self, now_ms: u64, budget: usize) -> Result<Cleaned, Error> {
        let mut cleaned = Cleaned::default();
        // Another thread is at it.
        let Some(mut pass) = self.pass.try_lock() else { return Ok(cleaned) };
        let Pass { open, stuck, .. } = &mut *pass;
        let mut left = budget;
        while left > 0 {
            let now = match &mut *open {
                Some(now) => now,
                none => match self.next_over(stuck, now_ms)? {
                    Some(next) => none.insert(next),
                    None => return Ok(cleaned),
                },
            };
            let (seen, removed) = now.empty(left).map_err(|e| self.failed("clean up", e))?;
            (left, cleaned.removed) = (left - seen, cleaned.removed + removed);
            if left > 0 {
                let (end_s, is_stuck) = (now.bucket.end_s, now.is_stuck);
                *open = None;
                if !self.remove_bucket(end_s)? {
                    // For the next step, if it can be emptied at all.
                    if is_stuck {
                        stuck.insert(end_s);
                    }
                    break;
                }
            }
        }
        cleaned.is_more = true;
        Ok(cleaned)
    }

    /// Opens the oldest bucket that is over.
    fn next_over(&self, stuck: &HashSet<u64>, now_ms: u64) -> Result<Option<Open>, Error> {
        let fail = |e| self.failed("list", e);
        let mut ends = ends_in(&self.path).map_err(fail)?;
        ends.retain(|end_s| end_s.saturating_mul(1000) <= now_ms && !stuck.contains(end_s));
        ends.sort_unstable();
        for end_s in ends {
            let table = self.table();
            let bucket = self.open_bucket(&table, end_s);
            let listed = bucket.and_then(|bucket| Ok((fs::read_dir(self.dir(end_s))?, bucket)));
            match listed {
                Ok((names, bucket)) => return Ok(Some(Open { bucket, names, is_stuck: false })),
                // Another process was quicker, or it is a file of somebody's.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) if e.kind() == io::ErrorKind::NotADirectory => {}
                Err(e) => return Err(fail(e)),
            }
        }
        Ok(None)
    }

    fn dir(&self, end_s: u64) -> PathBuf {
        self.path.join(end_s.to_string())
    }

    /// Removes an empty bucket; false if it is not empty.
    fn remove_bucket(&self, end_s: u64) -> Result<bool, Error> {
        match rustix::fs::unlinkat(&self.root, end_s.to_string(), AtFlags::REMOVEDIR) {
            Ok(()) => self.announce().map(|()| true),
            Err(Errno::NOENT) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            Err(e) => Err(self.failed("remove a bucket of", e.into())),
        }
    }

    /// Counts the names of buckets that are not counted, at most `budget` of them.
    pub(crate) fn count_some(&self, budget: usize) -> Result<(), Error> {
        let Some(mut pass) = self.pass.try_lock() else { return Ok(()) };
        let counting = match pass.counting.take() {
            Some(counting) => Some(counting),
            None => self.next_uncounted()?,
        };
        let Some(mut counting) = counting else { return Ok(()) };
        if counting.go_on(budget).map_err(|e| self.failed("list", e))? {
            counting.bucket.counted(counting.count, counting.foreign);
        } else {
            pass.counting = Some(counting);
        }
        Ok(())
    }

    fn next_uncounted(&self) -> Result<Option<Counting>, Error> {
        let table = self.table();
        let is_new = |bucket: &&Arc<Bucket>| !bucket.is_counted.load(Ordering::Relaxed);
        let Some(bucket) = table.buckets.iter().find(is_new) else { return Ok(None) };
        match fs::read_dir(self.dir(bucket.end_s)) {
            Ok(names) => {
                let bucket = Arc::clone(bucket);
                Ok(Some(Counting { bucket, names, count: 0, foreign: 0 }))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                bucket.counted(0, 0);
                Ok(None)
            }
            Err(e) => Err(self.failed("list", e)),
        }
    }

    /// Has all buckets counted anew.
    pub(crate) fn recount(&self) {
        for bucket in &self.table().buckets {
            bucket.is_counted.store(false, Ordering::Relaxed);
        }
    }
}

/// A bucket whose names are being counted.
struct Counting {
    bucket: Arc<Bucket>,
    names: ReadDir,
    count: u64,
    foreign: u64,
}

impl Counting {
    /// Counts up to `budget` names more; true when there are no more.
    fn go_on(&mut self, budget: usize) -> io::Result<bool> {
        let mut seen = 0;
        for entry in self.names.by_ref().take(budget) {
            seen += 1;
            match entry?.file_name().as_bytes() {
                name if parse_name(name).is_some() => self.count += 1,
                [b'.', ..] => {}
                _ => self.foreign += 1,
            }
        }
        Ok(seen < budget)
    }
}

impl Open {
    /// Unlinks up to `budget` names; returns how many it looked at and how many sessions it removed.
    /// Fewer than the budget: there are no more.
    fn empty(&mut self, budget: usize) -> io::Result<(usize, usize)> {
        let (mut seen, mut removed) = (0, 0);
        for entry in self.names.by_ref().take(budget) {
            seen += 1;
            let name = entry?.file_name();
            let is_ours = parse_name(name.as_bytes()).is_some();
            match self.bucket.unlink(name.as_bytes()) {
                Ok(()) if is_ours => {
                    removed += 1;
                    self.bucket.add(-1);
                }
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) if e.kind() == io::ErrorKind::IsADirectory => self.is_stuck = true,
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => self.is_stuck = true,
                Err(e) => return Err(e),
            }
        }
        Ok((seen, removed))
    }
}
