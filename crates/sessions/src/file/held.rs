//! The turn to write one file.

use std::io;
use std::sync::Arc;

use crate::error::Error;
use crate::file::bucket::{Bucket, Table, is_foreign};
use crate::file::shelf::{Found, Shelf, name_text};
use crate::file::stripes::Turn;

/// How often a bucket may be removed from under one write.
const REMOVALS: usize = 4;

pub(crate) struct Held<'a> {
    pub(crate) shelf: &'a Shelf,
    pub(crate) name: u128,
    pub(crate) slot: usize,
    pub(crate) _turn: Turn<'a>,
}

impl Held<'_> {
    /// Reads the file: what nobody changes while the turn is held.
    pub(crate) fn find(&self, now_ms: u64) -> Result<Option<Found>, Error> {
        self.shelf.find(self.name, now_ms)
    }

    /// Ends what a writer began that has died since, so that readers have no need of this turn.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        match self.shelf.generation(self.name) {
            Some(_) => Ok(()),
            None => self.outdate(),
        }
    }

    /// Ends all copies there are.
    pub(crate) fn outdate(&self) -> Result<(), Error> {
        self.between(|| Ok(())).map(drop)
    }

    /// Writes the file, in place of the one that was found `at` this bucket, into the bucket of this
    /// end, and returns for how long a copy is good. `None`: that one expired meanwhile, and was
    /// cleaned up.
    pub(crate) fn publish(
        &self,
        bytes: &[u8],
        at: Option<&Arc<Bucket>>,
        end_s: u64,
    ) -> Result<Option<u64>, Error> {
        self.in_bucket(end_s, |to| self.publish_in(to, bytes, at))
    }

    fn publish_in(
        &self,
        to: &Bucket,
        bytes: &[u8],
        at: Option<&Arc<Bucket>>,
    ) -> Result<Option<u64>, Error> {
        let draft = self.shelf.draft_name();
        match to.draft(&draft, bytes) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(|e| self.shelf.failed("write to", e))?,
        }
        let text = name_text(self.name);
        let published = self.between(|| {
            let Some(at) = at else { return to.rename(draft.as_bytes(), to, &text) };
            if at.end_s != to.end_s {
                at.rename(&text, to, &text)?;
            }
            to.replace(draft.as_bytes(), &text)
        });
        if matches!(published, Ok(Some(_))) {
            at.iter().for_each(|at| at.add(-1));
            to.add(1);
        } else {
            // Its writer is here to do it; of one that died, the bucket's end does it.
            let _ = to.unlink(draft.as_bytes());
        }
        published
    }

    /// Does something in the bucket of this end. If it finds nothing, that may be the bucket:
    /// another process, whose clock is ahead, may have removed it. Then it is made anew.
    fn in_bucket(
        &self,
        end_s: u64,
        work: impl Fn(&Bucket) -> Result<Option<u64>, Error>,
    ) -> Result<Option<u64>, Error> {
        let mut to = self.shelf.bucket(end_s)?;
        for _ in 0..REMOVALS {
            let done = work(&to)?;
            let fail = |e| self.shelf.failed("look for a bucket in", e);
            if done.is_some() || to.is_in(&self.shelf.root).map_err(fail)? {
                return Ok(done);
            }
            to = match self.shelf.make(to.end_s)? {
                Some(made) => made,
                None => self.shelf.bucket(end_s)?,
            };
        }
        Err(self.shelf.failed("write to", io::ErrorKind::NotFound.into()))
    }

    /// Moves the file to the bucket of another end. `None`: it expired meanwhile.
    pub(crate) fn shift(&self, at: &Bucket, end_s: u64) -> Result<Option<u64>, Error> {
        let text = name_text(self.name);
        self.in_bucket(end_s, |to| {
            let shifted = self.between(|| at.rename(&text, to, &text))?;
            if shifted.is_some() {
                at.add(-1);
                to.add(1);
            }
            Ok(shifted)
        })
    }

    /// Removes the file that was found there, and each other one of its name: a copy that somebody
    /// has restored would be found next. `None`: there was none any more.
    ///
    /// The others go first. If one can't be removed, the file is found by the next try, which has to
    /// know what it names.
    pub(crate) fn remove(&self, at: &Bucket) -> Result<Option<u64>, Error> {
        let table = self.shelf.table();
        let beyond = self.shelf.beyond(&table)?;
        self.between(|| {
            let mut is_any = self.unlink_where(&table, &beyond, |end_s| end_s != at.end_s)?;
            is_any |= self.unlink_in(at)?;
            // The bucket of this end may have been made anew since that one was opened.
            is_any |= self.unlink_where(&table, &beyond, |end_s| end_s == at.end_s)?;
            is_any.then_some(()).ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    /// Unlinks what has the name in the buckets of these ends, and says whether there was a file.
    fn unlink_where(
        &self,
        table: &Table,
        beyond: &[u64],
        is_meant: impl Fn(u64) -> bool,
    ) -> io::Result<bool> {
        let mut is_any = false;
        for bucket in table.buckets.iter().filter(|bucket| is_meant(bucket.end_s)) {
            is_any |= self.unlink_in(bucket)?;
        }
        for &end_s in beyond.iter().filter(|&&end_s| is_meant(end_s)) {
            match Bucket::open(&self.shelf.root, end_s) {
                Ok(bucket) => is_any |= self.unlink_in(&bucket)?,
                Err(e) if e.kind() == io::ErrorKind::NotFound || is_foreign(&e) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(is_any)
    }

    /// Unlinks what has the name in a bucket, and says whether there was a file.
    fn unlink_in(&self, bucket: &Bucket) -> io::Result<bool> {
        match bucket.unlink(&name_text(self.name)) {
            Ok(()) => {
                bucket.add(-1);
                Ok(true)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            // Somebody's directory, which is no session.
            Err(e) if e.kind() == io::ErrorKind::IsADirectory => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Does something between the beginning and the end of a write, in which no copy is good.
    fn between(&self, work: impl FnOnce() -> io::Result<()>) -> Result<Option<u64>, Error> {
        let fail = |e| self.shelf.failed("write to", e);
        self.shelf.generations.begin(self.slot).map_err(fail)?;
        let done = work();
        let number = self.shelf.generations.end(self.slot).map_err(fail)?;
        match done {
            Ok(()) => Ok(Some(number)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(fail(e)),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;

    /// A shelf with one file that expires in a minute, and what was found of it.
    fn with_one(dir: &tempfile::TempDir, name: u128) -> (Shelf, Found) {
        let path = dir.path().join("shelf");
        let shelf = Shelf::open(path, |_| true, false, Duration::from_secs(5)).unwrap();
        shelf.prepare(Duration::from_secs(16 * 60));
        let held = shelf.lock(name).unwrap();
        held.publish(b"old", None, shelf.end_s(NOW_MS + 60_000)).unwrap().unwrap();
        let found = held.find(NOW_MS).unwrap().unwrap();
        drop(held);
        (shelf, found)
    }

    /// The clean-up of a process whose clock is ahead takes no turn. What it removed between the
    /// look and the rename of a save came back, if that was into the same bucket.
    #[test]
    fn what_was_cleaned_up_meanwhile_is_not_written_anew() {
        for later_ms in [60_000, 300_000] {
            let dir = tempfile::tempdir().unwrap();
            let (shelf, found) = with_one(&dir, 7);
            let held = shelf.lock(7).unwrap();
            found.bucket.unlink(&name_text(7)).unwrap();
            let end_s = shelf.end_s(NOW_MS + later_ms);
            let published = held.publish(b"new", Some(&found.bucket), end_s).unwrap();
            assert_eq!(published, None);
            assert!(held.find(NOW_MS).unwrap().is_none());
        }
    }

    /// It went first, and with it what it named: the next try found the copy, or nothing.
    #[test]
    fn what_can_not_be_removed_as_a_whole_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let (shelf, found) = with_one(&dir, 7);
        let held = shelf.lock(7).unwrap();
        // The copy is of before it was put off.
        let other = found.bucket;
        held.shift(&other, shelf.end_s(NOW_MS + 300_000)).unwrap().unwrap();
        let found = held.find(NOW_MS).unwrap().unwrap();
        other.draft(std::str::from_utf8(&name_text(7)).unwrap(), b"restored").unwrap();
        let path = shelf.path.join(other.end_s.to_string());
        let allow = |mode| std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        allow(0o500);
        // To root nothing is forbidden.
        let is_root = std::fs::write(path.join("probe"), "").is_ok();
        if !is_root {
            assert!(held.remove(&found.bucket).is_err());
            assert_eq!(held.find(NOW_MS).unwrap().unwrap().bytes, b"old");
        }
        allow(0o700);
        assert!(held.remove(&found.bucket).unwrap().is_some());
        assert!(held.find(NOW_MS).unwrap().is_none());
    }

    #[test]
    fn what_is_replaced_leaves_one_file() {
        for later_ms in [60_000, 300_000] {
            let dir = tempfile::tempdir().unwrap();
            let (shelf, found) = with_one(&dir, 7);
            let held = shelf.lock(7).unwrap();
            let end_s = shelf.end_s(NOW_MS + later_ms);
            let published = held.publish(b"new", Some(&found.bucket), end_s).unwrap();
            assert!(published.is_some());
            assert_eq!(held.find(NOW_MS).unwrap().unwrap().bytes, b"new");
            let table = shelf.table();
            let names = table.buckets.iter().map(|bucket| {
                std::fs::read_dir(shelf.path.join(bucket.end_s.to_string())).unwrap().count()
            });
            assert_eq!(names.sum::<usize>(), 1, "neither a draft nor the old one is left");
        }
    }
}
