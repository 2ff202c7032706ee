//! The sessions of a site: from a request's cookie to what is known of its sender.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::builder::{Builder, Config};
use crate::error::Error;
use crate::id::Handle;
use crate::metrics::{Counters, Event, Metrics};
use crate::network::Network;
use crate::record::Record;
use crate::session::{Known, Session};
use crate::store::{Cleaned, Ended, Store, TRIES, complete, end_chain};
use crate::sweeper::Sweeper;

/// A session that was renewed, and renewed again within the overlap, and so on: each is one more
/// look.
const MAX_HOPS: usize = 16;

/// Sessions in a store. Clones are the same sessions.
pub struct Sessions<S> {
    inner: Arc<Inner<S>>,
}

pub(crate) struct Inner<S> {
    pub(crate) store: S,
    pub(crate) config: Config,
    pub(crate) counters: Counters,
}

impl<S> Clone for Sessions<S> {
    fn clone(&self) -> Self {
        Sessions { inner: Arc::clone(&self.inner) }
    }
}

impl<S: Store> Sessions<S> {
    /// Starts the settings.
    pub fn builder(store: S) -> Builder<S> {
        Builder::new(store)
    }

    pub(crate) fn new(inner: Inner<S>) -> Sessions<S> {
        Sessions { inner: Arc::new(inner) }
    }

    pub(crate) fn inner(&self) -> &Inner<S> {
        &self.inner
    }

    /// Finds the session of a request by its `Cookie` headers. Without one, or with an id that is
    /// unknown, expired or revoked, it is an empty session that costs nothing until it is written
    /// to, and has a new id then.
    ///
    /// Of several cookies of the name the first one whose session is there counts; no more than four
    /// are tried.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open<'a>(
        &self,
        cookie_headers: impl IntoIterator<Item = &'a str>,
    ) -> Result<Session<'_, S>, Error> {
        let now_ms = self.now_ms();
        for id in self.inner.config.cookie.ids(cookie_headers.into_iter()) {
            if let Some(known) = self.find(id.handle(), now_ms)? {
                return Ok(Session::known(self, known));
            }
            self.count(Event::Unknown);
        }
        Ok(Session::empty(self))
    }

    /// Reads one value of the session of a request: what [`open`](Sessions::open) and
    /// [`Session::get`] do, but nothing is written for it that another thread reads, when the store
    /// has the session in memory.
    ///
    /// # Errors
    /// When the store fails; [`is_value`](Error::is_value) when the value is of another type.
    pub fn peek<'a, T: DeserializeOwned>(
        &self,
        cookie_headers: impl IntoIterator<Item = &'a str>,
        key: &str,
    ) -> Result<Option<T>, Error> {
        let now_ms = self.now_ms();
        let needed_ms = self.inner.config.needed_ms(now_ms);
        for id in self.inner.config.cookie.ids(cookie_headers.into_iter()) {
            // Set when the record can't just be read from.
            let mut is_due = false;
            let mut value = None;
            let found = self.inner.store.peek(id.handle(), now_ms, &mut |record| {
                is_due = record.successor.is_some() || record.expires_ms() < needed_ms;
                value = record.values.get(key).map(|value| serde_json::from_slice(value));
            })?;
            if found && !is_due {
                return value.transpose().map_err(|cause| Error::decode(key, cause));
            }
            if found && let Some(known) = self.find(id.handle(), now_ms)? {
                return Session::known(self, known).get(key);
            }
            self.count(Event::Unknown);
        }
        Ok(None)
    }

    /// Lists the sessions of a user, for the user to end some.
    ///
    /// # Errors
    /// When the store fails.
    pub fn list_user(&self, user: &str) -> Result<Vec<Listed>, Error> {
        let listed = self.inner.store.list_user(user, self.now_ms())?;
        let idle_ms = self.inner.config.expires_ms(0);
        let show = |(handle, record): (Handle, Arc<Record>)| Listed {
            handle: record.name(handle),
            created_ms: record.created_ms,
            used_ms: record.expires_ms.saturating_sub(idle_ms).max(record.created_ms),
            network: record.network,
        };
        Ok(listed.into_iter().map(show).collect())
    }

    /// Ends one session of a user by its name, under whatever id it is by now, and says whether it
    /// was there and the user's.
    ///
    /// # Errors
    /// When the store fails.
    pub fn end(&self, user: &str, handle: Handle) -> Result<bool, Error> {
        let now_ms = self.now_ms();
        match self.inner.store.load(handle, now_ms)? {
            Some(record) if record.user() == Some(user) => {
                let was_there = self.revoke(handle, now_ms)?;
                // Two logins at once from one id have made two of the name, of which it names one.
                Ok(self.revoke_named(user, handle, now_ms)? | was_there)
            }
            // It was renewed since it was listed.
            _ => self.revoke_named(user, handle, now_ms),
        }
    }

    /// Ends all sessions of a user, and returns how many there were: after a change of the
    /// password, or when the account is closed. If the list of them was damaged, all sessions in the
    /// store are looked through once, which takes as long as it takes.
    ///
    /// # Errors
    /// When the store fails; some may be ended then.
    pub fn revoke_user(&self, user: &str) -> Result<usize, Error> {
        self.revoke_user_but(user, None)
    }

    pub(crate) fn revoke_user_but(
        &self,
        user: &str,
        except: Option<Handle>,
    ) -> Result<usize, Error> {
        let ended = self.inner.store.revoke_user(user, except, self.now_ms())?;
        self.inner.counters.add_many(Event::Revoked, ended);
        Ok(ended)
    }

    /// Removes at most about `budget` expired sessions, and at least one; a [`Sweeper`] does it by
    /// itself.
    ///
    /// # Errors
    /// When the store fails.
    pub fn clean(&self, budget: usize) -> Result<Cleaned, Error> {
        let cleaned = self.inner.store.clean(self.now_ms(), budget.max(1))?;
        self.inner.counters.add_many(Event::Expired, cleaned.removed);
        Ok(cleaned)
    }

    /// Starts a thread that removes at most about `budget` expired sessions `every` so often:
    /// [`sweep`](Sessions::sweep) finds a pace by itself.
    ///
    /// # Errors
    /// When the system gives no thread.
    ///
    /// # Panics
    /// When `every` is zero: that thread would never rest.
    pub fn sweep_every(&self, every: Duration, budget: usize) -> std::io::Result<Sweeper> {
        Sweeper::start(self.clone(), every, budget)
    }

    /// Starts a thread that removes what has expired at an even pace: all that is over at a time
    /// within a sixteenth of the idle time-out, which is how finely stores sort by time. A larger
    /// backlog is removed faster. Of 10,000 sessions that expire at once after half an hour it removes
    /// 92 a second.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn sweep(&self) -> std::io::Result<Sweeper> {
        Sweeper::start_evenly(self.clone(), self.inner.config.idle / 16)
    }

    /// What has happened so far.
    pub fn metrics(&self) -> Metrics {
        self.inner.counters.read(self.inner.store.census(self.now_ms()))
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.inner.store
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.inner.config.clock.now_ms()
    }

    pub(crate) fn count(&self, event: Event) {
        self.inner.counters.add(event);
    }

    /// Finds a session, goes on to what it became by renewals, and touches that if it is due.
    fn find(&self, mut handle: Handle, now_ms: u64) -> Result<Option<Known>, Error> {
        for _ in 0..MAX_HOPS {
            let Some(record) = self.inner.store.load(handle, now_ms)? else { return Ok(None) };
            match record.successor {
                Some(next) if next.is_followed => handle = next.handle,
                // What came of it by a login is not shown, but has to be there: with it ends the old.
                Some(next) if !self.lives_on(next.handle, now_ms)? => return Ok(None),
                Some(next) => return Ok(Some(Known { handle, record, heir: Some(next.handle) })),
                None if self.touch(handle, &record, now_ms)? => {
                    return Ok(Some(Known { handle, record, heir: None }));
                }
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Is a session there, under whatever id it is by now? What only names the next one is not it:
    /// that stays for the overlap when the next one is ended.
    fn lives_on(&self, mut handle: Handle, now_ms: u64) -> Result<bool, Error> {
        for _ in 0..MAX_HOPS {
            let Some(record) = self.inner.store.load(handle, now_ms)? else { return Ok(false) };
            let Some(next) = record.successor else { return Ok(true) };
            handle = next.handle;
        }
        Ok(false)
    }

    /// Touches a session that is due; false when it has gone meanwhile.
    ///
    /// It is also when the account is looked at that should list the session, so that an index that
    /// was lost heals.
    fn touch(&self, handle: Handle, record: &Record, now_ms: u64) -> Result<bool, Error> {
        let config = &self.inner.config;
        if record.expires_ms >= config.needed_ms(now_ms).min(record.ends_ms) {
            return Ok(true);
        }
        let expires_ms = config.expires_ms(now_ms).min(record.ends_ms);
        let touched = self.inner.store.touch(handle, expires_ms, now_ms).and_then(|is_there| {
            if is_there && let Some(user) = record.user() {
                self.relist(user, handle, record.ends_ms, now_ms)?;
            }
            Ok(is_there)
        });
        match touched {
            Ok(is_there) => {
                self.count(Event::Touched);
                Ok(is_there)
            }
            // A disk that is full costs a session its next minutes, not this request its answer.
            Err(_) => {
                self.count(Event::TouchFault);
                Ok(true)
            }
        }
    }

    /// Ends a session and what it went on as, as far as that is written there.
    pub(crate) fn revoke(&self, handle: Handle, now_ms: u64) -> Result<bool, Error> {
        self.end_chain(handle, now_ms).map(|ended| ended.was_there)
    }

    fn end_chain(&self, handle: Handle, now_ms: u64) -> Result<Ended, Error> {
        let ended = end_chain(&self.inner.store, handle, now_ms)?;
        self.inner.counters.add_many(Event::Revoked, usize::from(ended.was_there));
        Ok(ended)
    }

    /// Ends what is known of a session, and what it is by now. If what said so is cleaned up already,
    /// the list of its user is gone through for its name.
    pub(crate) fn revoke_known(&self, known: &Known, now_ms: u64) -> Result<bool, Error> {
        for handle in [Some(known.handle), known.heir].into_iter().flatten() {
            let ended = self.end_chain(handle, now_ms)?;
            if ended.is_whole {
                return Ok(ended.was_there);
            }
        }
        match known.record.user() {
            Some(user) => self.revoke_named(user, known.record.name(known.handle), now_ms),
            None => Ok(false),
        }
    }

    /// Ends the session of a name among those that a user has.
    fn revoke_named(&self, user: &str, name: Handle, now_ms: u64) -> Result<bool, Error> {
        let store = &self.inner.store;
        let (mut was_there, mut found) = (false, None);
        for _ in 0..TRIES {
            let mut account = store.load_user(user, now_ms)?;
            complete(store, &mut account, &mut found)?;
            for &handle in &account.handles {
                let found = store.load(handle, now_ms)?;
                let is_it = |it: Arc<Record>| it.user() == Some(user) && it.name(handle) == name;
                if found.is_some_and(is_it) {
                    was_there |= self.revoke(handle, now_ms)?;
                }
            }
            // A renewal lists its new session before it leaves the old: none has passed by.
            if store.load_user(user, now_ms)?.version == account.version {
                return Ok(was_there);
            }
        }
        Err(Error::crowded(TRIES))
    }
}

/// A session in a list for its owner.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listed {
    /// Its name, by which it can be [ended](Sessions::end): the same after a renewal.
    pub handle: Handle,
    /// When the user logged in, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it was last used, to two sixteenths of the idle time-out.
    pub used_ms: u64,
    /// Where the login came from, if that was told.
    pub network: Option<Network>,
}

impl<S> fmt::Debug for Sessions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("cookie", &self.inner.config.cookie)
            .finish_non_exhaustive()
    }
}
