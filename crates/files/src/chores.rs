//! The background thread: sweeps drafts, counts files, works off what is over, sets mtimes.
//!
//! ```text
//! start ──> sweep, count, then strike, at a bounded rate ──> idle ──(recount_every)──> sweep …
//! ```
//! In its pauses it looks through the table of descriptors, for files whose mtimes are due. It
//! shares one mutex with the others, held for a look at two flags. It ends when the last clone of
//! the cache is dropped, at its next pause, which is at most one directory away.

use std::fs::DirEntry;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::draft::Draft;
use crate::entry::since_epoch_ns;
use crate::flight::deadline_in;
use crate::index::{Account, cost_of};
use crate::key::Name;
use crate::store::Store;
use crate::tree::Tree;

/// How often it looks for mtimes that are due: in a minute, or when one may be due, if sooner.
const LOOK_EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Chores {
    state: Mutex<State>,
    /// Signalled when the cache is closed.
    wake: Condvar,
    /// Signalled once, when all files have been counted.
    counted: Condvar,
}

/// All fields are under the mutex.
#[derive(Default)]
struct State {
    /// Set by the thread.
    counted: bool,
    /// Set by the last clone of the cache.
    stop: bool,
}

impl Chores {
    pub(crate) fn is_counted(&self) -> bool {
        self.state.lock().counted
    }

    /// Waits until all files have been counted; false if `deadline` passed before.
    pub(crate) fn wait_counted(&self, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        while !state.counted {
            if self.counted.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.counted
    }

    fn set_counted(&self) {
        self.state.lock().counted = true;
        self.counted.notify_all();
    }

    fn stop(&self) {
        self.state.lock().stop = true;
        self.wake.notify_all();
    }
}

/// Ends the thread when the last clone of a cache is dropped, and waits for its end.
pub(crate) struct Chorehand {
    store: Arc<Store>,
    thread: Option<JoinHandle<()>>,
}

impl Chorehand {
    /// Starts the thread. Without one the cache still works: on disk as far as it knows it.
    pub(crate) fn start(store: Arc<Store>) -> Chorehand {
        let for_thread = store.clone();
        let name = String::from("larder-files");
        let thread = thread::Builder::new().name(name).spawn(move || run(&for_thread));
        let thread = match thread {
            Ok(thread) => Some(thread),
            Err(e) => {
                store.faults.note("start a thread for", store.tree.root(), e);
                store.chores.set_counted();
                None
            }
        };
        Chorehand { store, thread }
    }
}

impl Drop for Chorehand {
    fn drop(&mut self) {
        self.store.chores.stop();
        if let Some(thread) = self.thread.take() {
            // The last clone may die in a fault's callback, on the thread itself.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

fn run(store: &Store) {
    let mut rests = Rests::new(store);
    loop {
        sweep(store);
        if !count(store, &mut rests) {
            break;
        }
        store.chores.set_counted();
        if !rests.rest(store.limits.recount_every) {
            break;
        }
    }
    store.touch_all_due();
}

/// Unlinks what makers of other processes have left that died: their drafts are in nobody's
/// accounts.
fn sweep(store: &Store) {
    let note = |path: &Path, e| store.faults.note("remove", path, e);
    if let Err(e) = Draft::sweep(&store.tree, note) {
        note_listing(store, &store.tree.drafts(), e);
    }
}

/// Files that are looked for between two rests.
const STRUCK_AT_ONCE: usize = 256;

/// Counts all files, works off what is over and strikes what is gone; false when the cache is
/// closed.
///
/// Whatever is over at any moment is evicted, oldest first, from what has been seen: when the last
/// directory has been seen, what remains are the most recently used of all.
fn count(store: &Store, rests: &mut Rests<'_>) -> bool {
    store.index.lock().begin_pass();
    for directory in store.tree.directories() {
        let began = Instant::now();
        let looked_at = match Tree::entries(&directory) {
            Ok(entries) => count_entries(store, entries),
            Err(e) => {
                note_listing(store, &directory, e);
                0
            }
        };
        store.work_off();
        if !rests.rest_for(looked_at, began) {
            return false;
        }
    }
    strike_unseen(store, rests)
}

/// Looks for the files that were met neither by the count nor by anybody else since it began, and
/// strikes those that other processes have removed; false when the cache is closed.
fn strike_unseen(store: &Store, rests: &mut Rests<'_>) -> bool {
    let unseen = store.index.lock().unseen();
    for names in unseen.chunks(STRUCK_AT_ONCE) {
        // A disk that has gone has not lost its files.
        if !store.tree.is_there() {
            break;
        }
        let began = Instant::now();
        names.iter().for_each(|name| store.strike_if_gone(name));
        if !rests.rest_for(names.len(), began) {
            return false;
        }
    }
    true
}

fn count_entries(store: &Store, entries: Vec<(Name, DirEntry)>) -> usize {
    let looked_at = entries.len();
    for (name, entry) in entries {
        let epoch = store.epoch(&name);
        // Gone since the listing: evicted, or removed.
        let Ok(metadata) = entry.metadata() else { continue };
        // No entry, and no room that evicting it would give back: left to whoever asks for it.
        if metadata.is_dir() {
            continue;
        }
        let used = metadata.modified().map_or(0, since_epoch_ns);
        let account = Account { used, cost: cost_of(metadata.len()) };
        store.index.lock().enter(name, account);
        if store.epoch(&name) != epoch {
            // Unlinked, perhaps, after we looked at it and before we entered it.
            store.strike_if_gone(&name);
        }
    }
    looked_at
}

fn note_listing(store: &Store, directory: &Path, e: std::io::Error) {
    if e.kind() != std::io::ErrorKind::NotFound {
        store.faults.note("list", directory, e);
    }
}

/// The pauses of the thread, in which it sees to the mtimes.
struct Rests<'s> {
    store: &'s Store,
    look_every: Duration,
    next_look: Instant,
}

impl Rests<'_> {
    fn new(store: &Store) -> Rests<'_> {
        let look_every = store.limits.touch_every.clamp(*LOOK_EVERY.start(), *LOOK_EVERY.end());
        Rests { store, look_every, next_look: deadline_in(look_every) }
    }

    /// Rests for what the rate leaves of the time of so many looks; false when the cache is closed.
    fn rest_for(&mut self, looked_at: usize, began: Instant) -> bool {
        let rate = self.store.limits.scan_per_second;
        let due = Duration::from_secs(1) * (looked_at as u32 + 1) / rate;
        self.rest(due.saturating_sub(began.elapsed()))
    }

    /// Rests for as long; false when the cache is closed.
    fn rest(&mut self, rest: Duration) -> bool {
        let until = deadline_in(rest);
        loop {
            if Instant::now() >= self.next_look {
                self.store.touch_all_due();
                self.next_look = deadline_in(self.look_every);
            }
            let mut state = self.store.chores.state.lock();
            if state.stop {
                return false;
            }
            if Instant::now() >= until {
                return true;
            }
            let _ = self.store.chores.wake.wait_until(&mut state, until.min(self.next_look));
        }
    }
}
