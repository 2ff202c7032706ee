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
/// Accounts of each stripe that are looked at when one has to go for another.
const LOOKED_AT: usize = 16;

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
    /// Of what only names the session that it went on as.
    passed: Notes,
    accounts: Notes,
}

impl Calendar {
    fn of(&mut self, record: &Record) -> &mut Notes {
        match record.successor {
            Some(_) => &mut self.passed,
            None => &mut self.sessions,
        }
    }
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

    /// Up to so many names of those that expire first.
    fn first(&self, most: usize) -> Vec<u128> {
        let later = self.buckets.values().flatten();
        self.due.iter().chain(later).copied().take(most).collect()
    }

    fn count(&self) -> usize {
        self.due.len() + self.buckets.values().map(HashSet::len).sum::<usize>()
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
    /// bytes beside its values. There are as many accounts at most: for one more, one whose sessions
    /// have all ended is forgotten early, with the networks that it was seen from.
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

    /// Notes that a session expires in another bucket than before, if it does, or that it is only the
    /// name of another one now.
    fn note(&self, name: u128, before: Option<&Record>, now: Option<&Record>) {
        let place =
            |record: &Record| (self.bucket(record.expires_ms()), record.successor.is_some());
        if before.map(place) == now.map(place) {
            return;
        }
        let mut calendar = self.calendar(name).lock();
        if let Some(before) = before {
            calendar.of(before).shift(name, Some(place(before).0), None);
        }
        if let Some(now) = now {
            calendar.of(now).shift(name, None, Some(place(now).0));
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

    /// Removes those of these sessions that have expired, and notes the others anew.
    fn remove_over(&self, due: Vec<u128>, now_ms: u64) -> usize {
        let sessions = self.sessions.pin();
        let is_over = |_: &u128, record: &Arc<Record>| !record.is_live(now_ms);
        let mut removed = 0;
        for name in due {
            match sessions.remove_if(&name, is_over) {
                Ok(found) => removed += usize::from(found.is_some()),
                Err((_, alive)) => self.note(name, None, Some(alive)),
            }
        }
        removed
    }

    /// Makes room for one account more: of some that end first, one without a session goes.
    fn has_room_for_an_account(&self) -> bool {
        let (sessions, accounts) = (self.sessions.pin(), self.accounts.pin());
        if accounts.len() < self.max_sessions {
            return true;
        }
        let is_idle = |_: &u128, account: &Account| {
            account.handles.iter().all(|handle| sessions.get(&handle.number()).is_none())
        };
        for calendar in &self.calendars {
            let first = calendar.lock().accounts.first(LOOKED_AT);
            for name in first {
                if let Ok(Some((_, account))) = accounts.remove_if(&name, is_idle) {
                    let from = Some(self.bucket(account.expires_ms));
                    calendar.lock().accounts.shift(name, from, None);
                    return true;
                }
            }
        }
        false
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
        if expected == 0 && !self.has_room_for_an_account() {
            return Err(Error::full(self.max_sessions));
        }
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
        let sessions = self.due(now_ms, budget, |calendar| &mut calendar.sessions);
        let passed = self.due(now_ms, budget, |calendar| &mut calendar.passed);
        let accounts = self.due(now_ms, budget, |calendar| &mut calendar.accounts);
        let is_more = [&sessions, &passed, &accounts].iter().any(|due| due.len() == budget);
        let removed = self.remove_over(sessions, now_ms);
        let mut others = self.remove_over(passed, now_ms);
        let kept = self.accounts.pin();
        let is_over = |_: &u128, account: &Account| account.expires_ms <= now_ms;
        for name in accounts {
            match kept.remove_if(&name, is_over) {
                Ok(found) => others += usize::from(found.is_some()),
                Err((_, alive)) => {
                    let to = Some(self.bucket(alive.expires_ms));
                    self.calendar(name).lock().accounts.shift(name, None, to);
                }
            }
        }
        Ok(Cleaned { removed, others, is_more: is_more && budget > 0 })
    }

    fn census(&self, now_ms: u64) -> Census {
        let (mut backlog, mut accounts, mut passed) = (0, 0, 0);
        for calendar in &self.calendars {
            let calendar = calendar.lock();
            let over = calendar.passed.count_over(now_ms);
            backlog += calendar.sessions.count_over(now_ms) + over;
            passed += calendar.passed.count() - over;
            accounts += calendar.accounts.count_over(now_ms);
        }
        // Notes are behind by as much as others are doing now.
        let all = self.sessions.len();
        let live = all.saturating_sub(backlog + passed);
        Census::new(live as u64, (backlog.min(all) + accounts) as u64)
    }
}
