//! The guard of a lent connection.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use r2d2::{Extensions, ManageConnection};

use crate::clock::Tick;
use crate::events::Checkout;
use crate::live::{Fate, Live};
use crate::nested::Nested;
use crate::shared::Shared;
use crate::site::Site;
use crate::slot::Resident;

/// A lent connection, by r2d2's name.
pub type PooledConnection<M> = Pooled<M>;

/// A lent connection. It is the connection, by `Deref`, and dropping it gives it back.
///
/// It is closed instead when it is dropped by a panicking thread, when the return gate or the
/// manager's `has_broken` refuses it, when its lifetime is over, and when the pool is closed. A
/// guard that is forgotten (`mem::forget`) keeps its slot for ever.
pub struct Pooled<M: ManageConnection> {
    /// Present until `drop`.
    live: Option<Box<Live<M>>>,
}

impl<M: ManageConnection> Pooled<M> {
    #[inline]
    pub(crate) fn lend(live: Box<Live<M>>, site: Site, now: Tick, waited: Duration) -> Self {
        let shared = &*live.claim.shared;
        live.home().record().lend(site, now, &shared.config.clock);
        let watched = shared.config.watched;
        let lent = Pooled { live: Some(live) };
        if watched {
            lent.tell_lent(waited);
        }
        lent
    }

    /// Tells whoever wants to know; the guard exists already, so that a panic returns it.
    #[cold]
    fn tell_lent(&self, waited: Duration) {
        let shared = &*self.live().claim.shared;
        if shared.config.nested != Nested::Allow {
            shared.count_lent();
        }
        shared.config.events.lent(&Checkout { call_site: self.call_site(), waited });
    }

    #[inline]
    fn live(&self) -> &Live<M> {
        self.live.as_ref().expect("present until drop")
    }

    #[inline]
    fn live_mut(&mut self) -> &mut Live<M> {
        self.live.as_mut().expect("present until drop")
    }

    /// Returns where this connection was asked for.
    pub fn call_site(&self) -> &'static Location<'static> {
        self.live().home().record().site().expect("written when it was lent")
    }

    /// Closes the connection rather than giving it back; its slot is free again at once.
    pub fn discard(mut self) {
        if let Some(live) = self.live.take() {
            live.end();
            live.close_for(Fate::Discarded);
        }
    }

    /// Borrows the values kept beside this connection for as long as it is open.
    pub fn extensions(&self) -> &Extensions {
        /// Most connections never have any.
        static NONE: LazyLock<Extensions> = LazyLock::new(Extensions::new);
        self.live().extensions.as_deref().unwrap_or(&NONE)
    }

    /// Borrows the values kept beside this connection, to change them.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        self.live_mut().extensions.get_or_insert_default()
    }
}

impl<M: ManageConnection> Deref for Pooled<M> {
    type Target = M::Connection;

    #[inline]
    fn deref(&self) -> &M::Connection {
        self.live().conn.as_ref().expect("open until it is retired")
    }
}

impl<M: ManageConnection> DerefMut for Pooled<M> {
    #[inline]
    fn deref_mut(&mut self) -> &mut M::Connection {
        self.live_mut().conn.as_mut().expect("open until it is retired")
    }
}

impl<M: ManageConnection> Drop for Pooled<M> {
    #[inline]
    fn drop(&mut self) {
        if let Some(live) = self.live.take() {
            live.end();
            Shared::give_back(live);
        }
    }
}

impl<M: ManageConnection> Live<M> {
    /// Notes that its holder is done with it.
    #[inline]
    fn end(&self) {
        if self.claim.shared.config.watched || self.home().record().is_timed() {
            self.tell_returned();
        }
    }

    #[cold]
    fn tell_returned(&self) {
        let shared = &*self.claim.shared;
        let record = self.home().record();
        if record.is_timed() {
            shared.count_hold(record.timed(&shared.config.clock));
        }
        if !shared.config.watched {
            return;
        }
        if shared.config.nested != Nested::Allow && record.is_mine() {
            shared.count_returned();
        }
        if let Some(holder) = record.holder(shared.config.clock.now())
            && !thread::panicking()
        {
            shared.config.events.returned(&holder);
        }
    }
}

impl<M: ManageConnection> fmt::Debug for Pooled<M>
where
    M::Connection: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
