//! A store that fails where it is told to, and counts what it is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use larder_sessions::{Account, Census, Cleaned, Error, Handle, Record, Store, Swap};

#[derive(Default)]
pub struct Faulty<S> {
    pub store: S,
    pub loads: AtomicUsize,
    pub is_no_save: AtomicBool,
    pub is_no_revoke: AtomicBool,
    /// No account can be read.
    pub is_torn: AtomicBool,
    /// How many swaps of an account are lost to somebody quicker.
    pub lost_swaps: AtomicUsize,
}

impl<S> Faulty<S> {
    fn unless(&self, is_faulty: &AtomicBool) -> Result<(), Error> {
        match is_faulty.load(Ordering::Relaxed) {
            true => Err(Error::store("do that", std::io::Error::other("the disk is gone"))),
            false => Ok(()),
        }
    }
}

impl<S: Store> Store for Faulty<S> {
    fn prepare(&self, sessions: Duration, accounts: Duration) {
        self.store.prepare(sessions, accounts);
    }

    fn load(&self, handle: Handle, now_ms: u64) -> Result<Option<Arc<Record>>, Error> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.store.load(handle, now_ms)
    }

    fn create(&self, handle: Handle, record: Record, now_ms: u64) -> Result<(), Error> {
        self.store.create(handle, record, now_ms)
    }

    fn save(&self, of: Handle, version: u64, to: Record, now_ms: u64) -> Result<Swap, Error> {
        self.unless(&self.is_no_save)?;
        self.store.save(of, version, to, now_ms)
    }

    fn touch(&self, handle: Handle, expires_ms: u64, now_ms: u64) -> Result<bool, Error> {
        self.store.touch(handle, expires_ms, now_ms)
    }

    fn revoke(&self, handle: Handle, now_ms: u64) -> Result<Option<Arc<Record>>, Error> {
        self.unless(&self.is_no_revoke)?;
        self.store.revoke(handle, now_ms)
    }

    fn load_user(&self, user: &str, now_ms: u64) -> Result<Account, Error> {
        match self.is_torn.load(Ordering::Relaxed) {
            true => Ok(Account::torn(user, 0, now_ms)),
            false => self.store.load_user(user, now_ms),
        }
    }

    fn save_user(&self, expected: u64, account: Account, now_ms: u64) -> Result<bool, Error> {
        let lose = |left: usize| left.checked_sub(1);
        let lost = self.lost_swaps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, lose);
        Ok(lost.is_err() && self.store.save_user(expected, account, now_ms)?)
    }

    fn clean(&self, now_ms: u64, budget: usize) -> Result<Cleaned, Error> {
        self.store.clean(now_ms, budget)
    }

    fn census(&self, now_ms: u64) -> Census {
        self.store.census(now_ms)
    }
}
