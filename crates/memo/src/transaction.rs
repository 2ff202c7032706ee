//! Bumps that wait for a commit, and reads that go past the memos until then.
//!
//! | a scope is | its bumps | memos that depend on its tables, on its thread | ends by |
//! |---|---|---|---|
//! | open | wait in its queue | are bypassed | `commit`, drop |
//! | over, by commit | went to the scope around it, or were applied | answer again | |
//! | over, by drop | are gone | answer again | |
//! | taken along | as those of the scope around it that ended first | answer again | |
//!
//! A load that began before the scope on the same thread, because its loader opened it, has passed
//! the question whether it is inside one. A `Watch` asks for it when the load ends.
//!
//! Scopes are of one thread and no other ever touches them: the stack is thread-local, without a
//! lock. No user code runs while it is borrowed.

use crate::sync::const_thread_local;
use crate::tables::Tables;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

const_thread_local! {
    /// How many scopes are open: all that a hit looks at, nearly always. It has no destructor, so
    /// that reading it costs no check.
    static OPEN: Cell<usize> = Cell::new(0);
}

const_thread_local! {
    /// The open scopes of this thread, the innermost last.
    static SCOPES: RefCell<Vec<Scope>> = RefCell::new(Vec::new());
}

const_thread_local! {
    /// The id of the next scope.
    static NEXT: Cell<u64> = Cell::new(0);
}

const_thread_local! {
    /// The loads in progress on this thread, the innermost last: the address of their tables, and
    /// whether a scope of these was opened since the load began.
    static WATCHES: RefCell<Vec<(usize, bool)>> = RefCell::new(Vec::new());
}

struct Scope {
    id: u64,
    tables: Tables,
    queue: Queue,
}

/// Bumps in waiting; one of each table at most.
#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) tables: BTreeSet<String>,
    pub(crate) every: bool,
}

impl Queue {
    pub(crate) fn add(&mut self, table: &str) {
        if !self.tables.contains(table) {
            self.tables.insert(table.to_owned());
        }
    }

    fn append(&mut self, inner: &Queue) {
        inner.tables.iter().for_each(|table| self.add(table));
        self.every |= inner.every;
    }
}

/// A change in progress, on this thread: its bumps wait for the commit.
///
/// Made by [`Tables::transaction`]. While it is open, whatever depends on its tables is bypassed
/// on this thread: a look-up finds nothing, a load runs its loader, and its value is neither kept
/// nor shared. So the transaction reads its own uncommitted rows, and nobody else does. Other
/// threads are served as before, since for them nothing has changed yet.
///
/// A loader may open scopes of its own. What it brings then is for its caller alone too, whether
/// they are over by then or not: those who wait load for themselves. A loader that opens one each
/// time is never memoised.
///
/// [`StaticMemo`](crate::StaticMemo), [`BoundedMemo`](crate::BoundedMemo) and memos that were built
/// without tables know nothing of scopes, and are not bypassed: load nothing into them that the
/// scope has changed.
///
/// [`invalidate`](crate::Memo::invalidate) knows no scopes. It acts at once, and other threads may
/// load the old row again before the commit: call it after that.
///
/// A scope inside another passes its bumps on to that one when it commits. If the outer one ends
/// first, it takes the inner one along.
///
/// ```
/// use larder_memo::{Memo, Tables};
///
/// let tables = Tables::new();
/// let titles: Memo<u64, String> = Memo::builder(100).depends_on(&tables, ["photos"]).build();
/// titles.insert(7, "Dawn".to_owned());
///
/// let change = tables.transaction();
/// // UPDATE photos SET title = 'Dusk' WHERE id = 7
/// change.bump("photos");
/// assert_eq!(titles.get(&7), None, "this thread asks the database");
/// drop(change); // ROLLBACK
/// assert_eq!(titles.get(&7).as_deref(), Some("Dawn"), "nothing has happened");
///
/// let change = tables.transaction();
/// change.bump("photos");
/// // COMMIT, and only then:
/// change.commit();
/// assert_eq!(titles.get(&7), None);
/// ```
/// A scope stays on its thread:
///
/// ```compile_fail
/// let change = larder_memo::Tables::new().transaction();
/// std::thread::spawn(move || change.commit());
/// ```
#[must_use = "a scope that is dropped at once is rolled back at once"]
pub struct Transaction {
    id: u64,
    tables: Tables,
    /// The scope is on the stack of this thread.
    stays: PhantomData<*const ()>,
}

impl Tables {
    /// Opens a scope on this thread, whose bumps wait for its commit.
    ///
    /// Dropping it, as a panic or an early return does, rolls it back.
    pub fn transaction(&self) -> Transaction {
        let id = NEXT.with(|next| next.replace(next.get() + 1));
        let scope = Scope { id, tables: self.clone(), queue: Queue::default() };
        SCOPES.with(|scopes| scopes.borrow_mut().push(scope));
        OPEN.with(|open| open.set(open.get() + 1));
        tell_watches(self);
        Transaction { id, tables: self.clone(), stays: PhantomData }
    }
}

impl Transaction {
    /// Queues the bump of a table.
    pub fn bump(&self, table: &str) {
        if !self.queue(|queue| queue.add(table)) {
            self.tables.bump(table);
        }
    }

    /// Queues the bumps of several tables.
    pub fn bump_all<T: AsRef<str>>(&self, tables: impl IntoIterator<Item = T>) {
        tables.into_iter().for_each(|table| self.bump(table.as_ref()));
    }

    /// Queues the bump of every table of the set: for a change of unknown extent.
    pub fn bump_every(&self) {
        if !self.queue(|queue| queue.every = true) {
            self.tables.bump_every();
        }
    }

    /// Applies the bumps, or passes them on to the scope around this one.
    ///
    /// Call it when the database has committed: a load that begins after the bump but before the
    /// commit would bring the old rows back to stay.
    pub fn commit(self) {
        let queue = self.end();
        if !within(&self.tables, |around| around.append(&queue)) {
            self.tables.apply(&queue);
        }
    }

    /// Drops the bumps, as dropping the scope does.
    pub fn rollback(self) {}

    /// Changes the queue of this scope, or else tells that it was taken along.
    fn queue(&self, change: impl FnOnce(&mut Queue)) -> bool {
        SCOPES.with(|scopes| {
            let mut scopes = scopes.borrow_mut();
            let scope = scopes.iter_mut().find(|scope| scope.id == self.id);
            scope.map(|scope| change(&mut scope.queue)).is_some()
        })
    }

    /// Takes the scope off the stack, with those of its tables that were opened inside it and
    /// are not over; returns what waited in them. All of it is empty when it is over already.
    fn end(&self) -> Queue {
        let mut ended = Queue::default();
        // At the end of the thread the stack may be gone before the scope: with all it held.
        let _ = SCOPES.try_with(|scopes| {
            let mut scopes = scopes.borrow_mut();
            let Some(at) = scopes.iter().position(|scope| scope.id == self.id) else { return };
            let inside = |scope: &mut Scope| scope.tables.is(&self.tables);
            for scope in scopes.extract_if(at.., inside) {
                ended.append(&scope.queue);
            }
            OPEN.with(|open| open.set(scopes.len()));
        });
        ended
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("tables", &self.tables).finish_non_exhaustive()
    }
}

/// Changes the queue of the innermost scope of these tables that is open on this thread; tells
/// whether there is one.
#[inline]
pub(crate) fn within(tables: &Tables, change: impl FnOnce(&mut Queue)) -> bool {
    OPEN.with(Cell::get) != 0 && within_innermost(tables, change)
}

#[cold]
fn within_innermost(tables: &Tables, change: impl FnOnce(&mut Queue)) -> bool {
    let innermost = |scopes: &RefCell<Vec<Scope>>| {
        let mut scopes = scopes.borrow_mut();
        let scope = scopes.iter_mut().rfind(|scope| scope.tables.is(tables));
        scope.map(|scope| change(&mut scope.queue)).is_some()
    };
    SCOPES.try_with(innermost).unwrap_or(false)
}

/// Notes, for one load, whether a scope of its tables is opened on its thread while it runs: what
/// it brings may then be of rows that are never committed, even if the scope is over.
pub(crate) struct Watch {
    /// The place among the watches of the thread; none when its storage is gone.
    at: Option<usize>,
}

impl Watch {
    pub(crate) fn begin(tables: &Tables) -> Watch {
        let at = WATCHES.try_with(|watches| {
            let mut watches = watches.borrow_mut();
            watches.push((tables.address(), false));
            watches.len() - 1
        });
        Watch { at: at.ok() }
    }

    /// Tells whether there was one, or there may have been.
    pub(crate) fn saw_scope(&self) -> bool {
        let saw = |at: usize| WATCHES.try_with(|watches| watches.borrow()[at].1).ok();
        self.at.and_then(saw).unwrap_or(true)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Loads end in the reverse order of their beginning.
        let end = |at| WATCHES.try_with(|watches| watches.borrow_mut().truncate(at));
        self.at.map(end);
    }
}

fn tell_watches(tables: &Tables) {
    let address = tables.address();
    // Without the storage there is no watch, and each load takes it that there was a scope.
    let _ = WATCHES.try_with(|watches| {
        let mut watches = watches.borrow_mut();
        watches.iter_mut().filter(|watch| watch.0 == address).for_each(|watch| watch.1 = true);
    });
}
