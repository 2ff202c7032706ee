//! Negative entries: what cannot be made, remembered for a while, in memory and on disk.
//!
//! On disk a refusal is a file like that of an entry, beside those of its source, whose key ends in
//! the version of the pipeline and whose body is `until 8 | ttl 8 | the reason's text`, both in
//! nanoseconds, little endian, the first since 1970. It is verified, evicted and purged as entries
//! are. One that has run out is removed when it is met.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::sync::Cache;

use crate::entry::now_ns;
use crate::error::{Error, SharedError};
use crate::flight::deadline_in;
use crate::key::{BuildNameHasher, Key, Name};

/// Of the reason's text; what follows is cut off.
const LONGEST_REASON: usize = 1024;

/// The entry of this key could not be made a short while ago.
///
/// It belongs to the whole key and to the version of the [pipeline](crate::Limits::pipeline): a new
/// version of either is tried afresh.
#[derive(Clone, Debug)]
pub struct Refusal {
    reason: SharedError,
    until: Instant,
    /// The purges that its source had seen when it was asked for.
    purges: u64,
}

impl Refusal {
    pub(crate) fn new(reason: SharedError, ttl: Duration, purges: u64) -> Refusal {
        Refusal { reason, until: deadline_in(ttl), purges }
    }

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

    pub(crate) fn add(&self, key: &Key, refusal: Refusal) {
        self.0.insert(key.name(), (key.clone(), refusal));
    }
}

/// A reason that was read back: the text is all that a file keeps of an error.
#[derive(Debug)]
struct Remembered(String);

impl fmt::Display for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Remembered {}

/// The body of the file that keeps a refusal.
pub(crate) fn encode(reason: &SharedError, ttl: Duration) -> Vec<u8> {
    let ttl_ns = u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX);
    let text = reason.to_string();
    let mut body = Vec::with_capacity(16 + text.len());
    body.extend_from_slice(&now_ns().saturating_add(ttl_ns).to_le_bytes());
    body.extend_from_slice(&ttl_ns.to_le_bytes());
    body.extend_from_slice(&text.as_bytes()[..text.floor_char_boundary(LONGEST_REASON)]);
    body
}

/// Reads a refusal back; `None` if it has run out. A clock that was set back does not prolong it
/// past its whole time.
pub(crate) fn decode(body: &[u8], purges: u64) -> Option<Refusal> {
    let (until, rest) = body.split_first_chunk::<8>()?;
    let (ttl, text) = rest.split_first_chunk::<8>()?;
    let left = u64::from_le_bytes(*until).checked_sub(now_ns()).filter(|left| *left > 0)?;
    let left = Duration::from_nanos(left.min(u64::from_le_bytes(*ttl)));
    let reason = Remembered(String::from_utf8_lossy(text).into_owned());
    Some(Refusal::new(Arc::new(reason), left, purges))
}
