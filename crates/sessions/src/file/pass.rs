//! The clean-up of a shelf: what is in buckets that are over, a bounded number at a time.
//!
//! It unlinks by name and looks at no content. A file that was put off was moved to a later bucket,
//! so that whatever is still in this one has expired; one that is moved while we look at its name is
//! not there to be unlinked. The listing is kept open from one step to the next: directories don't
//! shrink, and to list again from the start would pass over all that has gone.
//!
//! What other processes add and remove is known by counting names, of some buckets at each step, and
//! anew when all were counted and some time has passed: a count that has begun is brought to its end.

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
use crate::file::bucket::{Bucket, Table, is_foreign};
use crate::file::shelf::Shelf;
use crate::id::parse_name;
use crate::store::Cleaned;

/// Where the clean-up is.
#[derive(Default)]
pub(crate) struct Pass {
    open: Option<Open>,
    counting: Option<Counting>,
    /// When the buckets were last begun to be counted anew.
    recounted_ms: u64,
    /// Buckets with something in them that can't be unlinked: somebody else's directory.
    stuck: HashSet<u64>,
}

/// Counts of buckets are made anew so often, unless that takes longer.
const RECOUNT_MS: u64 = 10 * 60 * 1000;
/// A step counts so many names at least: a fraction of a millisecond, and four million in the time
/// between two counts, if there are four steps a second.
const LEAST_COUNTED: u64 = 2000;
/// Of more a step counts such a part, so that a count is over in time however many there are.
const STEPS: u64 = RECOUNT_MS / 250 / 2;

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
        self.tell(now_ms);
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
            left -= seen;
            match now.bucket.is_passed() {
                true => cleaned.others += removed,
                false => cleaned.removed += removed,
            }
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
        let mut ends = self.list()?.ends;
        ends.retain(|end_s| end_s.saturating_mul(1000) <= now_ms && !stuck.contains(end_s));
        ends.sort_unstable();
        for end_s in ends {
            let table = self.table();
            let bucket = self.open_bucket(&table, end_s);
            let listed = bucket.and_then(|bucket| Ok((fs::read_dir(self.dir(end_s))?, bucket)));
            match listed {
                Ok((names, bucket)) => return Ok(Some(Open { bucket, names, is_stuck: false })),
                // Another process was quicker, or it is a file of somebody's.
                Err(e) if e.kind() == io::ErrorKind::NotFound || is_foreign(&e) => {}
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

    /// Counts names of buckets that are not counted, or have to be counted anew, for one step.
    pub(crate) fn count_some(&self, now_ms: u64) -> Result<(), Error> {
        let Some(mut pass) = self.pass.try_lock() else { return Ok(()) };
        let table = self.table();
        self.begin_anew(&mut pass, &table, now_ms);
        let mut left = self.names_a_step(&table);
        while left > 0 {
            let counting = match pass.counting.take() {
                Some(counting) => counting,
                None => match self.next_uncounted(&table)? {
                    Some(next) => next,
                    None => break,
                },
            };
            left = self.go_on(&mut pass, counting, left)?;
        }
        Ok(())
    }

    /// Has all buckets counted anew if it is time, and if they all were.
    fn begin_anew(&self, pass: &mut Pass, table: &Table, now_ms: u64) {
        let is_counted = |bucket: &Arc<Bucket>| bucket.is_counted.load(Ordering::Relaxed);
        let is_first = pass.recounted_ms == 0;
        if now_ms.abs_diff(pass.recounted_ms) < RECOUNT_MS {
            return;
        }
        if table.buckets.iter().all(is_counted) {
            pass.recounted_ms = now_ms;
            let begin = |bucket: &Arc<Bucket>| bucket.is_counted.store(false, Ordering::Relaxed);
            table.buckets.iter().for_each(begin);
        } else if is_first {
            pass.recounted_ms = now_ms;
        }
    }

    fn names_a_step(&self, table: &Table) -> u64 {
        let known = table.buckets.iter().map(|bucket| bucket.count()).sum::<u64>();
        LEAST_COUNTED.max(known / STEPS)
    }

    /// Counts at most so many names; returns how many are left of these if it has come to the end.
    fn go_on(&self, pass: &mut Pass, mut counting: Counting, most: u64) -> Result<u64, Error> {
        let seen = counting.go_on(most).map_err(|e| self.failed("list", e))?;
        if seen < most {
            counting.bucket.counted(counting.count, counting.foreign, counting.since);
        } else {
            pass.counting = Some(counting);
        }
        Ok(most - seen)
    }

    fn next_uncounted(&self, table: &Table) -> Result<Option<Counting>, Error> {
        let is_new = |bucket: &&Arc<Bucket>| !bucket.is_counted.load(Ordering::Relaxed);
        for bucket in table.buckets.iter().filter(is_new) {
            let since = bucket.tally();
            match fs::read_dir(self.dir(bucket.end_s)) {
                Ok(names) => {
                    let bucket = Arc::clone(bucket);
                    return Ok(Some(Counting { bucket, names, count: 0, foreign: 0, since }));
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => bucket.counted(0, 0, since),
                // What is known of it is all there will be.
                Err(e) if is_foreign(&e) => bucket.is_counted.store(true, Ordering::Relaxed),
                Err(e) => return Err(self.failed("list", e)),
            }
        }
        Ok(None)
    }
}

/// A bucket whose names are being counted.
struct Counting {
    bucket: Arc<Bucket>,
    names: ReadDir,
    count: u64,
    foreign: u64,
    /// The bucket's tally when it was begun.
    since: i64,
}

impl Counting {
    /// Counts up to `most` names more, and returns how many: fewer when there are no more.
    fn go_on(&mut self, most: u64) -> io::Result<u64> {
        let mut seen = 0;
        for entry in self.names.by_ref().take(most as usize) {
            seen += 1;
            match entry?.file_name().as_bytes() {
                name if parse_name(name).is_some() => self.count += 1,
                [b'.', ..] => {}
                _ => self.foreign += 1,
            }
        }
        Ok(seen)
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
