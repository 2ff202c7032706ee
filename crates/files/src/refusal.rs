//! Negative entries: sources that cannot be made, remembered in memory for a while.

use std::time::{Duration, Instant};

use moka::sync::Cache;

use crate::error::{Error, SharedError};
use crate::flight::deadline_in;
use crate::key::{BuildNameHasher, Key, Name};

/// The entry of this key could not be made a short while ago.
///
/// It belongs to the whole key: a new version of the source, or of the pipeline when that is part
/// of the version, is asked for afresh.
#[derive(Clone, Debug)]
pub struct Refusal {
    reason: SharedError,
    until: Instant,
    /// The purges that its source had seen when it was asked for.
    purges: u64,
}

impl Refusal {
    /// Why, as the maker put it.
    pub fn reason(&self) -> &SharedError {
        &self.reason
    }

    /// How long until it is tried again.
    pub fn retry_after(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// The same as an error, for one who has no better answer.
    pub fn to_error(&self) -> Error {
        Error::refused(self.reason.clone(), self.retry_after())
    }
}

/// A bounded table of refusals.
pub(crate) struct Refusals(Cache<Name, (Key, Refusal), BuildNameHasher>);

impl Refusals {
    pub(crate) fn new(max: u64) -> Refusals {
        let table = Cache::builder().max_capacity(max);
        Refusals(table.build_with_hasher(BuildNameHasher::default()))
    }

    pub(crate) fn find(&self, key: &Key, purges: u64) -> Option<Refusal> {
        let (of, refusal) = self.0.get(&key.name())?;
        let holds = of == *key && refusal.purges == purges && refusal.until > Instant::now();
        if !holds {
            self.0.invalidate(&key.name());
            return None;
        }
        Some(refusal)
    }

    pub(crate) fn add(
        &self,
        key: &Key,
        reason: SharedError,
        ttl: Duration,
        purges: u64,
    ) -> Refusal {
        let refusal = Refusal { reason, until: deadline_in(ttl), purges };
        self.0.insert(key.name(), (key.clone(), refusal.clone()));
        refusal
    }
}
