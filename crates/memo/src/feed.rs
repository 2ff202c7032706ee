//! Bumps from elsewhere: a pool's commits, a database's notifications, a file that changed.

use crate::tables::Tables;
use std::fmt;

/// A source of changes that [`Tables::follow`] connects.
///
/// Whoever knows what changed need not know memos: any function that hands the [`Bumps`] on to a
/// hook of its own is a feed. Given a writer with a hook that is called after each commit, two
/// lines join them:
///
/// ```
/// # use std::cell::RefCell;
/// # #[derive(Default)]
/// # struct Writer { hook: RefCell<Option<Box<dyn Fn(&Commit)>>> }
/// # struct Commit { tables: Vec<String> }
/// # impl Commit {
/// #     fn tables(&self) -> impl Iterator<Item = &str> { self.tables.iter().map(String::as_str) }
/// # }
/// # impl Writer {
/// #     fn on_commit(&self, hook: impl Fn(&Commit) + Send + Sync + 'static) {
/// #         *self.hook.borrow_mut() = Some(Box::new(hook));
/// #     }
/// #     fn update(&self, table: &str) {
/// #         let commit = Commit { tables: vec![table.to_owned()] };
/// #         self.hook.borrow().as_ref().unwrap()(&commit);
/// #     }
/// # }
/// use larder_memo::{Bumps, Memo, Tables};
///
/// let writer = Writer::default();
/// let tables = Tables::new();
/// let titles: Memo<u64, String> = Memo::builder(100).depends_on(&tables, ["photos"]).build();
///
/// tables.follow(|bumps: Bumps| writer.on_commit(move |commit| bumps.bump_all(commit.tables())));
///
/// titles.insert(7, "Dawn".to_owned());
/// writer.update("photos");
/// assert_eq!(titles.get(&7), None);
/// ```
///
/// A feed has to report each change *after* it is committed and *before* the writer is told of
/// its success; then a writer that reads again finds what it wrote. A feed that may have missed
/// something, say a connection that was lost and is back, calls [`Bumps::bump_every`].
pub trait ChangeFeed {
    /// What keeps the feed connected, if it must be kept: `()` if not.
    type Subscription;

    /// Starts to report changes.
    fn subscribe(self, bumps: Bumps) -> Self::Subscription;
}

impl<F: FnOnce(Bumps) -> S, S> ChangeFeed for F {
    type Subscription = S;

    fn subscribe(self, bumps: Bumps) -> S {
        self(bumps)
    }
}

impl Tables {
    /// Connects a source of changes, and returns what keeps it connected.
    pub fn follow<F: ChangeFeed>(&self, feed: F) -> F::Subscription {
        feed.subscribe(Bumps { tables: self.clone() })
    }
}

/// The end of the [`Tables`] that a [`ChangeFeed`] holds.
///
/// It reports what is committed: its bumps take effect at once, on whatever thread and inside
/// whatever [`Transaction`](crate::Transaction), and no rollback concerns them.
#[derive(Clone)]
pub struct Bumps {
    tables: Tables,
}

impl Bumps {
    /// Makes stale what was computed from this table.
    pub fn bump(&self, table: &str) {
        self.tables.raise_all([table]);
    }

    /// Makes stale what was computed from any of these tables.
    pub fn bump_all<T: AsRef<str>>(&self, tables: impl IntoIterator<Item = T>) {
        self.tables.raise_all(tables);
    }

    /// Makes stale what was computed from any table of the set: for a change of unknown extent.
    pub fn bump_every(&self) {
        self.tables.raise_every();
    }
}

impl fmt::Debug for Bumps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bumps").field("tables", &self.tables).finish()
    }
}
