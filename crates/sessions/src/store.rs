//! What a place for sessions has to do.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::account::Account;
use crate::error::Error;
use crate::id::Handle;
use crate::record::Record;

/// How often a compare-and-swap is tried against others before it is an error. Each lost try is
/// another's success, so that this many in a row means that something is wrong.
pub(crate) const TRIES: usize = 64;

/// A place for sessions. All calls are by reference and from any thread.
///
/// **Revocation wins.** After [`revoke`](Store::revoke) has returned, no call of any process returns
/// or creates a session of that handle: a [`save`](Store::save) of a session that is not there is
/// refused, whatever it knew before.
///
/// **Time is told.** Each call says what time it is, in milliseconds since 1970: a store looks at no
/// clock. What has expired by then is not there, whether it was cleaned up or not.
pub trait Store: Send + Sync + 'static {
    /// Says once, before all else, for how long sessions and accounts will be kept: a store may
    /// choose by it how finely it sorts them by time.
    fn prepare(&self, sessions: Duration, accounts: Duration) {
        let _ = (sessions, accounts);
    }

    /// Returns the session. Takes no lock that a writer holds while it works, unless it finds
    /// nothing while one is at work.
    ///
    /// # Errors
    /// When the store fails. That there is no such session is no error.
    fn load(&self, handle: Handle, now_ms: u64) -> Result<Option<Arc<Record>>, Error>;

    /// Shows the session to `look` and says whether there is one. A store that has it in memory
    /// writes nothing for it that another thread reads, not even a count of references.
    ///
    /// # Errors
    /// As [`load`](Store::load).
    fn peek(
        &self,
        handle: Handle,
        now_ms: u64,
        look: &mut dyn FnMut(&Record),
    ) -> Result<bool, Error> {
        let found = self.load(handle, now_ms)?;
        found.iter().for_each(|record| look(record));
        Ok(found.is_some())
    }

    /// Stores a new session, under a handle that nobody else has.
    ///
    /// # Errors
    /// When the store fails, or [`is_full`](Error::is_full).
    fn create(&self, handle: Handle, record: Record, now_ms: u64) -> Result<(), Error>;

    /// Replaces the session if it is there and still of the version `expected`.
    ///
    /// # Errors
    /// When the store fails. That it is gone or has moved on is no error.
    fn save(
        &self,
        handle: Handle,
        expected: u64,
        record: Record,
        now_ms: u64,
    ) -> Result<Swap, Error>;

    /// Puts the idle end off to `expires_ms`, if it is there and ends before that, and says whether
    /// it is there. The store may round up.
    ///
    /// # Errors
    /// When the store fails.
    fn touch(&self, handle: Handle, expires_ms: u64, now_ms: u64) -> Result<bool, Error>;

    /// Ends the session and returns the last there was of it: of one that has expired too, as long
    /// as it is not cleaned up, since it may say what it went on as.
    ///
    /// # Errors
    /// When the store fails.
    fn revoke(&self, handle: Handle, now_ms: u64) -> Result<Option<Arc<Record>>, Error>;

    /// Returns the account of a user: a new one of version 0 if there is none.
    ///
    /// # Errors
    /// When the store fails.
    fn load_user(&self, user: &str, now_ms: u64) -> Result<Account, Error>;

    /// Replaces the account if it is still of the version `expected`, and says whether it was.
    ///
    /// # Errors
    /// When the store fails.
    fn save_user(&self, expected: u64, account: Account, now_ms: u64) -> Result<bool, Error>;

    /// Returns the sessions of a user by looking at all that there are, and changes nothing. It is
    /// asked for when all of a user's sessions are to end, and the account that lists them was
    /// [torn](Account::torn).
    ///
    /// # Errors
    /// When the store fails. It always does if this is not implemented: then its accounts must not be
    /// torn, or nobody is told that all sessions were ended.
    fn find_user(&self, user: &str) -> Result<Vec<Handle>, Error> {
        let _ = user;
        Err(Error::not_listed())
    }

    /// Removes at most about `budget` expired sessions, and as many accounts that have expired. Looks
    /// at nothing that has not.
    ///
    /// # Errors
    /// When the store fails.
    fn clean(&self, now_ms: u64, budget: usize) -> Result<Cleaned, Error>;

    /// Counts what there is, as far as that is known without looking at all of it.
    fn census(&self, now_ms: u64) -> Census;

    /// Returns the sessions of a user in the order of their logins, and drops those that are gone
    /// from the user's account.
    ///
    /// # Errors
    /// When the store fails, or [`is_crowded`](Error::is_crowded).
    fn list_user(&self, user: &str, now_ms: u64) -> Result<Vec<(Handle, Arc<Record>)>, Error> {
        for _ in 0..TRIES {
            let mut account = self.load_user(user, now_ms)?;
            let live = live_of(self, &account, now_ms)?;
            if live.len() == account.handles.len() {
                return Ok(live);
            }
            account.handles = live.iter().map(|(handle, _)| *handle).collect();
            if self.save_user(account.version, account, now_ms)? {
                return Ok(live);
            }
        }
        Err(Error::crowded(TRIES))
    }

    /// Ends all sessions of a user but the one of the [name](Record::name) `except`, under whatever
    /// id it is by now; those of logins that are under way are ended too. Returns how many there were.
    /// If the account was torn, the sessions that it may lack are [searched for](Store::find_user), and
    /// it is whole again.
    ///
    /// # Errors
    /// As [`list_user`](Store::list_user); some are ended then.
    fn revoke_user(&self, user: &str, except: Option<Handle>, now_ms: u64) -> Result<usize, Error> {
        let (mut ended, mut found) = (0, None);
        for _ in 0..TRIES {
            let mut account = self.load_user(user, now_ms)?;
            let is_new = account.version == 0 && !account.is_partial;
            complete(self, &mut account, &mut found)?;
            for handle in std::mem::take(&mut account.handles) {
                if is_named(self, handle, except, now_ms)? {
                    account.handles.push(handle);
                    continue;
                }
                // One that was renewed or logged in again is not another session.
                let is_one = |last: Arc<Record>| last.successor.is_none() && last.is_live(now_ms);
                ended += usize::from(self.revoke(handle, now_ms)?.is_some_and(is_one));
            }
            // Whoever logged in meanwhile has changed the account, and is ended by the next try.
            if is_new || self.save_user(account.version, account, now_ms)? {
                return Ok(ended);
            }
        }
        Err(Error::crowded(TRIES))
    }
}

/// Lists what a torn account lacks. One search is enough, however often the account is tried: who
/// begins a session after it lists it.
pub(crate) fn complete<S: Store + ?Sized>(
    store: &S,
    account: &mut Account,
    found: &mut Option<Vec<Handle>>,
) -> Result<(), Error> {
    if !std::mem::take(&mut account.is_partial) {
        return Ok(());
    }
    let found = match found {
        Some(found) => found,
        None => found.insert(store.find_user(account.user())?),
    };
    let listed: HashSet<Handle> = account.handles.iter().copied().collect();
    account.handles.extend(found.iter().filter(|handle| !listed.contains(handle)));
    Ok(())
}

/// Is it there, and of this name? A renewal that is under way has two of a name.
fn is_named<S: Store + ?Sized>(
    store: &S,
    handle: Handle,
    name: Option<Handle>,
    now_ms: u64,
) -> Result<bool, Error> {
    let Some(name) = name else { return Ok(false) };
    Ok(store.load(handle, now_ms)?.is_some_and(|record| record.name(handle) == name))
}

/// What came of the end of a session and of all that it went on as.
pub(crate) struct Ended {
    /// Was one of them a session still?
    pub(crate) was_there: bool,
    /// Was the last of them found? If not, it may live on under an id that nothing here names.
    pub(crate) is_whole: bool,
}

/// Ends a session, and whatever it went on as, however often: each renewal in the overlap is one
/// step. That the old id works no more doesn't matter, while what it went on as is written there.
pub(crate) fn end_chain<S: Store>(
    store: &S,
    mut handle: Handle,
    now_ms: u64,
) -> Result<Ended, Error> {
    while let Some(last) = store.revoke(handle, now_ms)? {
        match last.successor {
            Some(next) => handle = next.handle,
            None => return Ok(Ended { was_there: last.is_live(now_ms), is_whole: true }),
        }
    }
    Ok(Ended { was_there: false, is_whole: false })
}

/// The sessions of an account that are there, and are the user's.
pub(crate) fn live_of<S: Store + ?Sized>(
    store: &S,
    account: &Account,
    now_ms: u64,
) -> Result<Vec<(Handle, Arc<Record>)>, Error> {
    let mut live = Vec::with_capacity(account.handles.len());
    for &handle in &account.handles {
        let found = store.load(handle, now_ms)?;
        // A session that was renewed is listed as what it became.
        let is_listed = |record: &Arc<Record>| {
            record.user() == Some(account.user()) && record.successor.is_none()
        };
        live.extend(found.filter(is_listed).map(|record| (handle, record)));
    }
    Ok(live)
}

/// What came of a [`save`](Store::save).
#[derive(Debug)]
pub enum Swap {
    /// Stored: this is the session now.
    Stored(Arc<Record>),
    /// Somebody was quicker: this is the session now, and nothing was stored.
    Moved(Arc<Record>),
    /// Revoked, expired, or never there. Nothing was stored.
    Gone,
}

/// What a step of the clean-up did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Sessions removed.
    pub removed: usize,
    /// What else has expired and was removed: accounts, and what named the session that another one
    /// went on as.
    pub others: usize,
    /// Is there more to remove already?
    pub is_more: bool,
}

/// What a store holds and has met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Census {
    /// Sessions that have not expired, as far as they are counted. One that was renewed is one.
    pub live: u64,
    /// Sessions and accounts that have expired and are not removed yet, as far as they are counted.
    pub backlog: u64,
    /// Writers that had to wait for another.
    pub waits: u64,
    /// Files or rows that are cut short, altered, or not ours: passed over. Each counts once, as far
    /// as they are told apart.
    pub foreign: u64,
}

impl Census {
    /// A census of these sessions; `waits` and `foreign` can be set after.
    pub fn new(live: u64, backlog: u64) -> Census {
        Census { live, backlog, ..Census::default() }
    }
}
