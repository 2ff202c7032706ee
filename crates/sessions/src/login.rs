//! Login: a new id for whoever has shown who they are, within the limits of the user.
//!
//! The new session exists before the account lists it, so that a session in the account that is
//! not there has ended. Sessions that have to go for it are ended before the account is swapped by
//! its version: the limit holds at each moment, and of two logins at once the later one counts the
//! earlier.

use std::net::IpAddr;
use std::sync::Arc;

use crate::account::Account;
use crate::error::Error;
use crate::id::Handle;
use crate::limits::{Networks, Policy};
use crate::metrics::Event;
use crate::network::Network;
use crate::record::Record;
use crate::renew::Passed;
use crate::session::{Changes, Known, Session, State};
use crate::sessions::{Listed, Sessions};
use crate::store::{Store, TRIES, live_of};

const MAX_USER_BYTES: usize = 256;

/// What came of a login.
#[derive(Debug)]
#[must_use = "the login may have been refused"]
pub enum Login {
    /// The user is logged in, under a new id.
    Admitted {
        /// How many of the user's sessions were ended for it.
        ended: usize,
        /// Set when the account is used from more networks than it should be: which.
        networks: Option<Vec<Network>>,
    },
    /// There are as many sessions as the user may have: these. The user, who has just shown to be
    /// the user, can choose which to [end](Sessions::end).
    Refused(Vec<Listed>),
    /// The account is used from as many networks as it may be, and this one would be another.
    Locked {
        /// The networks it was used from.
        networks: Vec<Network>,
        /// The user's sessions.
        sessions: Vec<Listed>,
    },
    /// The session was revoked while the login was under way: nobody is logged in.
    Gone,
}

/// From where a session is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nobody has logged in, or the network was seen before, or there is no limit.
    Known,
    /// From one more network, within the limit.
    New,
    /// From more networks than the account may be used from: these, and the one it is now.
    Many(Vec<Network>),
}

/// Who is to be admitted.
struct Candidate<'c> {
    user: &'c str,
    handle: Handle,
    network: Option<Network>,
    ends_ms: u64,
    /// The session that it replaces, which counts no more. It stays listed until it is replaced.
    old: Option<Handle>,
}

impl<S: Store> Session<'_, S> {
    /// Logs a user in: gives the session a new id, a new absolute end, and the user. The values are
    /// kept, if the session was nobody's or the same user's; changes that were not saved are stored
    /// with them, as by [`renew`](Session::renew). `address` is where the request came from, for the
    /// limit of networks.
    ///
    /// Whoever had the old id may have planted it. Requests under way with it read what was before the
    /// login for the [`overlap`](crate::Builder::overlap), and store nothing from now on: their saves
    /// are [`Gone`](crate::Saved::Gone). Only [`logout`](Session::logout) ends the new session by it.
    ///
    /// # Errors
    /// When the store fails; [`is_too_large`](Error::is_too_large) when the session, or the user,
    /// which may have 256 bytes, is. The session is as it was then.
    pub fn login(&mut self, user: &str, address: Option<IpAddr>) -> Result<Login, Error> {
        if user.len() > MAX_USER_BYTES {
            return Err(Error::user_too_long(user.len(), MAX_USER_BYTES));
        }
        let old = match &self.state {
            State::Gone => return Ok(Login::Gone),
            State::Known(known) => Some(known.clone()),
            State::Empty => None,
        };
        let is_taken_over =
            |known: &&Known| known.record.user().is_none_or(|before| before == user);
        let from = old.as_ref().filter(is_taken_over).map(|known| &*known.record);
        let now_ms = self.sessions.now_ms();
        let mut record = match old.is_some() && from.is_none() {
            true => Session::empty(self.sessions).fresh(now_ms, None)?,
            false => self.fresh(now_ms, from)?,
        };
        record.user = Some(user.into());
        // Whoever logs in again goes on in the same session; from nobody's, another one begins.
        let is_again = |known: &&Known| known.record.user() == Some(user);
        let again = old.as_ref().filter(is_again);
        record.origin = again.map(|known| known.record.name(known.handle));
        record.network = address.map(Network::of);
        let before = self.reply_taken();
        let (handle, record) = self.begin(record, now_ms)?;
        let login = self.enter(user, old.as_ref(), handle, record, now_ms);
        if !matches!(login, Ok(Login::Admitted { .. })) {
            self.take_back(handle, before, now_ms)?;
        }
        login
    }

    fn enter(
        &mut self,
        user: &str,
        old: Option<&Known>,
        handle: Handle,
        record: Record,
        now_ms: u64,
    ) -> Result<Login, Error> {
        let (network, ends_ms) = (record.network, record.ends_ms);
        let replaced = old.map(|known| known.handle);
        let candidate = Candidate { user, handle, network, ends_ms, old: replaced };
        let login = self.sessions.admit(&candidate, now_ms)?;
        if !matches!(login, Login::Admitted { .. }) {
            return Ok(login);
        }
        let passed = match old {
            Some(known) if known.heir.is_some() => Passed::On(record, Changes::new()),
            Some(known) if known.record.user().is_none_or(|before| before == user) => {
                self.succeed(known, handle, record, false, now_ms)?
            }
            // Another user's session ends here, at once and with all that is in it.
            Some(known) => match self.sessions.revoke_known(known, now_ms)? {
                true => Passed::On(record, Changes::new()),
                false => Passed::Gone,
            },
            None => Passed::On(record, Changes::new()),
        };
        let goes_on = |known: &Known| {
            known.heir.is_none() && known.record.user().is_none_or(|before| before == user)
        };
        let is_another = matches!(passed, Passed::ToAnother(..)) || !old.is_some_and(goes_on);
        match passed {
            Passed::On(record, clashes) => self.go_on(handle, record, clashes),
            // Two logins from one old session: each has its own new one.
            Passed::ToAnother(_, clashes) => match self.sessions.store().load(handle, now_ms)? {
                Some(record) => self.go_on(handle, Record::clone(&record), clashes),
                None => return self.lost(),
            },
            Passed::Gone => return self.lost(),
        }
        if is_another {
            self.sessions.count(Event::Created);
        }
        Ok(login)
    }

    fn lost(&mut self) -> Result<Login, Error> {
        self.lose();
        Ok(Login::Gone)
    }

    /// Notes from where the session is used now, for the limit of networks: an id that was copied
    /// is used from elsewhere. What to do about [`Seen::Many`] is the caller's choice.
    ///
    /// It costs nothing while the network is that of the login, and a read otherwise; a network is
    /// written down when it is new, and then a few times a window.
    ///
    /// # Errors
    /// When the store fails.
    pub fn seen_from(&self, address: IpAddr) -> Result<Seen, Error> {
        let State::Known(known) = &self.state else { return Ok(Seen::Known) };
        let (Some(user), Some(limit)) =
            (known.record.user(), self.sessions.inner().config.networks)
        else {
            return Ok(Seen::Known);
        };
        let network = Network::of(address);
        if known.record.network == Some(network) {
            return Ok(Seen::Known);
        }
        self.sessions.note(user, network, limit)
    }
}

impl<S: Store> Sessions<S> {
    fn admit(&self, candidate: &Candidate<'_>, now_ms: u64) -> Result<Login, Error> {
        let store = self.store();
        let limit = self.inner().config.per_user;
        let mut ended = 0;
        for _ in 0..TRIES {
            let mut account = store.load_user(candidate.user, now_ms)?;
            let mut live = live_of(store, &account, now_ms)?;
            let is_old = |(handle, _): &mut (Handle, _)| Some(*handle) == candidate.old;
            let old: Vec<_> = live.extract_if(.., is_old).collect();
            let networks = match self.too_many(&account, candidate.network, now_ms) {
                Some((networks, true)) => {
                    self.count(Event::Refused);
                    let sessions = self.list_user(candidate.user)?;
                    return Ok(Login::Locked { networks, sessions });
                }
                networks => networks.map(|(networks, _)| networks),
            };
            let over = (live.len() + 1).saturating_sub(limit.max);
            if over > 0 && limit.policy == Policy::Refuse {
                self.count(Event::Refused);
                return Ok(Login::Refused(self.list_user(candidate.user)?));
            }
            match limit.policy {
                Policy::EvictIdle => live.sort_by_key(|(_, it)| (it.expires_ms, it.created_ms)),
                _ => live.sort_by_key(|(_, it)| it.created_ms),
            }
            for (handle, _) in live.drain(..over) {
                ended += usize::from(self.revoke(handle, now_ms)?);
            }
            live.extend(old);
            live.sort_by_key(|(_, it)| it.created_ms);
            account.handles = live.into_iter().map(|(handle, _)| handle).collect();
            account.add(candidate.handle, candidate.ends_ms);
            self.note_in(&mut account, candidate.network, now_ms);
            if store.save_user(account.version, account, now_ms)? {
                if networks.is_some() {
                    self.count(Event::Flagged);
                }
                return Ok(Login::Admitted { ended, networks });
            }
        }
        Err(Error::crowded(TRIES))
    }

    /// The networks of an account, if this one is more than it may have; and whether that locks.
    fn too_many(
        &self,
        account: &Account,
        network: Option<Network>,
        now_ms: u64,
    ) -> Option<(Vec<Network>, bool)> {
        let (limit, network) = (self.inner().config.networks?, network?);
        let since_ms = now_ms.saturating_sub(limit.window_ms);
        let seen: Vec<Network> = account.seen_since(since_ms).collect();
        let is_many = !seen.contains(&network) && seen.len() >= limit.max;
        is_many.then_some((seen, limit.is_locked))
    }

    fn note_in(&self, account: &mut Account, network: Option<Network>, now_ms: u64) {
        if let (Some(limit), Some(network)) = (self.inner().config.networks, network) {
            account.note(network, now_ms, now_ms.saturating_sub(limit.window_ms));
            account.expires_ms = account.expires_ms.max(now_ms.saturating_add(limit.window_ms));
        }
    }

    fn note(&self, user: &str, network: Network, limit: Networks) -> Result<Seen, Error> {
        let now_ms = self.now_ms();
        for _ in 0..TRIES {
            let mut account = self.store().load_user(user, now_ms)?;
            let fresh_ms = now_ms.saturating_sub(limit.window_ms / 16);
            if account.seen_since(fresh_ms).any(|seen| seen == network) {
                return Ok(Seen::Known);
            }
            let many = self.too_many(&account, Some(network), now_ms);
            if let Some((networks, _)) = many {
                // Not noted: the networks that were there first stay the account's.
                self.count(Event::Flagged);
                return Ok(Seen::Many(networks));
            }
            let since_ms = now_ms.saturating_sub(limit.window_ms);
            let is_new = account.seen_since(since_ms).all(|seen| seen != network);
            self.note_in(&mut account, Some(network), now_ms);
            if self.store().save_user(account.version, account, now_ms)? {
                return Ok(if is_new { Seen::New } else { Seen::Known });
            }
        }
        Err(Error::crowded(TRIES))
    }

    /// Puts a session back in its user's account, if it is not there.
    pub(crate) fn relist(
        &self,
        user: &str,
        handle: Handle,
        ends_ms: u64,
        now_ms: u64,
    ) -> Result<(), Error> {
        for _ in 0..TRIES {
            let mut account = self.store().load_user(user, now_ms)?;
            if account.handles.contains(&handle) {
                return Ok(());
            }
            account.handles = live_of(self.store(), &account, now_ms)?
                .into_iter()
                .map(|(listed, _): (Handle, Arc<Record>)| listed)
                .collect();
            account.add(handle, ends_ms);
            if self.store().save_user(account.version, account, now_ms)? {
                return Ok(());
            }
        }
        Err(Error::crowded(TRIES))
    }
}
