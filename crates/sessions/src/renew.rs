//! Renewal: a session goes on under a new id, and the old one still works for a moment.
//!
//! ```text
//! 1 create the new session, under an id that nobody knows yet
//! 2 enter it in the user's account, if it has a user (a login may be refused here)
//! 3 swap the old session, by its version, for one that names the new and ends after the overlap
//! ```
//! What fails before 3 is undone by ending the new session, whose id was never told. In 3 the old
//! session may have moved on: then the new one takes that over, and 3 is tried again. Or it is gone:
//! then it was revoked, and the new one is ended too. Two renewals at once: one wins 3; the other
//! ends what it has made and goes on in what the winner made.
//!
//! Through the old id one reads and saves the new session after a plain renewal, but not after a
//! login: then one reads what was before, and stores nothing, since whoever planted the old id in
//! the browser has it too.
//!
//! Changes that were not saved yet are merged by key, as by a save; but a renewal does not fail for a
//! conflict. Theirs, which was acknowledged, stays; ours stays unsaved, and the next save is told.

use std::sync::Arc;

use crate::clock::millis;
use crate::error::Error;
use crate::id::Handle;
use crate::metrics::Event;
use crate::record::{Record, Successor};
use crate::session::{Changes, Known, Reply, Session, State};
use crate::store::{Store, Swap, TRIES};

/// What became of the old session.
pub(crate) enum Passed {
    /// It names the new one, which has all changes but those that clash.
    On(Record, Changes),
    /// Another request has renewed it: as this.
    ToAnother(Successor, Changes),
    /// It was revoked or has expired.
    Gone,
}

impl<S: Store> Session<'_, S> {
    /// Gives the session a new id, keeping the time at which it ends: when its rights change, or
    /// from time to time. The changes that were not saved are stored with it. If another request
    /// has changed one of these keys meanwhile, its value is there, and the change stays unsaved:
    /// the next [`save`](Session::save) is the [`Conflict`](crate::Saved::Conflict).
    ///
    /// Requests under way with the old id go on in the same session for the
    /// [`overlap`](crate::Builder::overlap). Returns whether there is a new id: not if there is no
    /// session to renew, or if another request has done it at the same time.
    ///
    /// # Errors
    /// When the store fails; [`is_too_large`](Error::is_too_large) as with
    /// [`save`](Session::save). The old id works as before then.
    pub fn renew(&mut self) -> Result<bool, Error> {
        let known = match &self.state {
            // The login that made the heir has given it an id of its own.
            State::Known(known) if known.heir.is_none() => known.clone(),
            _ => return Ok(false),
        };
        let now_ms = self.sessions.now_ms();
        let before = self.reply_taken();
        let mut record = self.fresh(now_ms, Some(&known.record))?;
        record.created_ms = known.record.created_ms;
        record.ends_ms = known.record.ends_ms;
        record.expires_ms = record.expires_ms.min(record.ends_ms);
        record.user = known.record.user.clone();
        record.network = known.record.network;
        record.origin = Some(known.record.name(known.handle));
        let (handle, record) = self.begin(record, now_ms)?;
        let renewed = self.pass_on(&known, handle, record, now_ms);
        if !matches!(renewed, Ok(true)) {
            self.take_back(handle, before, now_ms)?;
        }
        renewed
    }

    fn pass_on(
        &mut self,
        known: &Known,
        handle: Handle,
        record: Record,
        now_ms: u64,
    ) -> Result<bool, Error> {
        if let Some(user) = record.user() {
            self.sessions.relist(user, handle, record.ends_ms, now_ms)?;
        }
        match self.succeed(known, handle, record, true, now_ms)? {
            Passed::On(record, clashes) => {
                self.go_on(handle, record, clashes);
                Ok(true)
            }
            Passed::ToAnother(other, _) => {
                self.go_over(known, other, now_ms)?;
                Ok(false)
            }
            Passed::Gone => {
                self.lose();
                Ok(false)
            }
        }
    }

    /// Ends the new session of what came to nothing. Its id is forgotten first: if it can't be ended
    /// now, nobody has been told of it.
    pub(crate) fn take_back(
        &mut self,
        handle: Handle,
        before: Reply,
        now_ms: u64,
    ) -> Result<(), Error> {
        if matches!(self.reply, Reply::Set(_)) {
            self.reply = before;
        }
        self.sessions.store().revoke(handle, now_ms).map(drop)
    }

    pub(crate) fn reply_taken(&mut self) -> Reply {
        std::mem::replace(&mut self.reply, Reply::Nothing)
    }

    /// The session is the new one from now on.
    pub(crate) fn go_on(&mut self, handle: Handle, record: Record, clashes: Changes) {
        self.state = State::Known(Known { handle, record: Arc::new(record), heir: None });
        self.changes.retain(|key, _| clashes.contains_key(key));
        self.unsettled = clashes;
        self.sessions.count(Event::Renewed);
        if !self.unsettled.is_empty() {
            self.sessions.count(Event::Conflict);
        }
    }

    /// The session is what another request has made of it.
    fn go_over(&mut self, known: &Known, other: Successor, now_ms: u64) -> Result<(), Error> {
        match self.sessions.store().load(other.handle, now_ms)? {
            None => self.lose(),
            Some(_) if !other.is_followed => self.stay_behind(known.clone(), other.handle),
            Some(record) => {
                self.unsettled = self.clashes(&known.record.values, &record.values);
                self.state = State::Known(Known { handle: other.handle, record, heir: None });
            }
        }
        Ok(())
    }

    /// Makes the old session name the new one, which takes over what others stored meanwhile.
    pub(crate) fn succeed(
        &self,
        known: &Known,
        handle: Handle,
        mut record: Record,
        is_followed: bool,
        now_ms: u64,
    ) -> Result<Passed, Error> {
        let store = self.sessions.store();
        let until_ms = now_ms.saturating_add(millis(self.sessions.inner().config.overlap));
        let mut now = Arc::clone(&known.record);
        let mut clashes = self.clashes(&now.values, &now.values);
        // Who was second to renew went on in what had been renewed again already. To name another
        // session here would cut off the one that is named.
        if let Some(other) = now.successor {
            return Ok(Passed::ToAnother(other, clashes));
        }
        for _ in 0..TRIES {
            let mut last = Record::clone(&now);
            last.version += 1;
            last.successor = Some(Successor { handle, is_followed });
            last.ends_ms = last.ends_ms.min(until_ms);
            last.expires_ms = last.expires_ms.min(last.ends_ms);
            match store.save(known.handle, now.version, last, now_ms)? {
                Swap::Stored(_) => return Ok(Passed::On(record, clashes)),
                Swap::Gone => return Ok(Passed::Gone),
                Swap::Moved(moved) => now = moved,
            }
            if let Some(other) = now.successor {
                return Ok(Passed::ToAnother(other, clashes));
            }
            let expected = record.version;
            record.version += 1;
            clashes = self.clashes(&known.record.values, &now.values);
            record.values = self.merged(&now.values, &clashes);
            match store.save(handle, expected, record.clone(), now_ms)? {
                Swap::Stored(_) => {}
                // All sessions of the user were ended, this one among them.
                Swap::Moved(_) | Swap::Gone => return Ok(Passed::Gone),
            }
        }
        Err(Error::crowded(TRIES))
    }
}
