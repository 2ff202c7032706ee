//! Locks, time and chance, which both stores have.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Locks, time and chance.
pub struct Common {
    /// Lock 0 is the store's, the others are the sessions'.
    locks: Vec<Mutex<()>>,
    hasher: RandomState,
    requests: AtomicU64,
    chance: u64,
    skew: AtomicU64,
}

impl Common {
    /// `locks` is how many there are in all; mod_python's build picks from 8 to 32, or one.
    pub(super) fn new(locks: usize, chance: u64) -> Self {
        assert!(locks > 1, "the store's lock, and those of sessions");
        Common {
            locks: (0..locks).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
            requests: AtomicU64::new(0),
            chance,
            skew: AtomicU64::new(0),
        }
    }

    /// Returns the present time in seconds.
    pub fn now(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        now.as_secs() + self.skew.load(Ordering::Relaxed)
    }

    /// Lets so many seconds pass at once.
    pub fn skip(&self, seconds: u64) {
        self.skew.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Takes the lock of a session, and of all that share it.
    pub fn lock_session(&self, sid: &str) -> MutexGuard<'_, ()> {
        let stripes = self.locks.len() as u64 - 1;
        self.lock(1 + (self.hasher.hash_one(sid) % stripes) as usize)
    }

    pub(super) fn lock(&self, nth: usize) -> MutexGuard<'_, ()> {
        self.locks[nth].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Throws the dice (SplitMix64), with the same result in each run.
    pub(super) fn is_chosen(&self) -> bool {
        let nth = self.requests.fetch_add(1, Ordering::Relaxed);
        let state = nth.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        self.chance > 0 && (mixed ^ (mixed >> 31)).is_multiple_of(self.chance)
    }
}

#[cfg(test)]
mod tests {
    use super::super::CLEANUP_CHANCE;
    use super::*;

    #[test]
    fn clean_ups_are_not_by_chance() {
        let common = Common::new(2, CLEANUP_CHANCE);
        let chosen = (0..100_000).filter(|_| common.is_chosen()).count();
        assert!((50..200).contains(&chosen), "{chosen} of 100,000");
        let never = Common::new(2, 0);
        assert!((0..10_000).all(|_| !never.is_chosen()));
    }
}
