//! Sessions in memory: of one process, for as long as it runs.
//!
//! A session is one entry of a concurrent map, and each operation on it is one compare-and-swap of
//! that entry: a save that finds no entry, or another version, changes nothing. So revocation wins
//! without a lock. Accounts are entries of a second map, and know no order with the first.
//!
//! Clean-up looks at what has expired by a calendar: a session is noted under the bucket of time
//! in which it is to expire, from its creation on, and its note moves with it and ends with it. A
//! note is moved after the session was: those of two that change it at once may be moved in the
//! other order, so that one is left under a bucket that is not the session's any more. Clean-up, which
//! takes it out when that is over, notes a session that it finds alive anew: every session has a
//! note, or will have one.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use papaya::{Compute, HashMap, Operation};
use parking_lot::Mutex;

use crate::account::Account;
use crate::clock::millis;
use crate::error::Error;
use crate::id::{Handle, user_name};
use crate::record::Record;
use crate::store::{Census, Cleaned, Store, Swap};

const STRIPES: usize = 16;

type Map<V> = HashMap<u128, V, foldhash::fast::RandomState>;

/// Sessions in memory.
pub struct MemoryStore {
    sessions: Map<Arc<Record>>,
    accounts: Map<Account>,
    calendars: [Mutex<Calendar>; STRIPES],
    /// The width of the calendar's buckets; set once, by `prepare`.
    width_ms: AtomicU64,
    max_sessions: usize,
}

/// What expires when. Under its mutex, which is held for a note or a step of the clean-up.
#[derive(Default)]
struct Calendar {
    sessions: Notes,
    accounts: Notes,
}

#[derive(Default)]
struct Notes {
    /// By the end of the bucket.
    buckets: BTreeMap<u64, HashSet<u128, foldhash::fast::RandomState>>,
    /// Of buckets that are over.
    due: Vec<u128>,
}

impl Notes {
    /// Moves a note from one bucket to another, or begins it, or ends it.
    fn shift(&mut self, name: u128, from: Option<u64>, to: Option<u64>) {
        if let Some(from) = from
            && let Some(names) = self.buckets.get_mut(&from)
        {
            names.remove(&name);
            if names.is_empty() {
                self.buckets.remove(&from);
            }
        }
        if let Some(to) = to {
            self.buckets.entry(to).or_default().insert(name);
        }
    }

    /// Takes out up to `budget` names of what is over.
    fn take(&mut self, now_ms: u64, budget: usize) -> Vec<u128> {
        while self.due.len() < budget
            && let Some(bucket) = self.buckets.first_entry()
            && *bucket.key() <= now_ms
        {
            self.due.extend(bucket.remove());
        }
        self.due.split_off(self.due.len().saturating_sub(budget))
    }

    fn count_over(&self, now_ms: u64) -> usize {
        let over = self.buckets.range(..=now_ms).map(|(_, names)| names.len());
        self.due.len() + over.sum::<usize>()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore::new(1_000_000)
    }
}

impl MemoryStore {
    /// A store of at most `max_sessions` sessions; one more is refused. A session takes about 300
    /// bytes beside its values.
    ///
    /// # Panics
    /// When `max_sessions` is 0.
    pub fn new(max_sessions: usize) -> MemoryStore {
        assert!(max_sessions > 0, "a store of 0 sessions");
        MemoryStore {
            sessions: Map::default(),
            accounts: Map::default(),
            calendars: std::array::from_fn(|_| Mutex::default()),
            width_ms: AtomicU64::new(60_000),
            max_sessions,
        }
    }

    fn calendar(&self, name: u128) -> &Mutex<Calendar> {
        &self.calendars[name as usize % STRIPES]
    }

    /// The end of the bucket in which this time lies.
    fn bucket(&self, expires_ms: u64) -> u64 {
        let width_ms = self.width_ms.load(Ordering::Relaxed);
        expires_ms.div_ceil(width_ms).saturating_mul(width_ms)
    }

    /// Notes that a session expires in another bucket than before, if it does.
    fn note(&self, name: u128, before: Option<&Record>, now: Option<&Record>) {
        let bucket = |record: &Record| self.bucket(record.expires_ms());
        let (from, to) = (before.map(bucket), now.map(bucket));
        if from != to {
            self.calendar(name).lock().sessions.shift(name, from, to);
        }
    }

    /// Replaces the session by what `change` makes of it; `Err` is why not, with nothing done.
    fn replace<T>(
        &self,
        handle: Handle,
        now_ms: u64,
        change: impl Fn(&Arc<Record>) -> Result<Record, T>,
    ) -> Result<Arc<Record>, Option<T>> {
        let sessions = self.sessions.pin();
        let computed = sessions.compute(handle.number(), |entry| match entry {
            Some((_, record)) if record.is_live(now_ms) => match change(record) {
                Ok(changed) => Operation::Insert(Arc::new(changed)),
                Err(why) => Operation::Abort(Some(why)),
            },
            _ => Operation::Abort(None),
        });
        match computed {
            Compute::Updated { old: (_, old), new: (_, new) } => {
                self.note(handle.number(), Some(old), Some(new));
                Ok(new.clone())
            }
            Compute::Aborted(why) => Err(why),
            Compute::Inserted(..) | Compute::Removed(..) => unreachable!("it is replaced"),
        }
    }

    /// Takes up to `budget` names out of what is over, from all calendars in turn.
    fn due(&self, now_ms: u64, budget: usize, of: fn(&mut Calendar) -> &mut Notes) -> Vec<u128> {
        let mut due = Vec::new();
        for calendar in &self.calendars {
            let room = budget - due.len();
            if room == 0 {
                break;
            }
            due.extend(of(&mut calendar.lock()).take(now_ms, room));
        }
        due
    }
}

impl Store for MemoryStore {
    fn prepare(&self, idle: Duration, _: Duration) {
        self.width_ms.store((millis(idle) / 16).max(1), Ordering::Relaxed);
    }

    fn load(&self, handle: Handle, now_ms: u64) -> Result<Option<Arc<Record>>, Error> {
        let sessions = self.sessions.pin();
        Ok(sessions.get(&handle.number()).filter(|record| record.is_live(now_ms)).cloned())
    }

    fn peek(
        &self,
        handle: Handle,
        now_ms: u64,
        look: &mut dyn FnMut(&Record),
    ) -> Result<bool, Error> {
        let sessions = self.sessions.pin();
        let found = sessions.get(&handle.number()).filter(|record| record.is_live(now_ms));
        found.iter().for_each(|record| look(record));
        Ok(found.is_some())
    }

    fn create(&self, handle: Handle, record: Record, _: u64) -> Result<(), Error> {
        let sessions = self.sessions.pin();
        if sessions.len() >= self.max_sessions {
            return Err(Error::full(self.max_sessions));
        }
        let record = Arc::new(record);
        sessions.insert(handle.number(), Arc::clone(&record));
        self.note(handle.number(), None, Some(&record));
        Ok(())
    }

    fn save(
        &self,
        handle: Handle,
        expected: u64,
        record: Record,
        now_ms: u64,
    ) -> Result<Swap, Error> {
        let swapped = self.replace(handle, now_ms, |now| match now.version == expected {
            true => Ok(record.clone()),
            false => Err(now.clone()),
        });
        Ok(match swapped {
            Ok(stored) => Swap::Stored(stored),
            Err(Some(now)) => Swap::Moved(now),
            Err(None) => Swap::Gone,
        })
    }

    fn touch(&self, handle: Handle, expires_ms: u64, now_ms: u64) -> Result<bool, Error> {
        let touched = self.replace(handle, now_ms, |now| match now.expires_ms < expires_ms {
            true => Ok(Record::clone(now).with_expires_ms(expires_ms)),
            false => Err(()),
        });
        Ok(!matches!(touched, Err(None)))
    }

    fn revoke(&self, handle: Handle, _: u64) -> Result<Option<Arc<Record>>, Error> {
        // Whether it has expired or not: the clock may be set back.
        let sessions = self.sessions.pin();
        let Some(last) = sessions.remove(&handle.number()) else { return Ok(None) };
        self.note(handle.number(), Some(last), None);
        Ok(Some(Arc::clone(last)))
    }

    fn load_user(&self, user: &str, _: u64) -> Result<Account, Error> {
        let accounts = self.accounts.pin();
        let found = accounts.get(&user_name(user)).filter(|account| account.user() == user);
        Ok(found.cloned().unwrap_or_else(|| Account::new(user)))
    }

    fn save_user(&self, expected: u64, mut account: Account, _: u64) -> Result<bool, Error> {
        let name = user_name(account.user());
        account.version = expected + 1;
        let accounts = self.accounts.pin();
        let computed = accounts.compute(name, |entry| match entry {
            Some((_, now)) if now.version == expected => Operation::Insert(account.clone()),
            None if expected == 0 => Operation::Insert(account.clone()),
            _ => Operation::Abort(()),
        });
        let from = match computed {
            Compute::Aborted(()) => return Ok(false),
            Compute::Updated { old: (_, old), .. } => Some(self.bucket(old.expires_ms)),
            _ => None,
        };
        let to = Some(self.bucket(account.expires_ms));
        if from != to {
            self.calendar(name).lock().accounts.shift(name, from, to);
        }
        Ok(true)
    }

    fn clean(&self, now_ms: u64, budget: usize) -> Result<Cleaned, Error> {
        let due = self.due(now_ms, budget, |calendar| &mut calendar.sessions);
        let sessions = self.sessions.pin();
        let is_over = |_: &u128, record: &Arc<Record>| !record.is_live(now_ms);
        let mut removed = 0;
        for &name in &due {
            match sessions.remove_if(&name, is_over) {
                Ok(found) => removed += usize::from(found.is_some()),
                Err((_, alive)) => self.note(name, None, Some(alive)),
            }
        }
        let accounts = self.accounts.pin();
        for name in self.due(now_ms, budget, |calendar| &mut calendar.accounts) {
            if let Err((_, alive)) =
                accounts.remove_if(&name, |_, account| account.expires_ms <= now_ms)
            {
                let to = Some(self.bucket(alive.expires_ms));
                self.calendar(name).lock().accounts.shift(name, None, to);
            }
        }
        Ok(Cleaned { removed, is_more: due.len() == budget })
    }

    fn census(&self, now_ms: u64) -> Census {
        let over = |calendar: &Mutex<Calendar>| calendar.lock().sessions.count_over(now_ms) as u64;
        let all = self.sessions.len() as u64;
        // Notes are behind by as much as others are doing now.
        let backlog = self.calendars.iter().map(over).sum::<u64>().min(all);
        Census::new(all - backlog, backlog)
    }
}
