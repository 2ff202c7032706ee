//! What each thread is reading, for those who want to free it.
//!
//! A thread that reads writes the pointer to a [`Hazard`] of its own, so no two readers share a
//! line. Whoever has taken a pointer out of circulation frees what it points to when no hazard of
//! any thread holds it. `swap` does both; here are the hazards and the fence between them.
//!
//! # States of a hazard
//!
//! | `reads` | means | written by |
//! |---|---|---|
//! | null | nothing is read | its thread |
//! | a pointer, not yet compared again | nothing: the reader may turn away | its thread |
//! | a pointer, found current after it was written | it must not be freed | its thread |
//!
//! # The fence
//!
//! | reader | freer |
//! |---|---|
//! | writes its hazard | takes the pointer out of circulation |
//! | **fence** | **fence** |
//! | sees that the pointer still circulates | sees no hazard |
//!
//! With a sequentially consistent fence on both sides the last line can be true of one of them at
//! most. The reader's would cost more than the look-up; so on Linux the freer's `membarrier` makes
//! every running thread of the process execute one at that moment, and what is left of the
//! reader's is an order to the compiler. Where the system refuses that, and in the models, readers
//! fence for themselves. Which of the two it is is decided once, before the first hazard is lent.
//!
//! # A thread's hazards
//!
//! They are a chain of [`DEPTH`], for a read within a read: a read takes the first that is null.
//! A thread leases its chain at its first read and returns it when it ends, for the next one:
//! there are as many as there were threads that read at the same time. A deeper read, or one when
//! the thread's storage is already gone, gets none, and has to do without.
//!
//! `CHAINS` is a leaf lock, taken to lease, to return and to look at all hazards.

use crate::sync::{AtomicPtr, Mutex, Ordering, const_thread_local, fence, lock};
use std::cell::Cell;
use std::ptr::null_mut;
use std::sync::atomic::compiler_fence;

/// Reads within reads that a thread can do without a lock.
const DEPTH: usize = if cfg!(loom) { 1 } else { 4 };

/// One pointer that a thread may be reading. Two cache lines, for the prefetcher that fetches
/// them in pairs: another thread reads it only when something is to be freed.
#[repr(align(128))]
pub(crate) struct Hazard {
    reads: AtomicPtr<()>,
    /// The next of its thread.
    next: Option<&'static Hazard>,
    /// Whether freers run the reader's fence for it.
    light: bool,
}

impl Hazard {
    /// Reads a pointer so that it is not freed before [`release`](Hazard::release), if who frees
    /// it takes it out of `current` and looks for it with [`in_use`] after [`heavy_fence`].
    ///
    /// Also tells whether it changed meanwhile. Then the hazard has held one that was not read,
    /// and whoever wanted to free that may have been put off.
    #[inline]
    pub(crate) fn protect<T>(&self, current: &AtomicPtr<T>) -> (*mut T, bool) {
        let mut seen = current.load(Ordering::Relaxed);
        let mut moved = false;
        loop {
            // Release: partner of the Acquire in `in_use`. Whoever sees this pointer instead of
            // an earlier one has to see the earlier reads as done.
            self.reads.store(seen.cast(), Ordering::Release);
            self.fence();
            // Acquire: partner of the Release with which `current` was written.
            let now = current.load(Ordering::Acquire);
            if now == seen {
                return (seen, moved);
            }
            (seen, moved) = (now, true);
        }
    }

    /// Ends the read. What the caller loads after it is ordered after it as by the fence above.
    #[inline]
    pub(crate) fn release(&self) {
        // Release: partner of the Acquire in `in_use`. All reads are done before the hazard
        // is seen to be null.
        self.reads.store(null_mut(), Ordering::Release);
        self.fence();
    }

    /// Tells whether it holds nothing; its thread alone asks.
    #[inline]
    fn is_idle(&self) -> bool {
        // Relaxed: this thread alone writes it.
        self.reads.load(Ordering::Relaxed).is_null()
    }

    #[inline]
    fn fence(&self) {
        if self.light {
            compiler_fence(Ordering::SeqCst);
        } else {
            // SeqCst: partner of `heavy_fence`.
            fence(Ordering::SeqCst);
        }
    }
}

const_thread_local! {
    /// This thread's hazards, once they are leased. It has no destructor, so it outlives all that
    /// has.
    static MINE: Cell<Option<&'static Hazard>> = Cell::new(None);
}

const_thread_local! {
    /// What returns them.
    static LEASE: Lease = Lease { chain: Cell::new(None) };
}

/// Returns a hazard of this thread that holds nothing, if there is one.
///
/// It is the same one until the caller has it hold something.
#[inline]
pub(crate) fn idle() -> Option<&'static Hazard> {
    match MINE.with(Cell::get) {
        Some(hazard) if hazard.is_idle() => Some(hazard),
        mine => idle_below(mine),
    }
}

/// The first read of a thread, or one within a read.
#[cold]
fn idle_below(mine: Option<&'static Hazard>) -> Option<&'static Hazard> {
    let mut next = mine.or_else(lease);
    while let Some(hazard) = next.filter(|hazard| !hazard.is_idle()) {
        next = hazard.next;
    }
    next
}

/// The hazards of a thread that has none yet; none if its storage is gone.
fn lease() -> Option<&'static Hazard> {
    let lease = |lease: &Lease| {
        let chain = lease_chain();
        lease.chain.set(Some(chain));
        MINE.with(|mine| mine.set(Some(chain)));
        chain
    };
    LEASE.try_with(lease).ok()
}

struct Lease {
    chain: Cell<Option<&'static Hazard>>,
}

impl Drop for Lease {
    /// The thread ends: its hazards are for the next.
    fn drop(&mut self) {
        if MINE.try_with(|mine| mine.set(None)).is_err() {
            // The models' thread-locals, and with them all chains, go before this one.
            return;
        }
        // Those in use are not returned: `exit` may be called within a read, and then this runs
        // within it too.
        if let Some(chain) = self.chain.get().filter(|chain| chain.is_idle()) {
            lock(&CHAINS).free.push(chain);
        }
    }
}

/// All chains there are, by their first hazards.
struct Chains {
    all: Vec<&'static Hazard>,
    /// Those whose thread has ended.
    free: Vec<&'static Hazard>,
}

impl Chains {
    const fn new() -> Self {
        Chains { all: Vec::new(), free: Vec::new() }
    }
}

#[cfg(not(loom))]
static CHAINS: Mutex<Chains> = Mutex::new(Chains::new());

#[cfg(loom)]
loom::lazy_static! {
    static ref CHAINS: Mutex<Chains> = Mutex::new(Chains::new());
}

fn lease_chain() -> &'static Hazard {
    let light = membarrier::is_registered();
    let mut chains = lock(&CHAINS);
    if let Some(chain) = chains.free.pop() {
        return chain;
    }
    let below = (1..DEPTH).fold(None, |next, _| Some(make(next, light)));
    let chain = make(below, light);
    chains.all.push(chain);
    chain
}

/// Hazards are never freed, so that `&'static` is true: the next thread has them.
fn make(next: Option<&'static Hazard>, light: bool) -> &'static Hazard {
    Box::leak(Box::new(Hazard { reads: AtomicPtr::new(null_mut()), next, light }))
}

/// What all threads read at this moment, and perhaps more.
pub(crate) fn in_use() -> Vec<*mut ()> {
    let mut reads = Vec::new();
    for chain in &lock(&CHAINS).all {
        let mut next = Some(*chain);
        while let Some(hazard) = next {
            // Acquire: partner of the Release stores in `protect` and `release`.
            reads.push(hazard.reads.load(Ordering::Acquire));
            next = hazard.next;
        }
    }
    reads
}

/// The freer's fence, between taking a pointer out of circulation and asking who reads it.
/// `false` says that it could not be made, and nothing may be freed.
#[must_use]
pub(crate) fn heavy_fence() -> bool {
    // SeqCst: partner of `Hazard::fence`; and an order to the compiler, on both sides of the call.
    fence(Ordering::SeqCst);
    let made = !membarrier::is_registered() || membarrier::run();
    fence(Ordering::SeqCst);
    made
}

/// The system's help: a fence on every processor that runs a thread of this process.
#[cfg(all(target_os = "linux", not(loom)))]
mod membarrier {
    use rustix::thread::{MembarrierCommand, membarrier};
    use std::sync::OnceLock;

    static REGISTERED: OnceLock<bool> = OnceLock::new();

    /// Tells whether the process may use it; the same answer for as long as the process lives.
    pub(super) fn is_registered() -> bool {
        let register = || membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok() && run();
        *REGISTERED.get_or_init(register)
    }

    pub(super) fn run() -> bool {
        membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    }
}

/// No help: readers fence for themselves.
#[cfg(not(all(target_os = "linux", not(loom))))]
mod membarrier {
    pub(super) fn is_registered() -> bool {
        false
    }

    pub(super) fn run() -> bool {
        true
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{CHAINS, DEPTH, idle, lock};
    use crate::sync::AtomicPtr;
    use std::ptr::null_mut;
    use std::thread;

    /// Takes hazards until there is none, and gives them back.
    fn take_all() -> usize {
        let mut read = 7;
        let current = AtomicPtr::new(&raw mut read);
        let taken: Vec<_> = std::iter::from_fn(|| {
            let hazard = idle()?;
            assert_ne!(hazard.protect(&current).0, null_mut());
            Some(hazard)
        })
        .collect();
        taken.iter().for_each(|hazard| hazard.release());
        taken.len()
    }

    #[test]
    fn short_lived_threads_never_grow_the_list() {
        for _ in 0..3000 {
            let taken = thread::spawn(|| [take_all(), take_all()]).join().unwrap();
            assert_eq!(taken, [DEPTH; 2], "a thread has one whole chain");
        }
        // As many as threads that read at the same time: here one, and the other tests' few.
        assert!(lock(&CHAINS).all.len() < 100);
    }
}
