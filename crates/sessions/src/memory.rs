//! Sessions in memory: of one process, for as long as it runs.
//!
//! A session is one entry of a concurrent map, and each operation on it is one compare-and-swap of
//! that entry: a save that finds no entry, or another version, changes nothing. So revocation wins
//! without a lock. Accounts are entries of a second map, and know no order with the first.
//!
//! Clean-up looks at what has expired by a calendar: a session is noted under the bucket of time
//! in which it is to expire, at its creation and whenever it is touched. A bucket that is over is
//! taken out whole, and each of its sessions looked at once: one that was touched is noted under a
//! later bucket too, and left alone.

use std::cell::Cell;
use std::collections::BTreeMap;
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

/// What expires when, by the end of the bucket. Under its mutex, which is held for a push or a
/// removal.
#[derive(Default)]
struct Calendar {
    sessions: BTreeMap<u64, Vec<u128>>,
    accounts: BTreeMap<u64, Vec<u128>>,
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

    fn enter(&self, name: u128, record: &Record) {
        let bucket = self.bucket(record.expires_ms());
        self.calendar(name).lock().sessions.entry(bucket).or_default().push(name);
    }

    /// Replaces the session by what `change` makes of it; `Err` is why not, with nothing done.
    fn replace<T>(
        &self,
        handle: Handle,
        now_ms: u64,
        change: impl Fn(&Arc<Record>) -> Result<Option<Record>, T>,
    ) -> Result<Option<Arc<Record>>, Option<T>> {
        let sessions = self.sessions.pin();
        let computed = sessions.compute(handle.number(), |entry| match entry {
            Some((_, record)) if record.is_live(now_ms) => match change(record) {
                Ok(Some(changed)) => Operation::Insert(Arc::new(changed)),
                Ok(None) => Operation::Remove,
                Err(why) => Operation::Abort(Some(why)),
            },
            _ => Operation::Abort(None),
        });
        match computed {
            Compute::Updated { new: (_, new), .. } => Ok(Some(new.clone())),
            Compute::Removed(_, old) => Ok(Some(old.clone())),
            Compute::Aborted(why) => Err(why),
            Compute::Inserted(..) => unreachable!("nothing is inserted where nothing was"),
        }
    }

    /// Takes up to `budget` names out of what is over, from all calendars in turn.
    fn due(
        &self,
        now_ms: u64,
        budget: usize,
        of: fn(&mut Calendar) -> &mut BTreeMap<u64, Vec<u128>>,
    ) -> Vec<u128> {
        let mut due = Vec::new();
        for calendar in &self.calendars {
            let mut calendar = calendar.lock();
            let buckets = of(&mut calendar);
            while let Some(mut bucket) = buckets.first_entry() {
                let room = budget - due.len();
                if *bucket.key() > now_ms || room == 0 {
                    break;
                }
                let names = bucket.get_mut();
                due.extend(names.drain(names.len().saturating_sub(room)..));
                if names.is_empty() {
                    bucket.remove();
                }
            }
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
        self.enter(handle.number(), &record);
        sessions.insert(handle.number(), Arc::new(record));
        Ok(())
    }

    fn save(
        &self,
        handle: Handle,
        expected: u64,
        record: Record,
        now_ms: u64,
    ) -> Result<Swap, Error> {
        let bucket_before = Cell::new(0);
        let swapped = self.replace(handle, now_ms, |now| match now.version == expected {
            true => {
                bucket_before.set(self.bucket(now.expires_ms()));
                Ok(Some(record.clone()))
            }
            false => Err(now.clone()),
        });
        Ok(match swapped {
            Ok(stored) => {
                let stored = stored.expect("a save removes nothing");
                if self.bucket(stored.expires_ms()) != bucket_before.get() {
                    self.enter(handle.number(), &stored);
                }
                Swap::Stored(stored)
            }
            Err(Some(now)) => Swap::Moved(now),
            Err(None) => Swap::Gone,
        })
    }

    fn touch(&self, handle: Handle, expires_ms: u64, now_ms: u64) -> Result<bool, Error> {
        let touched = self.replace(handle, now_ms, |now| match now.expires_ms < expires_ms {
            true => Ok(Some(Record::clone(now).with_expires_ms(expires_ms))),
            false => Err(()),
        });
        if let Ok(Some(record)) = &touched {
            self.enter(handle.number(), record);
        }
        Ok(!matches!(touched, Err(None)))
    }

    fn revoke(&self, handle: Handle, now_ms: u64) -> Result<Option<Arc<Record>>, Error> {
        Ok(self.replace::<()>(handle, now_ms, |_| Ok(None)).unwrap_or(None))
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
        let was_bucket = match computed {
            Compute::Aborted(()) => return Ok(false),
            Compute::Updated { old: (_, old), .. } => Some(self.bucket(old.expires_ms)),
            _ => None,
        };
        let bucket = self.bucket(account.expires_ms);
        if was_bucket != Some(bucket) {
            self.calendar(name).lock().accounts.entry(bucket).or_default().push(name);
        }
        Ok(true)
    }

    fn clean(&self, now_ms: u64, budget: usize) -> Result<Cleaned, Error> {
        let due = self.due(now_ms, budget, |calendar| &mut calendar.sessions);
        let sessions = self.sessions.pin();
        let is_over = |_: &u128, record: &Arc<Record>| !record.is_live(now_ms);
        let remove = |name: &&u128| matches!(sessions.remove_if(*name, is_over), Ok(Some(_)));
        let removed = due.iter().filter(remove).count();
        let accounts = self.accounts.pin();
        for name in self.due(now_ms, budget, |calendar| &mut calendar.accounts) {
            let _ = accounts.remove_if(&name, |_, account| account.expires_ms <= now_ms);
        }
        Ok(Cleaned { removed, is_more: due.len() == budget })
    }

    fn census(&self, now_ms: u64) -> Census {
        let over = |calendar: &Mutex<Calendar>| {
            let calendar = calendar.lock();
            calendar.sessions.range(..=now_ms).map(|(_, names)| names.len() as u64).sum::<u64>()
        };
        let all = self.sessions.len() as u64;
        // Some that are noted there were touched or revoked since.
        let backlog = self.calendars.iter().map(over).sum::<u64>().min(all);
        Census::new(all - backlog, backlog)
    }
}
