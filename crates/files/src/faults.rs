//! What the disk refused: counted always, reported once a kind.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Something that the disk did not do. The caller still had its answer.
#[derive(Clone, Debug)]
pub struct Fault {
    operation: &'static str,
    path: PathBuf,
    error: Arc<io::Error>,
}

impl Fault {
    /// What was tried, as a verb: `create`, `write`, `publish`, `open`, `read`, `evict`,
    /// `remove`, `list`.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The file or directory it was tried on.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the system said.
    pub fn error(&self) -> &io::Error {
        &self.error
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.operation, self.path.display(), self.error)
    }
}

/// Told of the first fault of each kind.
pub(crate) type OnFault = Arc<dyn Fn(&Fault) + Send + Sync>;

pub(crate) struct Faults {
    /// Every fault, by whoever met it.
    count: AtomicU64,
    /// What has been reported, and the last fault; under the lock.
    seen: Mutex<Seen>,
    report: Option<OnFault>,
}

#[derive(Default)]
struct Seen {
    reported: HashSet<(&'static str, io::ErrorKind)>,
    last: Option<Fault>,
}

impl Faults {
    pub(crate) fn new(report: Option<OnFault>) -> Faults {
        Faults { count: AtomicU64::new(0), seen: Mutex::default(), report }
    }

    /// Counts a fault and reports it if it is the first of its kind. Called under no lock.
    pub(crate) fn note(&self, operation: &'static str, path: &Path, error: io::Error) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let kind = (operation, error.kind());
        let fault = Fault { operation, path: path.into(), error: Arc::new(error) };
        let first = {
            let mut seen = self.seen.lock();
            seen.last = Some(fault.clone());
            seen.reported.insert(kind)
        };
        if let (true, Some(report)) = (first, &self.report) {
            // A reporter that panics must not cost the answer that the fault did not cost.
            let _ = catch_unwind(AssertUnwindSafe(|| report(&fault)));
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn last(&self) -> Option<Fault> {
        self.seen.lock().last.clone()
    }
}
