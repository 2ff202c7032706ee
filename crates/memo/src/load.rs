//! What a loader may say of the value that it is loading.

use crate::entry::Sources;
use crate::tables::{Epochs, Version, add_once};
use crate::transaction::Watch;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::Duration;

/// A load in progress, as its loader sees it.
///
/// [`Memo::get_or_load_with`](crate::Memo::get_or_load_with) and its kin hand it to the loader,
/// which learns only from the row what becomes of the value:
///
/// ```
/// use larder_memo::{Memo, Tables};
/// use std::time::Duration;
///
/// let tables = Tables::new();
/// let pages: Memo<u64, String> = Memo::builder(100).tables(&tables).build();
///
/// let page = pages.get_or_load_with(&1, |load| {
///     load.depends_on("articles").expires_in(Duration::from_secs(60));
///     "an article".to_owned()
/// });
/// assert_eq!(page, "an article");
/// tables.bump("articles");
/// assert_eq!(pages.get(&1), None);
/// ```
pub struct Load<'m> {
    epochs: &'m Epochs,
    versions: RefCell<Vec<Version>>,
    expires_in: Cell<Option<Duration>>,
    is_kept: Cell<bool>,
    watch: Watch,
}

/// What a loader has said, and how it ran.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) sources: Sources,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) is_kept: bool,
    /// Whether anyone but the caller may have it: no transaction of the tables began meanwhile.
    pub(crate) is_shared: bool,
}

impl<'m> Load<'m> {
    pub(crate) fn new(epochs: &'m Epochs) -> Self {
        Load {
            epochs,
            versions: RefCell::default(),
            expires_in: Cell::new(None),
            is_kept: Cell::new(true),
            watch: epochs.watch(),
        }
    }

    /// Makes the value depend on a table, beside those that the whole memo depends on.
    ///
    /// It may be named before the table is read or after it: a bump since the load began makes
    /// the value stale in either case. Each hit of the value reads the version of each of its
    /// tables: name a handful at most. Naming one again costs the hits nothing.
    ///
    /// # Panics
    ///
    /// When the memo knows no tables: see [`Builder::tables`](crate::Builder::tables).
    pub fn depends_on(&self, table: &str) -> &Self {
        let Some(version) = self.epochs.version(table) else {
            panic!("a load depends on table {table:?}, but its memo was built without tables");
        };
        add_once(&mut self.versions.borrow_mut(), version);
        self
    }

    /// Sets how long this value is served, in place of the memo's
    /// [`ttl`](crate::Builder::ttl), counted from when the load began.
    ///
    /// A negative entry lives no longer than the memo's [`negative`](crate::Builder::negative)
    /// allows. Zero keeps the value for nobody but those who are waiting for it.
    pub fn expires_in(&self, life: Duration) -> &Self {
        self.expires_in.set(Some(life));
        self
    }

    /// Gives the value to the caller and those who are waiting for it, and keeps nothing.
    pub fn do_not_keep(&self) -> &Self {
        self.is_kept.set(false);
        self
    }

    pub(crate) fn into_terms(self) -> Terms {
        let expires_in = self.expires_in.get();
        Terms {
            sources: Sources::new(self.versions.into_inner()),
            expires_in,
            is_kept: self.is_kept.get() && expires_in != Some(Duration::ZERO),
            is_shared: !self.watch.saw_scope(),
        }
    }
}

impl fmt::Debug for Load<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load")
            .field("expires_in", &self.expires_in.get())
            .field("is_kept", &self.is_kept.get())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Load;
    use crate::tables::{Epochs, Tables};

    #[test]
    fn a_table_that_is_named_again_is_read_once() {
        let tables = Tables::new();
        let versions = ["a", "b", "a"].map(|name| tables.version(name)).into();
        let epochs = Epochs::new(Some(tables), versions);
        assert_eq!(epochs.reads(), 2);
        let load = Load::new(&epochs);
        for name in ["a", "c"].repeat(50) {
            load.depends_on(name);
        }
        assert_eq!(load.versions.borrow().len(), 2);
    }
}
