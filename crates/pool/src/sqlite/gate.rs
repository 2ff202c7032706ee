//! The return gate: what a connection may not carry over to its next holder.

use rusqlite::{Connection, Error, ffi};

use crate::gate::Returned;

/// Rolls back an open transaction; refuses a connection that can't be, or that has a statement
/// stepped and not reset: it holds its snapshot, and so the WAL, even outside a transaction.
pub(super) fn inspect(conn: &mut Connection) -> Returned<Error> {
    let mut verdict = Returned::Clean;
    if !conn.is_autocommit() {
        verdict = match conn.execute_batch("ROLLBACK") {
            Ok(()) => Returned::Mended(report(
                ffi::SQLITE_ABORT_ROLLBACK,
                "a connection came back inside an open transaction, which was rolled back",
            )),
            Err(error) => return Returned::Refused(error),
        };
    }
    if conn.is_busy() {
        return Returned::Refused(report(
            ffi::SQLITE_BUSY,
            "a connection came back with a statement still running, and was closed",
        ));
    }
    verdict
}

fn report(code: i32, message: &str) -> Error {
    Error::SqliteFailure(ffi::Error::new(code), Some(message.into()))
}
