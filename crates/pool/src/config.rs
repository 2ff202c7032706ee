//! What a builder collected: read by everybody, written by nobody after `build`.

use std::time::Duration;

use r2d2::{CustomizeConnection, HandleError, ManageConnection};

use crate::admission::DuringOutage;
use crate::clock::Clock;
use crate::events::Events;
use crate::gate::ReturnGate;
use crate::nested::Nested;
use crate::opening::Runner;

/// The bound on `max_size`.
pub(crate) const MOST: u32 = 1 << 16;

pub(crate) struct Config<M: ManageConnection> {
    /// As built; the pool may have been resized since.
    pub(crate) max_size: u32,
    /// `None`: four times `max_size`, at least 64.
    pub(crate) max_capacity: Option<u32>,
    pub(crate) max_waiters: u32,
    pub(crate) min_idle: Option<u32>,
    pub(crate) test_on_check_out: bool,
    pub(crate) test_after_idle: Duration,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) connection_timeout: Duration,
    pub(crate) error_handler: Box<dyn HandleError<M::Error>>,
    pub(crate) customizer: Box<dyn CustomizeConnection<M::Connection, M::Error>>,
    pub(crate) return_gate: Option<ReturnGate<M>>,
    /// Where the manager's blocking calls are made.
    pub(crate) runner: Runner<M>,
    pub(crate) clock: Clock,
    pub(crate) during_outage: DuringOutage,
    pub(crate) nested: Nested,
    pub(crate) leak_threshold: Option<Duration>,
    pub(crate) events: Box<dyn Events>,
    /// Whether each checkout has somebody to tell; see `Shared::lent`.
    pub(crate) watched: bool,
}

impl<M: ManageConnection> Config<M> {
    /// The most that the pool may be resized to.
    pub(crate) fn max_capacity(&self) -> u32 {
        self.max_capacity.unwrap_or((4 * self.max_size).clamp(64, MOST)).max(self.max_size)
    }
}
