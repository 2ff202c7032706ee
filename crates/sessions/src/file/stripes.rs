//! The locks of writers: a stripe of names each, between threads and between processes.
//!
//! A turn is a mutex and, unless the process is alone, a lock (flock) on the stripe's file. It is
//! held for the few system calls of one write, never by a reader and never for a request. The file's
//! lock dies with its process; a process that was stopped holds it, and then others' writes fail
//! after the bound, while reads go on; but for a name of which nothing is found while its slot's
//! number is odd, since that may be on its way: who asks for it waits as a writer does.
//!
//! Lock order: a stripe of users, then one of sessions, then the table's. Nobody holds two of one
//! kind.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::error::Error;
use crate::file::private::open_private;

const STRIPES: usize = 64;
/// The one after the last stripe: whoever adds or removes a bucket.
const TABLE: usize = STRIPES;

/// Between looks at a lock that another process has: nothing wakes those who wait for it in time.
const FIRST_NAP: Duration = Duration::from_micros(50);
const LONGEST_NAP: Duration = Duration::from_millis(5);

pub(crate) struct Stripes {
    /// Each with its file, once it was opened; alone, nobody opens one.
    turns: Box<[Mutex<Option<File>>]>,
    dir: PathBuf,
    is_alone: bool,
    wait: Duration,
    /// By whoever had to wait.
    waits: AtomicU64,
}

/// A turn, until it is dropped.
pub(crate) struct Turn<'a>(MutexGuard<'a, Option<File>>);

impl Stripes {
    pub(crate) fn new(dir: PathBuf, is_alone: bool, wait: Duration) -> Stripes {
        let turns = (0..=TABLE).map(|_| Mutex::new(None)).collect();
        Stripes { turns, dir, is_alone, wait, waits: AtomicU64::new(0) }
    }

    pub(crate) fn waits(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }

    /// Takes the turn of a slot: slots of one stripe have one lock.
    pub(crate) fn lock(&self, slot: usize) -> Result<Turn<'_>, Error> {
        self.lock_nth(slot % STRIPES)
    }

    /// Takes the turn of whoever adds or removes a bucket.
    pub(crate) fn lock_table(&self) -> Result<Turn<'_>, Error> {
        self.lock_nth(TABLE)
    }

    fn lock_nth(&self, nth: usize) -> Result<Turn<'_>, Error> {
        let began = Instant::now();
        let mut turn = match self.turns[nth].try_lock() {
            Some(turn) => turn,
            None => {
                self.waits.fetch_add(1, Ordering::Relaxed);
                let turn = self.turns[nth].try_lock_for(self.wait);
                turn.ok_or_else(|| Error::timeout(began.elapsed()))?
            }
        };
        if !self.is_alone {
            let path = || self.dir.join(format!("{nth:02x}"));
            let file = match &mut *turn {
                Some(file) => file,
                none => {
                    let path = path();
                    none.insert(open_private(&path).map_err(|e| Error::io("open", &path, e))?)
                }
            };
            self.lock_file(file, began, &path)?;
        }
        Ok(Turn(turn))
    }

    fn lock_file(
        &self,
        file: &File,
        began: Instant,
        path: &dyn Fn() -> PathBuf,
    ) -> Result<(), Error> {
        let mut nap = FIRST_NAP;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(e)) => return Err(Error::io("lock", &path(), e)),
                Err(TryLockError::WouldBlock) => {}
            }
            if nap == FIRST_NAP {
                self.waits.fetch_add(1, Ordering::Relaxed);
            }
            if began.elapsed() >= self.wait {
                return Err(Error::timeout(began.elapsed()));
            }
            thread::sleep(nap);
            nap = (nap * 2).min(LONGEST_NAP);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(file) = &*self.0 {
            // What can't be unlocked is unlocked when the process ends.
            let _ = file.unlock();
        }
    }
}
