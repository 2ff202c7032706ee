//! Which tables a transaction writes to, told from what SQLite lets one overhear.
//!
//! No hook of SQLite's tells all of it. The update hook misses tables `WITHOUT ROWID`, virtual ones
//! and a `DELETE` without a condition; the authorizer hears of every table that a statement may
//! write (by triggers, foreign keys and `REPLACE`, too), but only when the statement is *prepared*,
//! which a cached one is once. So the authorizer is asked what a text of SQL writes, the answer is
//! kept by the text, and the trace says which texts have run:
//!
//! | what happens                               | what the transaction has touched then          |
//! |--------------------------------------------|------------------------------------------------|
//! | a statement is prepared, or prepared again | what it writes, run or not                     |
//! | a text runs whose tables are known         | these                                          |
//! | a text runs that is not known              | asked before `COMMIT`, by preparing it again   |
//! | that fails, or there are too many          | all tables that this connection ever prepared for |
//! | a setting changes before they are asked    | the same                                       |
//! | a savepoint is rolled back                 | what it had                                    |
//!
//! What a text writes changes with the schema. A change by this connection runs as a text that
//! forgets all answers; one by another process shows in `data_version` at `BEGIN`. In either case
//! SQLite itself prepares cached statements again before they run, and the authorizer hears that.
//!
//! All this holds between the `BEGIN` and the `COMMIT` of a [`Writer`](super::Writer). A commit
//! made on the writer's connection in any other way touches, for each statement that may write,
//! all tables that the connection ever prepared for.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::hooks::{AuthAction, AuthContext};

use super::text::{Kind, kind};
use super::touched::{Name, Names, Touched};

/// Texts whose tables are remembered: far more than a connection caches statements.
const MOST_TEXTS: usize = 1024;
/// Texts a transaction may leave to be asked before its `COMMIT`.
const MOST_PENDING: usize = 16;
/// A longer text is neither remembered nor asked for again.
const LONGEST_TEXT_BYTES: usize = 16 << 10;

/// What the listeners are to be told.
pub(super) struct News {
    pub(super) tables: Vec<Arc<str>>,
    pub(super) schema: bool,
    pub(super) unknown: bool,
}

/// What was overheard from one connection. All under the lock of the `Watch`, which nobody but the
/// connection's own thread asks for, save when it is being told.
#[derive(Default)]
pub(super) struct Journal {
    names: Names,
    /// What a text of SQL writes, under the present schema.
    texts: HashMap<Box<str>, Box<[Name]>>,
    /// The transaction that is open.
    current: Touched,
    /// What ran in it and is not in `texts`.
    pending: Vec<Box<str>>,
    /// While one of these is being asked for: its tables.
    asked: Option<Touched>,
    /// What has been committed and not been told.
    done: Touched,
    /// Between the `BEGIN` and the end of a `Writer`.
    in_writer: bool,
    /// Since the last telling, a commit has written pages to the WAL.
    wrote: bool,
    /// How long the WAL is since the last commit that wrote to it, in pages.
    wal_pages: Option<u32>,
    /// Other databases may be attached: what is said of the WAL and of `data_version` is of `main`.
    pub(super) attached: bool,
    /// As last read; `None` before.
    data_version: Option<i64>,
}

impl Journal {
    /// A new connection: what the old one had prepared and left open is gone. Nor can it be told
    /// what other processes wrote from then to now.
    pub(super) fn reopen(&mut self, data_version: i64, attached: bool) {
        let is_first = self.data_version.is_none();
        *self = Journal { data_version: Some(data_version), attached, ..Journal::default() };
        self.done.unknown = !is_first;
    }

    /// Begins a transaction of a `Writer`; tells what had been left untold.
    pub(super) fn begin(&mut self, data_version: i64) -> Option<News> {
        self.drop_current();
        self.see(data_version);
        self.in_writer = true;
        if self.attached {
            self.texts.clear();
        }
        self.tell()
    }

    /// True when another process has written since the last look, or when that is not known and
    /// not told.
    pub(super) fn see(&mut self, data_version: i64) -> bool {
        if self.data_version.replace(data_version) != Some(data_version) {
            self.texts.clear();
            self.done.unknown = true;
        }
        self.done.unknown
    }

    fn drop_current(&mut self) {
        self.current.clear();
        self.pending.clear();
    }

    /// The authorizer: a statement is being prepared.
    pub(super) fn on_prepare(&mut self, context: &AuthContext<'_>) {
        if context.database_name == Some("temp") {
            return;
        }
        match context.action {
            AuthAction::Insert { table_name }
            | AuthAction::Update { table_name, .. }
            | AuthAction::Delete { table_name } => self.on_target(table_name),
            AuthAction::CreateTable { table_name }
            | AuthAction::DropTable { table_name }
            | AuthAction::CreateVtable { table_name, .. }
            | AuthAction::DropVtable { table_name, .. }
            | AuthAction::AlterTable { table_name, .. } => {
                self.under_way().schema = true;
                self.on_target(table_name);
            }
            AuthAction::Attach { .. } => self.attached = true,
            _ => {}
        }
    }

    fn under_way(&mut self) -> &mut Touched {
        self.asked.as_mut().unwrap_or(&mut self.current)
    }

    fn on_target(&mut self, table: &str) {
        match table {
            "sqlite_master" | "sqlite_schema" => self.under_way().schema = true,
            "sqlite_temp_master" | "sqlite_temp_schema" => {}
            table => {
                let name = self.names.ordinal(table);
                self.under_way().add(name);
            }
        }
    }

    /// The trace: a statement starts to run.
    pub(super) fn on_run(&mut self, sql: &str) {
        match kind(sql) {
            Kind::Reads => {}
            Kind::Writes if self.in_writer => self.on_write(sql),
            Kind::Writes => self.current.all = true,
            Kind::Alters => {
                self.forget_texts();
                self.current.schema = true;
            }
            Kind::Else => self.forget_texts(),
            Kind::Unclear => {
                self.forget_texts();
                (self.current.all, self.current.schema) = (true, true);
            }
        }
    }

    /// What texts do changes from here on. Asked now, one that has run could say less than it did.
    fn forget_texts(&mut self) {
        self.texts.clear();
        self.current.all |= !self.pending.is_empty();
    }

    fn on_write(&mut self, sql: &str) {
        if let Some(names) = self.texts.get(sql) {
            names.iter().for_each(|&name| self.current.add(Some(name)));
        } else if self.pending.iter().all(|pending| **pending != *sql) {
            if self.pending.len() == MOST_PENDING || sql.len() > LONGEST_TEXT_BYTES {
                self.current.all = true;
            } else {
                self.pending.push(sql.into());
            }
        }
    }

    /// Before `COMMIT`: the texts whose tables are to be asked for.
    pub(super) fn take_pending(&mut self) -> Vec<Box<str>> {
        std::mem::take(&mut self.pending)
    }

    /// Listens for the tables of one text, until `learn`.
    pub(super) fn ask(&mut self) {
        self.asked = Some(Touched::default());
    }

    /// Keeps what was overheard since `ask`, if the text could be prepared at all.
    pub(super) fn learn(&mut self, sql: Box<str>, prepared: bool) {
        let mut asked = self.asked.take().unwrap_or_default();
        if !prepared {
            self.current.all = true;
            return;
        }
        if !asked.schema && !asked.unknown {
            if self.texts.len() >= MOST_TEXTS {
                self.texts.clear();
            }
            self.texts.insert(sql, asked.names.as_slice().into());
        }
        self.current.merge(&mut asked);
    }

    /// The commit hook: a commit is under way. It may fail yet; whoever asked for it knows.
    pub(super) fn on_commit(&mut self) {
        if !self.pending.is_empty() {
            self.pending.clear();
            self.current.all = true;
        }
        self.in_writer = false;
        self.done.merge(&mut self.current);
    }

    /// A transaction ends without a commit. Where nobody says so, what it had touched is told with
    /// the next.
    pub(super) fn roll_back(&mut self) {
        self.in_writer = false;
        self.drop_current();
    }

    /// The WAL hook: a commit has written, and the WAL is so long now.
    pub(super) fn on_wal(&mut self, pages: u32) {
        self.wrote = true;
        self.wal_pages = Some(pages);
    }

    /// Sets aside what earlier commits left untold, so that the next one can fail by itself.
    pub(super) fn before_commit(&mut self) -> Earlier {
        Earlier(std::mem::take(&mut self.done))
    }

    /// The `COMMIT` of a `Writer` failed, and all that it would have done is undone.
    pub(super) fn after_failure(&mut self, earlier: Earlier) {
        self.texts.clear();
        self.done = earlier.0;
    }

    /// The `COMMIT` of a `Writer` has succeeded; `silent` when one that wrote nothing can be told
    /// by its having added nothing to the WAL.
    pub(super) fn after_success(&mut self, mut earlier: Earlier, has_wal: bool) -> Option<News> {
        if has_wal && !self.attached && !self.wrote {
            self.done.clear();
        }
        self.done.merge(&mut earlier.0);
        self.tell()
    }

    /// Takes what has been committed and not been told.
    pub(super) fn tell(&mut self) -> Option<News> {
        let wrote = std::mem::take(&mut self.wrote);
        let mut done = std::mem::take(&mut self.done);
        // Pages were written, and no statement that we know of did it.
        done.unknown |= wrote && done.is_empty();
        if done.is_empty() {
            return None;
        }
        let tables = self.names.name_all(&done);
        Some(News { tables, schema: done.schema, unknown: done.unknown })
    }

    /// Forgets what this connection committed: nobody's answers depend on it. What others may have
    /// done is not forgotten.
    pub(super) fn hush(&mut self) {
        let unknown = self.done.unknown;
        self.wrote = false;
        self.done.clear();
        self.done.unknown = unknown;
        self.drop_current();
    }

    pub(super) fn take_wal_pages(&mut self) -> Option<u32> {
        self.wal_pages.take()
    }
}

/// What earlier commits had left untold.
pub(super) struct Earlier(Touched);
