//! The leader's side of a flight: a lease on making one entry, and the ways it can end.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use crate::draft::{Begun, Draft};
use crate::entry::{Body, Entry, now_ns};
use crate::error::{Error, SharedError};
use crate::flight::{Outcome, Slot};
use crate::index::{Account, cost_of};
use crate::key::Key;
use crate::refusal::{self, Refusal};
use crate::room::Room;
use crate::stats::Event;
use crate::store::Store;
use crate::sys;
use crate::trailer::Trailer;
use crate::writer::{Writer, Written, read_back};

/// The sole right to make one entry, here and in every process that shares the directory.
///
/// Exactly one of its methods ends it and wakes the waiters. Dropping it wakes them too, with an
/// error that says that nothing came of it, so a maker that returns early or panics blocks nobody.
#[must_use = "dropping a lease tells those who wait that nothing came of it"]
pub struct Lease {
    pub(crate) store: Arc<Store>,
    pub(crate) key: Key,
    pub(crate) slot: Arc<Slot>,
    /// The file to be published, if the disk gave us one. Owned as the slot's state says.
    draft: Option<Draft>,
    /// What the draft takes of the disk, or is about to.
    room: Room,
    /// The purges that the source had seen when the lease began.
    purges: u64,
    /// Has the slot been told its outcome?
    ended: bool,
}

impl Lease {
    pub(crate) fn new(store: Arc<Store>, key: Key, slot: Arc<Slot>) -> Lease {
        let purges = store.purges(&key.name());
        let room = Room::none(store.clone());
        Lease { store, key, slot, draft: None, room, purges, ended: false }
    }

    /// Tries to take the draft. An open file comes back when another process has it.
    pub(crate) fn take_draft(&mut self) -> Option<File> {
        let name = self.key.name();
        let mut begun = Draft::begin(&self.store.tree, &name);
        if begun.as_ref().is_err_and(sys::is_out_of_descriptors) {
            self.store.close_all();
            begun = Draft::begin(&self.store.tree, &name);
        }
        match begun {
            Ok(Begun::Ours(draft)) => self.own(draft),
            Ok(Begun::Held(file)) => return Some(file),
            Err(e) => self.store.faults.note("create", &self.store.tree.drafts(), e),
        }
        None
    }

    fn own(&mut self, draft: Draft) {
        let mut state = self.slot.state();
        if state.detached {
            // The purge came before we owned anything, so it has left this for us to unlink.
            let _ = draft.discard();
        } else {
            state.owns_draft = true;
            drop(state);
            self.draft = Some(draft);
        }
    }

    /// From here on the maker stays on this thread: one who waits for himself is recognised.
    pub(crate) fn stay_here(&mut self) {
        self.slot.state().maker = Some(thread::current().id());
    }

    /// Publishes a body that is already in memory and wakes the waiters.
    ///
    /// It never fails: what cannot be stored is handed out from memory, and the fault is counted.
    pub fn publish(mut self, bytes: &[u8]) -> Entry {
        let sum = xxh3_128(bytes);
        let key = self.key.clone();
        let entry = self.store_body(&key, 0, bytes, sum).unwrap_or_else(|| {
            let body = Body::Memory(Bytes::copy_from_slice(bytes));
            Entry::new(self.key.bytes().clone(), body, sum, now_ns())
        });
        self.store.counters.add(Event::Made);
        self.conclude(Ok(entry.clone()));
        entry
    }

    /// Publishes what `make` writes and wakes the waiters.
    ///
    /// Nothing is visible before `make` has returned `Ok`. Small writes are cheap: they are
    /// gathered in memory, and a body of up to 256 KiB is written in one piece.
    ///
    /// # Errors
    /// The maker's own as [`is_failed`](Error::is_failed), and
    /// [`is_too_large`](Error::is_too_large) past the limit. A full or vanished disk is not an
    /// error.
    pub fn write<E>(
        self,
        make: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<Entry, Error>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.write_with(|writer| make(writer))
    }

    /// Publishes all that `reader` has and wakes the waiters. At most 512 KiB of it are in memory
    /// at a time, as long as the disk can keep it.
    ///
    /// # Errors
    /// The reader's as [`is_failed`](Error::is_failed), else as [`write`](Lease::write).
    pub fn copy(self, reader: impl Read) -> Result<Entry, Error> {
        self.write_with(|writer| writer.take_from(reader))
    }

    fn write_with<E>(
        mut self,
        make: impl FnOnce(&mut Writer<'_>) -> Result<(), E>,
    ) -> Result<Entry, Error>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let limit = self.store.limits.max_entry_bytes;
        let draft = self.draft.as_ref().map(Draft::file);
        let mut writer = Writer::new(draft, &mut self.room, limit);
        let result = make(&mut writer);
        let (too_large, fault) = (writer.too_large, writer.fault.take());
        let written = writer.finish();
        if let Some(e) = fault {
            self.store.faults.note("write", &self.store.tree.drafts(), e);
        }
        let outcome = match (result, written) {
            _ if too_large => Err(Error::too_large(limit)),
            (Err(e), _) => Err(Error::failed(SharedError::from(e.into()))),
            (Ok(()), Err(e)) => Err(Error::io("read back", &self.store.tree.drafts(), e)),
            (Ok(()), Ok(written)) => self.land(written),
        };
        self.conclude(outcome.clone());
        outcome
    }

    fn land(&mut self, written: Written) -> Outcome {
        self.store.counters.add(Event::Made);
        let Written { spilled, rest, sum } = written;
        let key = self.key.clone();
        if let Some(entry) = self.store_body(&key, spilled, &rest, sum) {
            return Ok(entry);
        }
        let bytes = match &self.draft {
            Some(draft) if spilled > 0 => read_back(draft.file(), spilled, &rest)
                .map_err(|e| Error::io("read back", draft.path(), e))?
                .into(),
            _ => rest,
        };
        Ok(Entry::new(self.key.bytes().clone(), Body::Memory(bytes), sum, now_ns()))
    }

    /// Tells the waiters that the entry could not be made. The next who asks tries again.
    pub fn fail(self, error: SharedError) -> Error {
        let error = Error::failed(error);
        self.conclude(Err(error.clone()));
        error
    }

    /// Tells the waiters that the entry cannot be made, and remembers it for `ttl`: until then
    /// [`begin`](crate::FileCache::begin) answers with the reason.
    ///
    /// It is kept in memory and, as a small file, on disk, within the bounds of the cache: it holds
    /// in every process and after a restart, where the reason is its text alone. A purge or a
    /// removal forgets it, and another [`pipeline`](crate::Limits::pipeline) does not see it.
    pub fn refuse(mut self, reason: SharedError, ttl: Duration) -> Refusal {
        if self.store.limits.max_refusals > 0 {
            let body = refusal::encode(&reason, ttl);
            let key = self.key.of_refusal(&self.store.limits.pipeline);
            self.store_body(&key, 0, &body, xxh3_128(&body));
        }
        let refusal = Refusal::new(reason, ttl, self.purges);
        self.store.refusals.add(&self.key, refusal.clone());
        self.conclude(Err(refusal.to_error()));
        refusal
    }

    /// The entry on disk, or `None` when the disk would not have it. `key` is the lease's own, or
    /// that of its refusal.
    fn store_body(&mut self, key: &Key, spilled: u64, rest: &[u8], sum: u128) -> Option<Entry> {
        let draft = self.draft.take()?;
        let body_len = spilled + rest.len() as u64;
        let boot = self.store.tree.boot();
        let trailer = Trailer { body_len, body_sum: sum, boot }.encode(key.bytes());
        let cost = cost_of(body_len + trailer.len() as u64);
        let stored = if self.room.grow(cost) {
            self.seal(&draft, spilled, rest, &trailer, cost)
                .map_err(|e| self.note_unless_purged(&draft, e))
                .ok()
                .and_then(|file| self.put(key, &draft, file, body_len, sum, cost))
        } else {
            None
        };
        if stored.is_none() {
            self.draft = Some(draft); // To be read back, and then discarded.
        }
        stored
    }

    /// A draft that a purge unlinked cannot be opened again: that is no fault of the disk's.
    fn note_unless_purged(&self, draft: &Draft, e: io::Error) {
        let detached = self.slot.state().detached;
        if !(detached && e.kind() == io::ErrorKind::NotFound) {
            self.store.faults.note("write", draft.path(), e);
        }
    }

    /// Completes the draft and opens it for reading; a full disk is given what the oldest had.
    fn seal(
        &self,
        draft: &Draft,
        spilled: u64,
        rest: &[u8],
        trailer: &[u8],
        cost: u64,
    ) -> io::Result<File> {
        let write = || {
            sys::write_all_at(draft.file(), rest, spilled)?;
            sys::write_all_at(draft.file(), trailer, spilled + rest.len() as u64)
        };
        match write() {
            Err(e) if is_full(&e) && self.store.evict_bytes(2 * cost) => {
                self.store.faults.note("write", draft.path(), e);
                write()?;
            }
            written => written?,
        }
        sys::open_entry(draft.path())
    }

    /// Renames the draft into its place, unless a purge was first.
    fn put(
        &mut self,
        key: &Key,
        draft: &Draft,
        file: File,
        body_len: u64,
        sum: u128,
        cost: u64,
    ) -> Option<Entry> {
        let (store, name) = (&self.store, key.name());
        let epoch = store.epoch(&name);
        let body = Body::File { file: Arc::new(file), offset: 0, len: body_len };
        let entry = Entry::new(key.bytes().clone(), body, sum, now_ns());
        let renamed = {
            let mut state = self.slot.state();
            if state.detached {
                return None;
            }
            let renamed = store.tree.publish(draft.path(), &name);
            if renamed.is_ok() {
                state.owns_draft = false;
                self.room.settle(name, Account { used: entry.used(), cost });
            }
            renamed
        };
        match renamed {
            Ok(()) => {
                // A refusal is kept in memory anyway: it needs no descriptor.
                let stands = if *key == self.key {
                    store.admit(name, &entry, epoch)
                } else {
                    store.epoch(&name) == epoch
                };
                if !stands {
                    // Unlinked, perhaps, after the rename and before we entered it.
                    store.strike_if_gone(&name);
                }
                Some(entry)
            }
            Err(e) => {
                store.faults.note("publish", &store.tree.path(&name), e);
                None
            }
        }
    }

    /// Ends the lease: the draft goes first, so that the next leader finds its path free, then the
    /// place in the table, so that whoever is woken finds no flight but the next.
    pub(crate) fn conclude(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        self.ended = true;
        if let Some(draft) = self.draft.take() {
            let mut state = self.slot.state();
            if std::mem::take(&mut state.owns_draft) {
                let _ = draft.discard(); // Swept at the next open if it stays.
            }
        }
        self.room.give_back();
        self.store.flights.leave(&self.slot);
        self.slot.finish(outcome);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.ended {
            let panicking = thread::panicking();
            self.end(Err(if panicking { Error::panicked() } else { Error::abandoned() }));
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({:?})", self.key)
    }
}

fn is_full(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Unlinks the draft of a flight that a purge has detached, if it is ours to unlink.
pub(crate) fn detach(store: &Store, slot: &Slot) {
    let mut state = slot.state();
    state.detached = true;
    if std::mem::take(&mut state.owns_draft) {
        let _ = fs::remove_file(store.tree.drafts().join(slot.name.file_name()));
    }
}
