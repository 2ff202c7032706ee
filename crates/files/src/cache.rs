//! The cache as callers see it.

use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::chores::Chorehand;
use crate::entry::Entry;
use crate::error::Error;
use crate::flight::{Entered, Flight, Slot, deadline_in};
use crate::key::{Key, Name, source_prefix};
use crate::lease::{Lease, detach};
use crate::limits::Limits;
use crate::listing::Listing;
use crate::refusal::Refusal;
use crate::stats::{Event, Stats};
use crate::store::Store;
use crate::tree::Tree;
use crate::watch::watch;

/// A bounded, crash-safe cache of plain files. A clone is another handle to the same cache.
///
/// Dropping the last clone ends the background thread; entries and leases stay valid.
#[derive(Clone)]
pub struct FileCache {
    store: Arc<Store>,
    /// Its drop, with the last clone, ends the thread.
    _chorehand: Arc<Chorehand>,
}

/// What [`FileCache::begin`] found, and with it what the caller does next.
#[derive(Debug)]
#[must_use]
pub enum Begin {
    /// It is there.
    Hit(Entry),
    /// It is not, and it is yours to make.
    Make(Lease),
    /// Someone else is making it.
    Busy(Flight),
    /// It could not be made a short while ago.
    Refused(Refusal),
}

impl FileCache {
    /// Opens the cache in `dir`, which is created, or is empty, or is a cache already.
    ///
    /// It takes no longer for a large cache: files are found by their names, and counted in the
    /// background. A directory that cannot be written is served as far as it goes.
    ///
    /// # Errors
    /// [`is_not_ours`](Error::is_not_ours) when the directory holds something else; nothing in it
    /// is touched. [`is_io`](Error::is_io) when it can be neither created nor read.
    pub fn open(dir: impl AsRef<Path>, limits: Limits) -> Result<FileCache, Error> {
        let tree = Tree::claim(dir.as_ref(), limits.verify_up_to)?;
        let store = Arc::new(Store::new(tree, limits));
        let chorehand = Arc::new(Chorehand::start(store.clone()));
        Ok(FileCache { store, _chorehand: chorehand })
    }

    /// The entry of `key`, if there is one.
    ///
    /// A hot hit is a look-up in memory. A cold one opens the file and verifies it; it blocks on
    /// the disk, so an event loop asks [`get_hot`](FileCache::get_hot).
    pub fn get(&self, key: &Key) -> Option<Entry> {
        let found = self.find(key);
        if found.is_none() {
            self.store.counters.add(Event::Miss);
        }
        found
    }

    /// The entry of `key` if its descriptor is open: never a system call, never a wait, on any
    /// machine that can tell the time without one.
    pub fn get_hot(&self, key: &Key) -> Option<Entry> {
        let found = self.store.find_hot(key)?;
        self.store.counters.add(Event::HitHot);
        Some(found)
    }

    fn find(&self, key: &Key) -> Option<Entry> {
        self.get_hot(key).or_else(|| {
            let (found, _) = self.store.find_cold(key)?;
            self.store.counters.add(Event::HitCold);
            Some(found)
        })
    }

    /// The bytes of `key`, if there are any: [`get`](FileCache::get) and [`Entry::read`] in one.
    ///
    /// A short entry that is not open is read whole to be verified: here that reading is the only
    /// one. What the disk can no longer read counts as a fault, and is a miss.
    pub fn read(&self, key: &Key) -> Option<Bytes> {
        let (entry, read) = match self.get_hot(key) {
            Some(entry) => (entry, None),
            None => {
                let found = self.store.find_cold(key);
                let event = if found.is_some() { Event::HitCold } else { Event::Miss };
                self.store.counters.add(event);
                found?
            }
        };
        let read = read.map_or_else(|| entry.read(), |bytes| Ok(bytes.into()));
        let noted = read.map_err(|e| self.store.faults.note("read", &self.path(key), e));
        noted.ok()
    }

    /// The entry of `key`, or the right to make it, or a place among those who wait for it.
    ///
    /// It blocks on the disk only, never on another maker.
    pub fn begin(&self, key: &Key) -> Begin {
        if let Some(entry) = self.find(key) {
            return Begin::Hit(entry);
        }
        if let Some(refusal) = self.store.find_refusal(key) {
            self.store.counters.add(Event::Refused);
            return Begin::Refused(refusal);
        }
        self.store.counters.add(Event::Miss);
        match self.store.flights.enter(key.name()) {
            Entered::Joined(slot) => self.join(slot),
            Entered::Leads(slot) => self.lead(key, slot, false),
            Entered::Passes(slot) => self.lead(key, slot, true),
        }
    }

    fn join(&self, slot: Arc<Slot>) -> Begin {
        self.store.counters.add(Event::Coalesced);
        Begin::Busy(Flight::new(slot, self.store.limits.max_waiters))
    }

    fn lead(&self, key: &Key, slot: Arc<Slot>, passes: bool) -> Begin {
        let mut lease = Lease::new(self.store.clone(), key.clone(), slot.clone());
        if let Some(held) = lease.take_draft() {
            // One who passes another process by makes the entry for memory only.
            if !passes {
                match watch(lease, held) {
                    Ok(()) => return self.join(slot),
                    Err(returned) => lease = returned,
                }
            }
        }
        // Whoever led before us, here or elsewhere, may have published between our look and our
        // lead: now that we hold the draft, nobody else can.
        match self.find(key) {
            Some(entry) => {
                lease.conclude(Ok(entry.clone()));
                Begin::Hit(entry)
            }
            None => Begin::Make(lease),
        }
    }

    /// The entry of `key`, made by `make` if need be, however many ask at once: one makes it, the
    /// others wait, up to [`Limits::wait`].
    ///
    /// # Errors
    /// The maker's, to all who waited for it, and not remembered; a
    /// [refusal](Error::is_refused); [`is_timeout`](Error::is_timeout) for a waiter;
    /// [`is_reentrant`](Error::is_reentrant) for a maker that asks for its own entry.
    ///
    /// # Panics
    /// If `make` does; those who wait get an [error](Error::is_panicked).
    pub fn get_or_make<E>(
        &self,
        key: &Key,
        make: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<Entry, Error>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.get_or(key, |lease| lease.write(make))
    }

    /// The entry of `key`, copied from the reader that `open` returns if need be: a blob of a
    /// database, say, that is then served by descriptor and is in the page cache once, however many
    /// connections and threads there are. `open` is not called for a hit or a waiter.
    ///
    /// ```
    /// # use larder_files::{FileCache, Key, Limits};
    /// # let dir = tempfile::tempdir()?;
    /// # let cache = FileCache::open(dir.path(), Limits::new())?;
    /// # let connection_and_row = || std::io::Result::Ok(&b"as long as you like"[..]);
    /// let key = Key::new("films/17", "version 4", "");
    /// let entry = cache.get_or_copy(&key, || connection_and_row())?;
    /// assert_eq!(entry.len(), 19);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of `open` and of the reader as [`is_failed`](Error::is_failed), else as
    /// [`get_or_make`](FileCache::get_or_make).
    ///
    /// # Panics
    /// If `open` or the reader does; those who wait get an [error](Error::is_panicked).
    pub fn get_or_copy<R: Read, E>(
        &self,
        key: &Key,
        open: impl FnOnce() -> Result<R, E>,
    ) -> Result<Entry, Error>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.get_or(key, |lease| match open() {
            Ok(reader) => lease.copy(reader),
            Err(e) => Err(lease.fail(e.into().into())),
        })
    }

    fn get_or(
        &self,
        key: &Key,
        lead: impl FnOnce(Lease) -> Result<Entry, Error>,
    ) -> Result<Entry, Error> {
        let deadline = deadline_in(self.store.limits.wait);
        loop {
            match self.begin(key) {
                Begin::Hit(entry) => return Ok(entry),
                Begin::Refused(refusal) => return Err(refusal.to_error()),
                Begin::Make(mut lease) => {
                    lease.stay_here();
                    return lead(lease);
                }
                Begin::Busy(flight) => match flight.wait(deadline) {
                    // The maker went away without a word: the next is one of us.
                    Err(e) if e.is_abandoned() && Instant::now() < deadline => {}
                    outcome => return outcome,
                },
            }
        }
    }

    /// Removes the entry of `key`; true if there was one. One who is making it now hands it to
    /// those who wait already, and does not store it.
    pub fn remove(&self, key: &Key) -> bool {
        let name = key.name();
        self.store.note_purge(name.stripe());
        for slot in self.store.flights.take(|flying| *flying == name) {
            detach(&self.store, &slot);
        }
        self.store.unlink(&self.store.refusal_of(key).name(), "remove");
        let removed = self.store.unlink(&name, "remove");
        self.store.note_purge(name.stripe());
        removed
    }

    /// Removes every entry of a source, whatever its version and parameters, and returns how many
    /// files that were.
    ///
    /// The cost is bounded, not constant: all entries of a source lie in one of 65,536 directories,
    /// and that one alone is listed; then the flights of this process and the table of open
    /// descriptors are looked through.
    /// It holds across restarts, since it is the files that go. Makers in this process hand what
    /// they make to those who wait already, and do not store it. Another process may still publish
    /// what it is making, and serves what it has open, until it purges the source itself.
    pub fn purge_source(&self, source: impl AsRef<[u8]>) -> u64 {
        let prefix = source_prefix(source.as_ref());
        self.store.note_purge(usize::from(prefix[0]));
        for slot in self.store.flights.take(|name| name.has_source(&prefix)) {
            detach(&self.store, &slot);
        }
        let directory = self.store.tree.directory_of_source(&prefix);
        let removed = self.unlink_all(&directory, |name| name.has_source(&prefix));
        self.store.forget_all(Some(&prefix));
        self.store.note_purge(usize::from(prefix[0]));
        removed
    }

    /// Removes every entry, and returns how many files that were.
    pub fn clear(&self) -> u64 {
        (0..256).for_each(|stripe| self.store.note_purge(stripe));
        for slot in self.store.flights.take(|_| true) {
            detach(&self.store, &slot);
        }
        let directories = self.store.tree.directories();
        let removed = directories.map(|directory| self.unlink_all(&directory, |_| true)).sum();
        // What the accounts still hold has been removed by others.
        let names = self.store.index.lock().names();
        for name in names {
            self.store.unlink(&name, "remove");
        }
        self.store.forget_all(None);
        (0..256).for_each(|stripe| self.store.note_purge(stripe));
        removed
    }

    fn unlink_all(&self, directory: &Path, which: impl Fn(&Name) -> bool) -> u64 {
        match Tree::entries(directory) {
            Ok(entries) => {
                let names = entries.into_iter().map(|(name, _)| name).filter(which);
                names.map(|name| u64::from(self.store.unlink(&name, "remove"))).sum()
            }
            Err(e) => {
                if e.kind() != std::io::ErrorKind::NotFound {
                    self.store.faults.note("list", directory, e);
                }
                0
            }
        }
    }

    /// Walks over the entries on disk: what they are of, how long, when they were last used.
    ///
    /// It is lazy and in no order, holds one directory at a time, and reads the end of each file,
    /// so it costs an open and a read an entry; it is no use. Entries that come or go meanwhile may
    /// be met or not. A body is not summed before the entry is asked for.
    pub fn entries(&self) -> Listing {
        Listing::new(self.store.clone())
    }

    /// Waits until the files that were there at open have been counted and what was over the
    /// bounds has been worked off; false if `deadline` passes before. Hits need not wait for it.
    pub fn wait_counted(&self, deadline: Instant) -> bool {
        self.store.chores.wait_counted(deadline)
    }

    /// Where the file of `key` is, or would be: for people and for tests.
    pub fn path(&self, key: &Key) -> PathBuf {
        self.store.tree.path(&key.name())
    }

    /// What the cache has done and what it holds.
    pub fn stats(&self) -> Stats {
        self.store.stats()
    }
}

impl fmt::Debug for FileCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileCache({})", self.store.tree.root().display())
    }
}
