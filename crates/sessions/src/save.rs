//! Saving: the changes of a request, onto whatever the session is by now.
//!
//! ```text
//! snapshot ──changes──> save by version ──stored──> done
//!                            │  └─gone──> refused: it is not brought back
//!                          moved
//!                            └─> for each key that was changed here: was it changed there as well?
//!                                no ──> taken over onto what is there, and again
//!                                yes ──> the caller decides, or a conflict and nothing stored
//! ```
//! To the same value is a conflict too: two that count from 1 to 2 have counted to 3.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::id::SessionId;
use crate::metrics::Event;
use crate::record::{Record, Values};
use crate::session::{Changes, Known, Reply, Session, State};
use crate::store::{Store, Swap, TRIES};

/// What came of a save.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a conflict, or a session that is gone, has stored nothing"]
pub enum Saved {
    /// There was nothing to store.
    Unchanged,
    /// Stored.
    Stored,
    /// Stored onto changes that another request has made meanwhile, to other keys.
    Merged,
    /// Nothing was stored: these keys were changed by another request meanwhile.
    Conflict(Vec<String>),
    /// Nothing was stored: the session was revoked or has expired, or a login gave it another id.
    Gone,
}

/// One key that two requests have changed.
#[derive(Debug)]
pub struct Clash<'a> {
    key: &'a str,
    base: Option<&'a [u8]>,
    theirs: Option<&'a [u8]>,
    mine: Option<&'a [u8]>,
}

/// Which value a [`Clash`] is to end with.
#[derive(Debug)]
pub enum Choice {
    /// None: the save is a conflict.
    Neither,
    /// What the other request has stored.
    Theirs,
    /// What this request has.
    Mine,
    /// Another value: [`Choice::value`].
    Value(Made),
}

/// A value that was made of two, as JSON.
#[derive(Debug)]
pub struct Made(Vec<u8>);

impl Choice {
    /// A value that was made of the two.
    ///
    /// # Errors
    /// [`is_value`](Error::is_value) when it has no JSON.
    pub fn value<T: Serialize + ?Sized>(value: &T) -> Result<Choice, Error> {
        let made = serde_json::to_vec(value).map_err(|cause| Error::encode("a choice", cause))?;
        Ok(Choice::Value(Made(made)))
    }
}

impl Clash<'_> {
    /// The key.
    pub fn key(&self) -> &str {
        self.key
    }

    /// What both had read; `None` if there was nothing.
    ///
    /// # Errors
    /// [`is_value`](Error::is_value) when it is of another type; as the other two.
    pub fn base<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        self.decode(self.base)
    }

    /// What the other request has stored; `None` if it has removed the key.
    ///
    /// # Errors
    /// As [`base`](Clash::base).
    pub fn theirs<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        self.decode(self.theirs)
    }

    /// What this request has; `None` if it has removed the key.
    ///
    /// # Errors
    /// As [`base`](Clash::base).
    pub fn mine<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        self.decode(self.mine)
    }

    fn decode<T: DeserializeOwned>(&self, value: Option<&[u8]>) -> Result<Option<T>, Error> {
        let decoded = value.map(serde_json::from_slice).transpose();
        decoded.map_err(|cause| Error::decode(self.key, cause))
    }
}

type Resolve<'r> = &'r mut dyn FnMut(&Clash<'_>) -> Result<Choice, Error>;

impl<S: Store> Session<'_, S> {
    /// Stores the changes. An empty session gets its id now; a session that another request has
    /// changed meanwhile is merged with, key by key. A key that both have changed is a conflict, even
    /// if to the same value: two that count on from 1 both have 2.
    ///
    /// # Errors
    /// When the store fails; [`is_too_large`](Error::is_too_large) when the session is over its
    /// limit. The changes are kept, and can be saved again.
    pub fn save(&mut self) -> Result<Saved, Error> {
        self.save_with(|_| Ok(Choice::Neither))
    }

    /// Stores the changes as [`save`](Session::save) does, and asks `resolve` about each key that
    /// another request has changed too. It may be asked again when others go on changing it.
    ///
    /// ```
    /// use larder_sessions::{Choice, MemoryStore, Saved, Sessions};
    ///
    /// let sessions = Sessions::builder(MemoryStore::default()).build();
    /// let mut session = sessions.open(None)?;
    /// session.set("visits", &1)?;
    /// assert_eq!(session.save()?, Saved::Stored);
    ///
    /// session.set("visits", &(session.get::<u32>("visits")?.unwrap_or(0) + 1))?;
    /// let saved = session.save_with(|clash| {
    ///     let [base, theirs, mine] = [clash.base()?, clash.theirs()?, clash.mine::<u32>()?];
    ///     let [base, theirs, mine] = [base, theirs, mine].map(Option::unwrap_or_default);
    ///     Choice::value(&(theirs + mine - base))
    /// })?;
    /// assert_eq!(saved, Saved::Stored);
    /// # Ok::<(), larder_sessions::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`save`](Session::save), and what `resolve` returns.
    pub fn save_with(
        &mut self,
        mut resolve: impl FnMut(&Clash<'_>) -> Result<Choice, Error>,
    ) -> Result<Saved, Error> {
        let known = match &self.state {
            State::Gone => return Ok(Saved::Gone),
            _ if self.changes.is_empty() => return Ok(Saved::Unchanged),
            State::Empty => return self.create(),
            State::Known(known) => known.clone(),
        };
        let saved = self.save_onto(known, &mut resolve)?;
        match &saved {
            Saved::Conflict(_) => self.sessions.count(Event::Conflict),
            Saved::Merged => self.sessions.count(Event::Merged),
            Saved::Stored => self.sessions.count(Event::Saved),
            Saved::Unchanged | Saved::Gone => {}
        }
        Ok(saved)
    }

    fn create(&mut self) -> Result<Saved, Error> {
        if self.changes.values().all(Option::is_none) {
            self.settle();
            return Ok(Saved::Unchanged);
        }
        let now_ms = self.sessions.now_ms();
        let record = self.fresh(now_ms, None)?;
        let (handle, record) = self.begin(record, now_ms)?;
        self.sessions.count(Event::Created);
        self.state = State::Known(Known { handle, record: Arc::new(record), heir: None });
        self.settle();
        Ok(Saved::Stored)
    }

    /// A new record, of what was known and is changed.
    pub(crate) fn fresh(&self, now_ms: u64, from: Option<&Record>) -> Result<Record, Error> {
        let config = &self.sessions.inner().config;
        let ends_ms = config.ends_ms(now_ms);
        let mut record = Record::new(now_ms, ends_ms, config.expires_ms(now_ms).min(ends_ms));
        let values = from.map(|from| from.values.clone()).unwrap_or_default();
        record.values = self.merged(&values, &self.clashes(&values, &values));
        self.check(&record.values)?;
        Ok(record)
    }

    /// Stores a record under a new id, which the response is to set.
    pub(crate) fn begin(
        &mut self,
        record: Record,
        now_ms: u64,
    ) -> Result<(crate::Handle, Record), Error> {
        let id = SessionId::generate()?;
        let handle = id.handle();
        self.sessions.store().create(handle, record.clone(), now_ms)?;
        self.reply = Reply::Set(id);
        Ok((handle, record))
    }

    fn check(&self, values: &Values) -> Result<(), Error> {
        let (len, limit) = (values.len_bytes(), self.sessions.inner().config.max_session_bytes);
        if len > limit { Err(Error::session_too_large(len, limit)) } else { Ok(()) }
    }

    fn save_onto(&mut self, known: Known, resolve: Resolve<'_>) -> Result<Saved, Error> {
        let (store, now_ms) = (self.sessions.store(), self.sessions.now_ms());
        let (mut handle, mut now) = (known.handle, Arc::clone(&known.record));
        let mut is_merged = false;
        for _ in 0..TRIES {
            // It was renewed: what was meant for it is for what it became. After a login it is not:
            // who planted the old id would store what the user takes for their own.
            if let Some(next) = now.successor {
                let Some(found) = store.load(next.handle, now_ms)? else {
                    return Ok(self.not_stored());
                };
                if !next.is_followed {
                    self.sessions.count(Event::Gone);
                    self.stay_behind(known, next.handle);
                    return Ok(Saved::Gone);
                }
                (handle, now, is_merged) = (next.handle, found, true);
                continue;
            }
            let mut next = Record::clone(&now);
            let clashes = self.merge(&known.record.values, &mut next.values, resolve)?;
            if !clashes.is_empty() {
                return Ok(Saved::Conflict(clashes));
            }
            self.check(&next.values)?;
            next.version += 1;
            let config = &self.sessions.inner().config;
            let expires_ms = config.expires_ms(now_ms).min(next.ends_ms);
            next.expires_ms = next.expires_ms.max(expires_ms);
            match store.save(handle, now.version, next, now_ms)? {
                Swap::Stored(record) => {
                    self.settle();
                    self.state = State::Known(Known { handle, record, heir: None });
                    return Ok(if is_merged { Saved::Merged } else { Saved::Stored });
                }
                Swap::Moved(record) => (now, is_merged) = (record, true),
                Swap::Gone => return Ok(self.not_stored()),
            }
        }
        Err(Error::crowded(TRIES))
    }

    fn not_stored(&mut self) -> Saved {
        self.lose();
        Saved::Gone
    }

    /// Puts the changes onto `values`; returns the keys about which nobody could decide.
    fn merge(
        &self,
        base: &Values,
        values: &mut Values,
        resolve: Resolve<'_>,
    ) -> Result<Vec<String>, Error> {
        let mut clashes = Vec::new();
        for (key, mine) in &self.changes {
            let (was, theirs) = (self.read_of(key, base), values.get(key).cloned());
            if was == theirs.as_ref() {
                values.put(key, mine.as_ref());
                continue;
            }
            let clash = Clash {
                key,
                base: was.map(|value| &**value),
                theirs: theirs.as_deref(),
                mine: mine.as_deref(),
            };
            match resolve(&clash)? {
                Choice::Neither => clashes.push(key.to_string()),
                Choice::Theirs => {}
                Choice::Mine => values.put(key, mine.as_ref()),
                Choice::Value(Made(made)) => {
                    let limit = self.sessions.inner().config.max_value_bytes;
                    if made.len() > limit {
                        return Err(Error::value_too_large(key, made.len(), limit));
                    }
                    values.put(key, Some(&made.into()));
                }
            }
        }
        Ok(clashes)
    }

    /// What this request has read of a key that it has changed.
    fn read_of<'k>(&'k self, key: &str, base: &'k Values) -> Option<&'k Arc<[u8]>> {
        self.unsettled.get(key).map_or_else(|| base.get(key), Option::as_ref)
    }

    /// The keys that this request has changed, and another one too, with what was read of them.
    pub(crate) fn clashes(&self, base: &Values, theirs: &Values) -> Changes {
        let clash = |key| {
            let was = self.read_of(key, base);
            (was != theirs.get(key)).then(|| (Box::from(key), was.cloned()))
        };
        self.changes.keys().map(|key| &**key).filter_map(clash).collect()
    }

    /// The same values, with the changes of this request but those that clash.
    pub(crate) fn merged(&self, values: &Values, clashes: &Changes) -> Values {
        let mut values = values.clone();
        let clear = self.changes.iter().filter(|(key, _)| !clashes.contains_key(*key));
        clear.for_each(|(key, value)| values.put(key, value.as_ref()));
        values
    }
}
