//! The settings.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock, millis};
use crate::cookie::Cookie;
use crate::limits::{Networks, PerUser};
use crate::metrics::Counters;
use crate::sessions::{Inner, Sessions};
use crate::store::Store;

/// The settings of [`Sessions`]: [`Sessions::builder`].
pub struct Builder<S> {
    store: S,
    config: Config,
}

pub(crate) struct Config {
    pub(crate) idle: Duration,
    pub(crate) absolute: Duration,
    pub(crate) overlap: Duration,
    pub(crate) cookie: Cookie,
    pub(crate) max_value_bytes: usize,
    pub(crate) max_session_bytes: usize,
    pub(crate) per_user: PerUser,
    pub(crate) networks: Option<Networks>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl<S: Store> Builder<S> {
    pub(crate) fn new(store: S) -> Builder<S> {
        let config = Config {
            idle: Duration::from_secs(30 * 60),
            absolute: Duration::from_secs(12 * 3600),
            overlap: Duration::from_secs(10),
            cookie: Cookie::new("session"),
            max_value_bytes: 16 << 10,
            max_session_bytes: 64 << 10,
            per_user: PerUser::evict_idle(100),
            networks: None,
            clock: Arc::new(SystemClock),
        };
        Builder { store, config }
    }

    /// How long a session lasts after its last use, at least. It may last two sixteenths and two
    /// seconds longer: that is how seldom its end is put off. Default 30 minutes.
    ///
    /// # Panics
    /// When under one second.
    pub fn idle(mut self, idle: Duration) -> Self {
        assert!(idle >= Duration::from_secs(1), "an idle time-out of {idle:?}: at least 1 s");
        self.config.idle = idle;
        self
    }

    /// How long a session lasts after its login, or its creation, however much it is used. Default
    /// 12 hours.
    ///
    /// # Panics
    /// When under one second.
    pub fn absolute(mut self, absolute: Duration) -> Self {
        assert!(absolute >= Duration::from_secs(1), "an end after {absolute:?}: at least 1 s");
        self.config.absolute = absolute;
        self
    }

    /// How long the old id still works after a renewal, for the requests that were sent with it; after
    /// a login, for reading what was before it.
    /// Default 10 seconds.
    ///
    /// # Panics
    /// When over five minutes: whoever has an old id has the session.
    pub fn overlap(mut self, overlap: Duration) -> Self {
        assert!(overlap <= Duration::from_secs(300), "an overlap of {overlap:?}: at most 300 s");
        self.config.overlap = overlap;
        self
    }

    /// Which cookie carries the id. Default `__Host-session`.
    pub fn cookie(mut self, cookie: Cookie) -> Self {
        self.config.cookie = cookie;
        self
    }

    /// How many bytes of JSON one value may have. Default 16 KiB.
    ///
    /// # Panics
    /// When 0, or above 1 MiB.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        assert!((1..=1 << 20).contains(&bytes), "values of {bytes} bytes: 1 to 1048576");
        self.config.max_value_bytes = bytes;
        self
    }

    /// How many bytes all values of a session may have, with their keys and 8 bytes a value.
    /// Default 64 KiB.
    ///
    /// # Panics
    /// When 0, or above 4 MiB.
    pub fn max_session_bytes(mut self, bytes: usize) -> Self {
        assert!((1..=4 << 20).contains(&bytes), "sessions of {bytes} bytes: 1 to 4194304");
        self.config.max_session_bytes = bytes;
        self
    }

    /// How many sessions a user may have. Default: 100, of which a login ends the one that was not
    /// used for longest.
    pub fn per_user(mut self, limit: PerUser) -> Self {
        self.config.per_user = limit;
        self
    }

    /// From how many networks an account may be used. Default: any number.
    pub fn networks(mut self, limit: Networks) -> Self {
        self.config.networks = Some(limit);
        self
    }

    /// Which clock says what time it is. Default: the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.config.clock = Arc::new(clock);
        self
    }

    /// Takes the store into use.
    pub fn build(self) -> Sessions<S> {
        let Builder { store, config } = self;
        let window = config.networks.map_or(0, |limit| limit.window_ms);
        store.prepare(config.idle, config.absolute.max(Duration::from_millis(window)));
        Sessions::new(Inner { store, config, counters: Counters::default() })
    }
}

impl Config {
    /// When a session that is used now expires, if it was touched now. A sixteenth over the idle
    /// time-out, so that it need not be touched again before that has passed.
    pub(crate) fn expires_ms(&self, now_ms: u64) -> u64 {
        let idle_ms = millis(self.idle);
        now_ms.saturating_add(idle_ms).saturating_add(idle_ms / 16)
    }

    /// When a session that is used now has to last until.
    pub(crate) fn needed_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(millis(self.idle))
    }

    pub(crate) fn ends_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(millis(self.absolute))
    }
}
