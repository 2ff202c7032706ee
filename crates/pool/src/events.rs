//! What a pool tells those who want to hear.

use std::fmt;
use std::time::Duration;

use crate::breaker::Outage;
use crate::held::Holder;
use crate::live::Fate;
use crate::site::Site;

/// A connection was lent.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Checkout {
    /// Where it was asked for.
    pub call_site: Site,
    /// How long that took, with testing and connecting; zero when one lay ready.
    pub waited: Duration,
}

/// A thread that has a connection asked for another of the same pool.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct NestedCheckout {
    /// Where the thread asked now.
    pub call_site: Site,
    /// What it has already.
    pub held: Holder,
}

impl fmt::Display for NestedCheckout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NestedCheckout { call_site, held } = self;
        write!(f, "asked for at {call_site} by a thread that has one of the same pool, {held}")
    }
}

/// Hears what happens in a pool; see [`Builder::events`](crate::Builder::events).
///
/// Methods do nothing by default, save those that report trouble: they log a warning. All are
/// called on the thread that it happens to, with no lock held, and keep it waiting; the first two
/// are called for each checkout. One that panics costs nothing but the panic: the connection that
/// it was about is closed or goes back, and no slot is lost.
pub trait Events: Send + Sync + 'static {
    /// A connection was lent.
    fn lent(&self, checkout: &Checkout) {
        let _ = checkout;
    }

    /// A holder has given its connection back, in whatever state. Not called while it panics.
    fn returned(&self, holder: &Holder) {
        let _ = holder;
    }

    /// A caller got an error instead of a connection, after waiting for so long.
    fn refused(&self, call_site: Site, error: &dyn fmt::Display, waited: Duration) {
        let _ = (call_site, error, waited);
    }

    /// A connection was opened, and that took so long.
    fn opened(&self, took: Duration) {
        let _ = took;
    }

    /// A connection is closed.
    fn closed(&self, why: Fate) {
        let _ = why;
    }

    /// A thread asked for a second connection; only with
    /// [`Nested::Report`](crate::Nested::Report) and [`Nested::Refuse`](crate::Nested::Refuse).
    /// Logs a warning unless overridden.
    fn nested(&self, nested: &NestedCheckout) {
        log::warn!("a second connection was {nested}");
    }

    /// A connection has been lent for longer than the
    /// [`leak_threshold`](crate::Builder::leak_threshold). Told once. Logs a warning unless
    /// overridden.
    fn leaked(&self, holder: &Holder) {
        log::warn!("a connection has not come back: {holder}");
    }

    /// No connection can be opened: an attempt has failed. Told once. Logs a warning unless
    /// overridden.
    fn outage_began(&self, outage: &Outage) {
        log::warn!("no connection can be opened: {}", outage.cause);
    }

    /// A connection was opened, after an outage. Logs a warning unless overridden.
    fn outage_ended(&self, outage: &Outage) {
        let Outage { lasted, attempts, cause } = outage;
        log::warn!(
            "connections are opened again, after {lasted:.1?} and {attempts} times: {cause}"
        );
    }
}

/// Whom a pool tells by default.
pub(crate) struct Log;

impl Events for Log {}
