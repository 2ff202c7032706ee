//! Threads that have a connection and ask for another of the same pool.
//!
//! When all of a pool's connections are with threads that wait for a second one, nobody ever goes
//! on. The slots' records know which thread asked for what is lent (`held.rs`), so the question
//! "does this thread have one?" has an exact answer at the price of a look at each slot. A
//! thread-local count makes that rare: it is never less than what the thread has, and more only
//! while another thread has returned something for it.

use std::cell::Cell;

use r2d2::ManageConnection;

use crate::error::Error;
use crate::events::NestedCheckout;
use crate::metrics::count;
use crate::shared::Shared;
use crate::site::Site;

/// What becomes of a thread that has a connection and asks for another of the same pool; see
/// [`Builder::nested_checkout`](crate::Builder::nested_checkout).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Nested {
    /// It gets one, if there is one in time. If not, the error says that it waited for itself.
    #[default]
    Allow,
    /// It gets one, and [`Events::nested`](crate::Events::nested) is told both call sites.
    Report,
    /// It gets an error with both call sites, and [`Events::nested`](crate::Events::nested) is told
    /// too.
    Refuse,
}

/// Pools that a thread can tell apart; each more costs a look at the slots now and then.
const POOLS: usize = 8;

/// A pool, and at least how many of its connections this thread asked for that are still out.
type Count = (usize, usize);

thread_local! {
    static COUNTS: [Cell<Count>; POOLS] = const { [const { Cell::new((usize::MAX, 0)) }; POOLS] };
}

fn update(pool: usize, to: impl FnOnce(Count) -> Count) {
    COUNTS.with(|counts| {
        let count = &counts[pool % POOLS];
        count.set(to(count.get()));
    });
}

impl<M: ManageConnection> Shared<M> {
    /// Asked before a checkout; reports, and refuses when told to.
    #[cold]
    pub(crate) fn check_nested(&self, call_site: Site) -> Result<(), Error<M::Error>> {
        if COUNTS.with(|counts| counts[self.id % POOLS].get()) == (self.id, 0) {
            return Ok(());
        }
        update(self.id, |_| (self.id, self.lent_to_this_thread()));
        let Some(held) = self.held_by_this_thread() else { return Ok(()) };
        let nested = NestedCheckout { call_site, held };
        self.config.events.nested(&nested);
        match self.config.nested {
            Nested::Refuse => {
                count(&self.tally.refusals);
                Err(Error::nested(nested))
            }
            Nested::Allow | Nested::Report => Ok(()),
        }
    }

    /// After a checkout.
    pub(crate) fn count_lent(&self) {
        update(self.id, |(pool, out)| {
            (self.id, if pool == self.id { out + 1 } else { self.lent_to_this_thread() })
        });
    }

    /// Before the return of what this thread had asked for.
    pub(crate) fn count_returned(&self) {
        update(self.id, |(pool, out)| {
            (pool, if pool == self.id { out.saturating_sub(1) } else { out })
        });
    }
}
