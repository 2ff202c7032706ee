//! The return gate: what a connection may not carry over to its next holder.

use std::sync::Arc;

use rusqlite::{Connection, DEFAULT_NAME, Error, TransactionState, ffi};

use super::manager::SqliteManager;
use super::reset;
use super::watch::Watch;
use crate::builder::Builder;
use crate::gate::Returned;
use crate::site::Site;

/// Rolls back an open transaction and resets statements that still run: one holds its snapshot, and
/// so the WAL, even outside a transaction. Refuses a connection that can't be brought to rest. The
/// report says where it was asked for.
pub(super) fn inspect(conn: &mut Connection, site: Option<Site>) -> Returned<Error> {
    if at_rest(conn) {
        return Returned::Clean;
    }
    // First these: SQLite rolls back beside a running reader, but not always beside a writer.
    let running = reset::running_statements(conn);
    let open = !conn.is_autocommit();
    if open && let Err(error) = conn.execute_batch("ROLLBACK") {
        return Returned::Refused(error);
    }
    let (code, what) = match (open, running) {
        (true, 0) => (
            ffi::SQLITE_ABORT_ROLLBACK,
            "came back inside an open transaction, which was rolled back".to_string(),
        ),
        (true, running) => (
            ffi::SQLITE_ABORT_ROLLBACK,
            format!(
                "came back inside an open transaction, which was rolled back, with {running} \
                 statements still running, which were reset"
            ),
        ),
        (false, running) => (
            ffi::SQLITE_BUSY,
            format!("came back with {running} statements still running, which were reset"),
        ),
    };
    let lent = site.map_or_else(String::new, |site| format!(" lent at {site}"));
    let report = report(code, format!("a connection{lent} {what}"));
    if at_rest(conn) { Returned::Mended(report) } else { Returned::Refused(report) }
}

/// Neither inside a transaction nor, by a running statement, on a snapshot. Asks for the state of
/// the whole connection rather than for that of each of its cached statements.
fn at_rest(conn: &Connection) -> bool {
    let state = conn.transaction_state(DEFAULT_NAME);
    conn.is_autocommit() && matches!(state, Ok(TransactionState::None))
}

/// The gate of the writer: what was committed past a `Writer` is told before anybody else has it,
/// and the WAL is bounded. A `Writer` has done both itself.
pub(super) fn telling(
    watch: Arc<Watch>,
) -> impl Fn(&mut Connection, Site) -> Returned<Error> + Send + Sync + 'static {
    move |conn, site| {
        let verdict = inspect(conn, Some(site));
        watch.tell_rest();
        watch.backfill(watch.cut(conn));
        verdict
    }
}

/// Puts `own` after the gate that `builder` has, which would otherwise have taken its place.
pub(super) fn last(
    mut builder: Builder<SqliteManager>,
    own: impl Fn(&mut Connection, Site) -> Returned<Error> + Send + Sync + 'static,
) -> Builder<SqliteManager> {
    match builder.take_return_gate() {
        None => builder.return_gate(own),
        Some(first) => builder.return_gate(move |conn, site| {
            let verdict = first(conn, site);
            both(verdict, own(conn, site))
        }),
    }
}

/// The graver of two verdicts, with the reports of both.
fn both(first: Returned<Error>, second: Returned<Error>) -> Returned<Error> {
    use Returned::{Clean, Mended, Refused};
    match (first, second) {
        (Clean, other) | (other, Clean) => other,
        (Mended(a), Mended(b)) => Mended(join(a, &b)),
        (Mended(a) | Refused(a), Mended(b) | Refused(b)) => Refused(join(a, &b)),
    }
}

fn join(first: Error, second: &Error) -> Error {
    let code = first.sqlite_error().map_or(ffi::SQLITE_ERROR, |error| error.extended_code);
    report(code, format!("{first}; and {second}"))
}

fn report(code: i32, message: String) -> Error {
    Error::SqliteFailure(ffi::Error::new(code), Some(message))
}
