//! What all clones of a cache and its background thread share: the tables and the ways to a file.
//!
//! The table of descriptors and the tree are two things, and a file can leave the tree while it is
//! on its way into the table. Each source therefore has an epoch (one of 256 stripes), bumped
//! after an unlink and before the table is told. Whoever admits an entry read the epoch before the
//! file was opened or renamed, and looks again after the insertion: either the bump is seen and
//! the entry is taken out again, or the bump is later than the insertion, and then so is the
//! invalidation that follows it. All of these are `SeqCst`, and none is on the way of a hot hit.
//!
//! Between the insertion and the second look the entry may be of a file that a purge, which has
//! returned, unlinked. A hot hit therefore takes only what is marked as admitted, after that look:
//! who gets a marked entry out of the table got it before any invalidation that follows the mark,
//! so his call began before the purge returned.
//!
//! The tree and the accounts are two things as well. A file may be in the accounts and not in the
//! tree for a moment, but one in the tree is in the accounts, or on its way there or out:
//!
//! ```text
//! comes:  rename or open ──> enter ──> epoch as before? ──no──> strike if gone
//! goes:   out of the accounts ──> unlink (failed: enter again) ──> bump ──> strike if gone
//! strike: out of the accounts ──> look ──> there: enter again ──> epoch as before? ──no──> strike
//! ```
//! An account is taken out before the look or the unlink that justifies it, never after, so what a
//! maker enters meanwhile stays. An account whose file went is struck by whoever is last: if it was
//! entered after the unlinker's strike, its epoch was bumped before its second look.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::chores::Chores;
use crate::descriptors::Descriptors;
use crate::entry::{Entry, now_ns};
use crate::faults::Faults;
use crate::flight::Flights;
use crate::index::{Account, BLOCK, Index, cost_of};
use crate::key::{Key, Name};
use crate::limits::Limits;
use crate::refusal::{self, Refusal, Refusals};
use crate::stats::{Counters, Event, Stats};
use crate::sys;
use crate::trailer::{FOOTER, Flaw};
use crate::tree::{Found, Tree};
use crate::watch::Watchers;

/// Files that one insertion evicts at most beyond those that make its own room; what the cache is
/// over by besides is the background's.
const EVICTED_BESIDES: u64 = 64;
/// Files that one insertion spares at most beyond those with a descriptor; then the hits come
/// faster than it can note them, and what it knows of their order must do.
const SPARED_BESIDES: usize = 64;

pub(crate) struct Store {
    pub(crate) tree: Tree,
    pub(crate) limits: Limits,
    pub(crate) index: Mutex<Index>,
    pub(crate) flights: Flights,
    pub(crate) refusals: Refusals,
    pub(crate) counters: Counters,
    pub(crate) faults: Faults,
    pub(crate) chores: Chores,
    pub(crate) watchers: Watchers,
    /// The open descriptors of entries in the tree.
    hot: Descriptors,
    /// By [`Name::stripe`]; bumped by whoever unlinks, see above.
    epochs: [AtomicU64; 256],
    /// By the same; bumped by removals and purges only, which is what a refusal must not outlive:
    /// before they detach makers, and after they unlinked, since a refusal may have been read from
    /// its file meanwhile.
    purges: [AtomicU64; 256],
}

impl Store {
    pub(crate) fn new(tree: Tree, mut limits: Limits) -> Store {
        limits.max_entry_bytes = limits.max_entry_bytes.min(limits.max_bytes);
        limits.open_descriptors = limits.open_descriptors.min(sys::descriptor_limit() / 4);
        let index = Mutex::new(Index::new(&limits));
        Store {
            hot: Descriptors::new(limits.open_descriptors),
            index,
            refusals: Refusals::new(limits.max_refusals),
            faults: Faults::new(limits.on_fault.clone()),
            tree,
            limits,
            flights: Flights::default(),
            counters: Counters::default(),
            chores: Chores::default(),
            watchers: Watchers::default(),
            epochs: [const { AtomicU64::new(0) }; 256],
            purges: [const { AtomicU64::new(0) }; 256],
        }
    }

    pub(crate) fn epoch(&self, name: &Name) -> u64 {
        self.epochs[name.stripe()].load(Ordering::SeqCst)
    }

    pub(crate) fn purges(&self, name: &Name) -> u64 {
        self.purges[name.stripe()].load(Ordering::SeqCst)
    }

    pub(crate) fn note_purge(&self, stripe: usize) {
        self.purges[stripe].fetch_add(1, Ordering::SeqCst);
    }

    /// The entry of `key` if its descriptor is open: no system call.
    pub(crate) fn find_hot(&self, key: &Key) -> Option<Entry> {
        let entry = self.hot.get(&key.name())?;
        if !(entry.is_admitted() && entry.is_of(key.bytes())) {
            return None;
        }
        entry.note_use();
        Some(entry)
    }

    /// The entry of `key` from the tree, and its body if it had to be read. What stands in its
    /// place and is not it is removed.
    pub(crate) fn find_cold(&self, key: &Key) -> Option<(Entry, Option<Vec<u8>>)> {
        let name = key.name();
        let epoch = self.epoch(&name);
        match self.open_file(key) {
            Found::Entry(entry, read) => {
                let len = entry.len() + (key.bytes().len() + FOOTER) as u64;
                let account = Account { used: entry.used(), cost: cost_of(len) };
                self.index.lock().enter(name, account);
                self.touch_if_due(&entry);
                if !self.admit(name, &entry, epoch) {
                    // Unlinked, perhaps, after we opened it and before we entered it.
                    self.strike_if_gone(&name);
                }
                return Some((entry, read));
            }
            Found::Absent => {}
            Found::Unusable(flaw) => self.remove_unusable(&name, flaw),
            Found::Fault(e) => self.faults.note("open", &self.tree.path(&name), e),
        }
        None
    }

    /// The key of the file that keeps a refusal of this one by this version of the pipeline.
    pub(crate) fn refusal_of(&self, key: &Key) -> Key {
        key.of_refusal(&self.limits.pipeline)
    }

    /// A refusal that holds, from memory or else from the tree.
    pub(crate) fn find_refusal(&self, key: &Key) -> Option<Refusal> {
        if self.limits.max_refusals == 0 {
            return None;
        }
        // Read before the file is looked for: a purge that unlinks it later is after this.
        let purges = self.purges(&key.name());
        self.refusals.find(key, purges).or_else(|| {
            let kept = self.refusal_of(key);
            let refusal = match self.open_file(&kept) {
                Found::Entry(_, Some(body)) => refusal::decode(&body, purges),
                Found::Entry(entry, None) => refusal::decode(&entry.read().ok()?, purges),
                Found::Absent => return None,
                Found::Unusable(flaw) => {
                    self.remove_unusable(&kept.name(), flaw);
                    return None;
                }
                Found::Fault(e) => {
                    self.faults.note("open", &self.tree.path(&kept.name()), e);
                    return None;
                }
            };
            match &refusal {
                Some(refusal) => self.refusals.add(key, refusal.clone()),
                None => drop(self.unlink(&kept.name(), "remove")),
            }
            refusal
        })
    }

    fn open_file(&self, key: &Key) -> Found {
        match self.tree.open(key) {
            Found::Fault(e) if sys::is_out_of_descriptors(&e) => {
                self.faults.note("open", &self.tree.path(&key.name()), e);
                self.close_all();
                self.tree.open(key)
            }
            found => found,
        }
    }

    /// Gives all idle descriptors back to the process, which has run out of them.
    pub(crate) fn close_all(&self) {
        for (name, entry) in self.hot.clear() {
            self.leave_use(&name, &entry);
        }
    }

    /// A descriptor that leaves the table leaves the time of its last use to the accounts.
    fn leave_use(&self, name: &Name, entry: &Entry) {
        self.index.lock().touch(name, entry.used());
        self.touch_if_due(entry);
    }

    /// Puts an entry of the tree into the table; `epoch` is from before it was opened or renamed.
    /// False when a file of the stripe has left the tree since, so that this may be it.
    pub(crate) fn admit(&self, name: Name, entry: &Entry, epoch: u64) -> bool {
        if let Some((name, entry)) = self.hot.insert(name, entry) {
            self.leave_use(&name, &entry);
        }
        let unchanged = self.epoch(&name) == epoch;
        if unchanged {
            entry.set_admitted();
        } else {
            self.hot.remove(&name);
        }
        unchanged
    }

    /// Takes what is not in the tree out of the accounts; see above.
    pub(crate) fn strike_if_gone(&self, name: &Name) {
        loop {
            let epoch = self.epoch(name);
            let Some(mut account) = self.index.lock().remove(name) else { return };
            match fs::symlink_metadata(self.tree.path(name)) {
                Ok(metadata) => account.cost = cost_of(metadata.len()),
                Err(e) if e.kind() == io::ErrorKind::NotFound => return,
                Err(_) => {}
            }
            self.index.lock().enter_if_absent(*name, account);
            if self.epoch(name) == epoch {
                return;
            }
        }
    }

    fn touch_if_due(&self, entry: &Entry) {
        if entry.is_touch_due(self.limits.touch_every) {
            entry.touch();
        }
    }

    /// Sets the mtimes of the open files that were used for long enough since.
    pub(crate) fn touch_all_due(&self) {
        let due = self.hot.pick(|entry| entry.is_touch_due(self.limits.touch_every));
        due.iter().for_each(Entry::touch);
    }

    fn remove_unusable(&self, name: &Name, flaw: Flaw) {
        self.counters.add(match flaw {
            Flaw::Torn => Event::Torn,
            Flaw::Collision => Event::Collision,
        });
        self.unlink(name, "remove");
    }

    /// Removes a file from the tree, the accounts and the table; true if it was there.
    pub(crate) fn unlink(&self, name: &Name, operation: &'static str) -> bool {
        let account = self.index.lock().remove(name);
        let removed = self.unlink_file(name, operation);
        self.settle(name, removed, account);
        removed.unwrap_or(false)
    }

    /// Ends an unlink: one that the disk does not let go still takes its room, and stays open.
    fn settle(&self, name: &Name, removed: Result<bool, ()>, account: Option<Account>) {
        match (removed, account) {
            (Ok(_), _) => self.forget(name),
            (Err(()), Some(account)) => self.index.lock().enter_if_absent(*name, account),
            (Err(()), None) => {}
        }
        self.strike_if_gone(name);
    }

    /// Tells the table that a file has left the tree.
    pub(crate) fn forget(&self, name: &Name) {
        self.epochs[name.stripe()].fetch_add(1, Ordering::SeqCst);
        self.hot.remove(name);
    }

    /// Tells the table that all files of a source, or of every source, have left the tree. They
    /// may have been unlinked by another process, and so have no name left to be met by.
    pub(crate) fn forget_all(&self, source: Option<&[u8; Name::SOURCE]>) {
        let stripes =
            source.map_or(0..256, |prefix| usize::from(prefix[0])..usize::from(prefix[0]) + 1);
        for epoch in &self.epochs[stripes] {
            epoch.fetch_add(1, Ordering::SeqCst);
        }
        self.hot.remove_all(|name| source.is_none_or(|prefix| name.has_source(prefix)));
    }

    fn unlink_file(&self, name: &Name, operation: &'static str) -> Result<bool, ()> {
        let path = self.tree.path(name);
        match remove(&path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => {
                self.faults.note(operation, &path, e);
                Err(())
            }
        }
    }

    /// Promises so much more room, evicting what was not used for longest.
    pub(crate) fn reserve(&self, cost: u64, files: usize) -> bool {
        // What would not fit an empty cache is not worth emptying it.
        self.index.lock().can_ever_fit(cost, files)
            && self.evict_until(files_of(cost), |index| index.reserve(cost, files))
    }

    /// Evicts files until the accounts are within their bounds.
    pub(crate) fn work_off(&self) -> bool {
        self.evict_until(u64::MAX, |index| !index.is_over())
    }

    /// Evicts this many bytes whatever the bounds say, when the disk itself is full; none if there
    /// are not as many, since nothing would come of it.
    pub(crate) fn evict_bytes(&self, bytes: u64) -> bool {
        let Some(target) = self.index.lock().bytes().checked_sub(bytes) else { return false };
        self.evict_until(files_of(bytes), |index| index.bytes() <= target)
    }

    fn evict_until(&self, at_most: u64, mut is_met: impl FnMut(&mut Index) -> bool) -> bool {
        let (mut evicted, mut spared) = (0, 0);
        let spared_at_most = self.hot.len() + SPARED_BESIDES;
        loop {
            let (name, account, epoch) = {
                let mut index = self.index.lock();
                if is_met(&mut index) {
                    return true;
                }
                if evicted == at_most {
                    return false;
                }
                let Some((name, account)) = index.take_oldest() else { return false };
                // Under the lock: who unlinks it now finds no account, and bumps this later.
                (name, account, self.epoch(&name))
            };
            if spared < spared_at_most && self.spare(name, account, epoch) {
                spared += 1;
            } else if self.evict(name, account) {
                evicted += 1;
            } else {
                return false;
            }
        }
    }

    /// Enters a file that was just taken out of the accounts again, if it was hit since they were
    /// written.
    fn spare(&self, name: Name, account: Account, epoch: u64) -> bool {
        let used = self.hot.get(&name).map_or(0, |entry| entry.used());
        if used <= account.used {
            return false;
        }
        self.index.lock().enter_if_absent(name, Account { used, ..account });
        if self.epoch(&name) != epoch {
            self.strike_if_gone(&name);
        }
        true
    }

    /// Evicts a file already out of the accounts.
    fn evict(&self, name: Name, account: Account) -> bool {
        let removed = self.unlink_file(&name, "evict");
        // One that stays is as if just used, so that the next try is another file.
        self.settle(&name, removed, Some(Account { used: now_ns(), ..account }));
        if removed == Ok(true) {
            self.counters.add(Event::Evicted);
        }
        removed.is_ok()
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        self.counters.read(&mut stats);
        stats.faults = self.faults.count();
        stats.last_fault = self.faults.last();
        stats.open_descriptors = self.hot.len() as u64;
        stats.counted = self.chores.is_counted();
        stats.read_only = !sys::is_writable(self.tree.root());
        let index = self.index.lock();
        stats.bytes = index.bytes();
        stats.bytes_being_written = index.reserved_bytes();
        stats.files = index.files() as u64;
        stats
    }
}

/// So many files are enough for these bytes, however short they are.
fn files_of(bytes: u64) -> u64 {
    bytes / BLOCK + EVICTED_BESIDES
}

/// Removes a file, or an empty directory in its place; what is in another was put there by someone.
fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|e| {
        let is_dir = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
        if is_dir { fs::remove_dir(path) } else { Err(e) }
    })
}
