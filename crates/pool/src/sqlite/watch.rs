//! Who is told of commits, and the hooks on the writer's connection that it is told from.
//!
//! Locks: `journal` is taken inside SQLite's callbacks and never across a call into SQLite;
//! `listeners` only to copy the list. No listener is called under either.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::hooks::{AuthContext, Authorization};
use rusqlite::trace::{TraceEvent, TraceEventCodes};

use super::commit::Commit;
use super::governor::Governor;
use super::journal::{Journal, News};
use super::looks::Looks;
use super::text::DATA_VERSION;

type Listener = Arc<dyn Fn(&Commit<'_>) + Send + Sync>;

/// Hears what the writer's connection commits, and tells the listeners.
pub(super) struct Watch {
    journal: Mutex<Journal>,
    listeners: Mutex<Arc<Vec<Listener>>>,
    /// Of the main database's WAL, whose growth also tells that a commit wrote; `None` in memory.
    governor: Option<Governor>,
    looks: Looks,
}

impl Watch {
    pub(super) fn new(governor: Option<Governor>) -> Arc<Self> {
        let (journal, listeners) = (Mutex::default(), Mutex::default());
        Arc::new(Watch { journal, listeners, governor, looks: Looks::never() })
    }

    pub(super) fn governor(&self) -> Option<&Governor> {
        self.governor.as_ref()
    }

    pub(super) fn listen(&self, listener: Listener) {
        let mut listeners = self.listeners.lock();
        let mut longer = Vec::clone(&listeners);
        longer.push(listener);
        *listeners = Arc::new(longer);
    }

    /// Begins to listen to a connection that is set up.
    ///
    /// Not with a rollback hook: SQLite calls it when a connection is closed inside a transaction,
    /// after rusqlite's closure has been freed.
    pub(super) fn hook(self: &Arc<Self>, conn: &mut Connection) -> rusqlite::Result<()> {
        if let Some(governor) = &self.governor {
            governor.meet(conn)?;
        }
        let version = data_version(conn)?;
        // 0 is `main` and 1 is `temp`.
        self.journal.lock().reopen(version, conn.db_name(2).is_ok());
        // Every statement prepared so far expires by it: the authorizer misses none.
        let watch = Arc::clone(self);
        conn.authorizer(Some(move |context: AuthContext<'_>| {
            watch.journal.lock().on_prepare(&context);
            Authorization::Allow
        }))?;
        let watch = Arc::clone(self);
        conn.trace_v2(
            TraceEventCodes::SQLITE_TRACE_STMT,
            Some(move |event: TraceEvent<'_>| watch.on_trace(&event)),
        )?;
        let teller = Teller(Arc::clone(self));
        conn.commit_hook(Some(move || {
            teller.0.journal.lock().on_commit();
            false
        }))?;
        let watch = Arc::clone(self);
        conn.wal_hook(Some(move |wal: &mut rusqlite::hooks::Wal, pages| {
            if wal.name() == c"main" {
                watch.journal.lock().on_wal(u32::try_from(pages).unwrap_or(0));
            }
            Ok(())
        }))
    }

    fn on_trace(&self, event: &TraceEvent<'_>) {
        let TraceEvent::Stmt(statement, text) = event else { return };
        let sql = statement.sql();
        // A trigger that fires: its statement has been noted.
        if text.starts_with("-- TRIGGER ") && !sql.starts_with("-- ") {
            return;
        }
        self.journal.lock().on_run(&sql);
    }

    /// A `Writer` has begun on `conn`. Tells of what other processes have written.
    pub(super) fn begin(&self, conn: &Connection) -> rusqlite::Result<()> {
        let version = data_version(conn)?;
        let news = self.journal.lock().begin(version);
        self.tell(news);
        Ok(())
    }

    /// Commits the transaction of a `Writer`, and tells of it.
    pub(super) fn commit(&self, conn: &Connection) -> rusqlite::Result<()> {
        self.ask_for_pending(conn);
        let earlier = self.journal.lock().before_commit();
        let committed = conn.prepare_cached("COMMIT").and_then(|mut sql| sql.execute([]));
        let mut journal = self.journal.lock();
        if let Err(error) = committed {
            journal.after_failure(earlier);
            return Err(error);
        }
        let news = journal.after_success(earlier, self.governor.is_some());
        drop(journal);
        self.tell(news);
        Ok(())
    }

    /// The transaction of a `Writer` ends without a commit.
    pub(super) fn roll_back(&self) {
        self.journal.lock().roll_back();
    }

    /// Prepares again what ran and was not known, for the authorizer to hear what it writes.
    fn ask_for_pending(&self, conn: &Connection) {
        let pending = self.journal.lock().take_pending();
        for sql in pending {
            self.journal.lock().ask();
            let prepared = conn.prepare(&sql).is_ok();
            self.journal.lock().learn(sql, prepared);
        }
    }

    /// Tells of what was committed otherwise than by a `Writer`.
    pub(super) fn tell_rest(&self) {
        let news = self.journal.lock().tell();
        self.tell(news);
    }

    /// Lets what this connection committed since the last telling go untold.
    pub(super) fn hush(&self) {
        self.journal.lock().hush();
    }

    /// Tells of what other processes have written. True if they did, or may have.
    pub(super) fn check_others(&self, conn: &Connection) -> rusqlite::Result<bool> {
        let version = data_version(conn)?;
        let may_have = self.journal.lock().see(version);
        self.tell_rest();
        Ok(may_have)
    }

    pub(super) fn look_every(&self, every: Duration) {
        self.looks.set(every);
    }

    #[inline]
    pub(super) fn is_look_due(&self) -> bool {
        self.looks.is_due()
    }

    /// With the connection still lent, after a commit: bounds the WAL. Returns its length in pages
    /// if that commit wrote, for `backfill` once the connection is given back.
    pub(super) fn cut(&self, conn: &Connection) -> Option<u32> {
        let governor = self.governor()?;
        let pages = self.journal.lock().take_wal_pages()?;
        governor.cut(conn, pages);
        Some(pages)
    }

    pub(super) fn backfill(&self, pages: Option<u32>) {
        if let (Some(governor), Some(pages)) = (self.governor(), pages) {
            governor.backfill(pages);
        }
    }

    fn tell(&self, news: Option<News>) {
        if let Some(panic) = news.and_then(|news| self.tell_all(&news))
            && !thread::panicking()
        {
            resume_unwind(panic);
        }
    }

    /// Tells every listener, even when one of them panics: whoever misses a commit keeps stale
    /// answers for ever. Returns the first panic.
    fn tell_all(&self, news: &News) -> Option<Box<dyn Any + Send>> {
        let listeners = Arc::clone(&self.listeners.lock());
        let commit =
            Commit { tables: &news.tables, schema_changed: news.schema, unknown: news.unknown };
        let mut first = None;
        for listener in listeners.iter() {
            let told = catch_unwind(AssertUnwindSafe(|| listener(&commit)));
            first = first.or(told.err());
        }
        first
    }
}

/// Lives in a hook of the connection, and so ends with it: by a panicking holder, say, whose
/// connection passes no gate.
struct Teller(Arc<Watch>);

impl Drop for Teller {
    fn drop(&mut self) {
        let news = self.0.journal.lock().tell();
        // Under SQLite's own frames there is nowhere to unwind to.
        let _panic = news.and_then(|news| self.0.tell_all(&news));
    }
}

fn data_version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached(DATA_VERSION)?.query_row([], |row| row.get(0))
}
