//! What a cache may use: the bounds of [`FileCache::open`](crate::FileCache::open).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::faults::{Fault, OnFault};

/// The bounds of a cache, each with a default that suits thumbnails on a shared machine.
///
/// ```
/// use larder_files::Limits;
/// let limits = Limits::new().max_bytes(4 << 30).open_descriptors(2048);
/// ```
#[derive(Clone)]
pub struct Limits {
    pub(crate) max_bytes: u64,
    pub(crate) max_files: usize,
    pub(crate) max_entry_bytes: u64,
    pub(crate) open_descriptors: u64,
    pub(crate) max_refusals: u64,
    pub(crate) pipeline: Arc<[u8]>,
    pub(crate) max_waiters: usize,
    pub(crate) wait: Duration,
    pub(crate) touch_every: Duration,
    pub(crate) verify_up_to: u64,
    pub(crate) scan_per_second: u32,
    pub(crate) recount_every: Duration,
    pub(crate) on_fault: Option<OnFault>,
}

impl Limits {
    /// The defaults, each named at its setter.
    pub fn new() -> Limits {
        Limits {
            max_bytes: 1 << 30,
            max_files: 1_000_000,
            max_entry_bytes: 256 << 20,
            open_descriptors: 1024,
            max_refusals: 10_000,
            pipeline: Arc::default(),
            max_waiters: 4096,
            wait: Duration::from_secs(30),
            touch_every: Duration::from_secs(3600),
            verify_up_to: 1 << 20,
            scan_per_second: 20_000,
            recount_every: Duration::from_secs(3600),
            on_fault: None,
        }
    }

    /// Bytes of entries on disk, each file rounded up to blocks of 4 KiB. Default 1 GiB.
    ///
    /// Drafts are within it: what a maker writes goes to the disk in steps of 256 KiB, and each
    /// step is given room first, by evicting what was not used for longest. When makers at work
    /// have all the room there is, the next step goes to memory, up to
    /// [`max_entry_bytes`](Limits::max_entry_bytes), and the entry to disk only if there is room
    /// when it is complete. Processes that share a directory know of each other's drafts as of
    /// each other's files, and of those only when they are published.
    ///
    /// # Panics
    /// If less than 4,096.
    pub fn max_bytes(mut self, bytes: u64) -> Limits {
        assert!(bytes >= 4096, "max_bytes is {bytes}: less than one block of 4096");
        self.max_bytes = bytes;
        self
    }

    /// Files on disk, each of which costs about 130 bytes of memory. Default 1,000,000. The empty
    /// draft of one who is making an entry, and has written no more than 256 KiB of it, is beside it.
    ///
    /// # Panics
    /// If 0.
    pub fn max_files(mut self, files: usize) -> Limits {
        assert!(files > 0, "max_files is 0");
        self.max_files = files;
        self
    }

    /// The longest entry that may be streamed through a writer, and so the most that one entry may
    /// take in memory while the disk cannot have it. Default 256 MiB; never more than `max_bytes`.
    ///
    /// # Panics
    /// If 0.
    pub fn max_entry_bytes(mut self, bytes: u64) -> Limits {
        assert!(bytes > 0, "max_entry_bytes is 0");
        self.max_entry_bytes = bytes;
        self
    }

    /// Descriptors kept open for hot entries, each of which weighs one. Default 1,024; never more
    /// than a quarter of what the process may open. 0 keeps none, and every hit is a cold one.
    pub fn open_descriptors(mut self, count: u64) -> Limits {
        self.open_descriptors = count;
        self
    }

    /// Refusals remembered in memory; those on disk are files, bounded as all files are. Default
    /// 10,000; 0 remembers none, in memory or on disk.
    pub fn max_refusals(mut self, count: u64) -> Limits {
        self.max_refusals = count;
        self
    }

    /// Names the version of the code that makes entries, for the sake of
    /// [refusals](crate::Lease::refuse): what one version could not make, the next one tries again
    /// at once, while the entries that could be made stay. Default empty.
    ///
    /// A pipeline that makes different entries belongs into the version of their
    /// [keys](crate::Key::new), and then does the same for refusals.
    pub fn pipeline(mut self, version: impl AsRef<[u8]>) -> Limits {
        self.pipeline = version.as_ref().into();
        self
    }

    /// Waiters for one entry beyond which the next is told so at once. Default 4,096.
    ///
    /// # Panics
    /// If 0.
    pub fn max_waiters(mut self, count: usize) -> Limits {
        assert!(count > 0, "max_waiters is 0");
        self.max_waiters = count;
        self
    }

    /// How long `get_or_make` waits for another who makes the same entry, and how long another
    /// process may hold an entry before it is made without it. Default 30 s.
    pub fn wait(mut self, wait: Duration) -> Limits {
        self.wait = wait;
        self
    }

    /// How stale the recency of a file on disk may be: a file in use has its mtime set at most
    /// this often, by a cold hit, or within a minute of a hot one by the background thread, which
    /// looks once a second at most. Default one hour.
    pub fn touch_every(mut self, interval: Duration) -> Limits {
        self.touch_every = interval;
        self
    }

    /// Bodies up to this length are summed at every cold hit; longer ones only if the machine has
    /// started since they were written. Default 1 MiB. See the crate's page for why this suffices.
    pub fn verify_up_to(mut self, bytes: u64) -> Limits {
        self.verify_up_to = bytes;
        self
    }

    /// Files, or directories if these are more, that the background count looks at in a second.
    /// Default 20,000.
    ///
    /// # Panics
    /// If 0.
    pub fn scan_per_second(mut self, files: u32) -> Limits {
        assert!(files > 0, "scan_per_second is 0");
        self.scan_per_second = files;
        self
    }

    /// How often files are counted anew, to learn of what other processes have added and removed.
    /// Default one hour.
    ///
    /// # Panics
    /// If 0.
    pub fn recount_every(mut self, interval: Duration) -> Limits {
        assert!(!interval.is_zero(), "recount_every is 0");
        self.recount_every = interval;
        self
    }

    /// Called with the first fault of each kind, on the thread that met it. Later ones of the kind
    /// are only counted. Default: none is told, all are in the statistics.
    pub fn on_fault(mut self, report: impl Fn(&Fault) + Send + Sync + 'static) -> Limits {
        self.on_fault = Some(Arc::new(report));
        self
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::new()
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("max_bytes", &self.max_bytes)
            .field("max_files", &self.max_files)
            .field("max_entry_bytes", &self.max_entry_bytes)
            .field("open_descriptors", &self.open_descriptors)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
