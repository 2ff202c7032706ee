//! The session of one request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::id::{Handle, SessionId};
use crate::metrics::Event;
use crate::record::Record;
use crate::sessions::Sessions;
use crate::store::Store;

const MAX_KEY_BYTES: usize = 256;

/// The changes of a request: encoded values by key, `None` for a key that was removed.
pub(crate) type Changes = BTreeMap<Box<str>, Option<Arc<[u8]>>>;

/// The session of one request: a snapshot, and the changes made to it.
///
/// It holds no lock and no connection, only what it read; nothing is stored before
/// [`save`](Session::save), and a session that is dropped unsaved has changed nothing. After it was
/// saved, renewed or ended, the response may need a [`set_cookie`](Session::set_cookie).
pub struct Session<'a, S> {
    pub(crate) sessions: &'a Sessions<S>,
    pub(crate) state: State,
    pub(crate) changes: Changes,
    /// What was read of those changed keys that a renewal or a login found changed by another request
    /// too, and so left for a save to tell.
    pub(crate) unsettled: Changes,
    pub(crate) reply: Reply,
}

pub(crate) enum State {
    /// Not stored: it has no id yet.
    Empty,
    Known(Known),
    /// Revoked or expired since it was opened. It stays so: nothing that it knew comes back.
    Gone,
}

/// What is known of a stored session.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) handle: Handle,
    pub(crate) record: Arc<Record>,
    /// What a login made of it: read is what was before, and nothing is stored.
    pub(crate) heir: Option<Handle>,
}

pub(crate) enum Reply {
    Nothing,
    Set(SessionId),
    Clear,
}

impl<'a, S: Store> Session<'a, S> {
    pub(crate) fn empty(sessions: &'a Sessions<S>) -> Self {
        Session {
            sessions,
            state: State::Empty,
            changes: Changes::new(),
            unsettled: Changes::new(),
            reply: Reply::Nothing,
        }
    }

    pub(crate) fn known(sessions: &'a Sessions<S>, known: Known) -> Self {
        Session { state: State::Known(known), ..Session::empty(sessions) }
    }

    fn record(&self) -> Option<&Record> {
        match &self.state {
            State::Known(known) => Some(&known.record),
            _ => None,
        }
    }

    /// Returns the value of a key, as this request has changed it.
    ///
    /// # Errors
    /// [`is_value`](Error::is_value) when it is of another type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let stored = || self.record().and_then(|record| record.values.get(key));
        let value = match self.changes.get(key) {
            Some(changed) => changed.as_ref(),
            None => stored(),
        };
        let value = value.map(|value| serde_json::from_slice(value));
        value.transpose().map_err(|cause| Error::decode(key, cause))
    }

    /// Sets the value of a key. A key or a value over its limit changes nothing.
    ///
    /// A type may gain fields with `#[serde(default)]` while sessions of its last release live.
    ///
    /// # Errors
    /// [`is_too_large`](Error::is_too_large); [`is_value`](Error::is_value) when it has no JSON.
    pub fn set<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Error> {
        if key.len() > MAX_KEY_BYTES {
            return Err(Error::key_too_long(key.len(), MAX_KEY_BYTES));
        }
        let value = self.encode(key, value)?;
        self.changes.insert(key.into(), Some(value));
        Ok(())
    }

    pub(crate) fn encode<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<Arc<[u8]>, Error> {
        let bytes = serde_json::to_vec(value).map_err(|cause| Error::encode(key, cause))?;
        let limit = self.sessions.inner().config.max_value_bytes;
        match bytes.len() > limit {
            true => Err(Error::value_too_large(key, bytes.len(), limit)),
            false => Ok(bytes.into()),
        }
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) {
        self.changes.insert(key.into(), None);
    }

    /// Returns who has logged in.
    pub fn user(&self) -> Option<&str> {
        self.record().and_then(Record::user)
    }

    /// Returns the name of the session in lists, once it is stored: the same after a renewal.
    pub fn handle(&self) -> Option<Handle> {
        match &self.state {
            State::Known(known) => Some(known.record.name(known.handle)),
            _ => None,
        }
    }

    /// Is there nothing stored of it yet?
    pub fn is_empty(&self) -> bool {
        matches!(self.state, State::Empty)
    }

    /// Was it found to be revoked or expired, after it was opened?
    pub fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    /// Ends the session, and what other requests have made of it since this one opened it: under
    /// the id that a renewal or a login gave it too. What was changed and not saved is dropped.
    ///
    /// False: nothing was there to be ended, since it had ended before. There is one thing that this
    /// can't tell from that: nobody had logged in when this request opened the session, another one
    /// renewed it or logged in with it, and this was so long ago that the clean-up has removed what
    /// said so (the [`overlap`](crate::Builder::overlap), and what is left of a sixteenth of the idle
    /// time). What it has become then lives on under the other id.
    ///
    /// # Errors
    /// When the store fails; the session lives on then.
    pub fn logout(&mut self) -> Result<bool, Error> {
        let was_there = match &self.state {
            State::Known(known) => self.sessions.revoke_known(known, self.sessions.now_ms())?,
            _ => false,
        };
        self.end();
        Ok(was_there)
    }

    /// Ends all other sessions of the user who has logged in, and returns how many there were. This
    /// one stays, also if another request renews it meanwhile or has done so.
    ///
    /// # Errors
    /// When the store fails; some may be ended then.
    pub fn end_others(&self) -> Result<usize, Error> {
        match self.user() {
            Some(user) => self.sessions.revoke_user_but(user, self.handle()),
            None => Ok(0),
        }
    }

    /// Returns the value of the `Set-Cookie` header that the response needs, if it needs one.
    ///
    /// A response that has one should also have `Cache-Control: no-store`.
    pub fn set_cookie(&self) -> Option<String> {
        let cookie = &self.sessions.inner().config.cookie;
        match &self.reply {
            Reply::Nothing => None,
            Reply::Set(id) => Some(cookie.set(id)),
            Reply::Clear => Some(cookie.clear()),
        }
    }

    fn end(&mut self) {
        if !matches!(self.state, State::Empty) {
            self.state = State::Gone;
            self.reply = Reply::Clear;
        }
        self.settle();
    }

    /// Nothing is changed any more: it was stored, or dropped.
    pub(crate) fn settle(&mut self) {
        self.changes.clear();
        self.unsettled.clear();
    }

    /// A login has given the session another id: by this one it is read as it was, and that is all.
    /// The reply clears no cookie, since that may be the new one by now.
    pub(crate) fn stay_behind(&mut self, known: Known, heir: Handle) {
        self.settle();
        self.state = State::Known(Known { heir: Some(heir), ..known });
    }

    /// Notes that what was opened is not there any more.
    pub(crate) fn lose(&mut self) {
        self.sessions.count(Event::Gone);
        self.end();
    }
}

impl<S> fmt::Debug for Session<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handle = match &self.state {
            State::Known(known) => Some(known.handle),
            _ => None,
        };
        f.debug_struct("Session").field("handle", &handle).finish_non_exhaustive()
    }
}
