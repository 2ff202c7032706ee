//! Statements that a holder left running. Unsafe: rusqlite gives no way to
//! a statement but its own guard, and that guard was forgotten (`mem::forget`, a leaked iterator).
//!
//! Closing the connection instead would not do: SQLite refuses to close one that has statements,
//! so that its snapshot would stay for as long as the process, and no checkpoint could pass it.

#![allow(unsafe_code)]

use rusqlite::{Connection, ffi};

/// Resets every statement of `conn` that was stepped and is not done. Returns how many.
pub(super) fn running_statements(conn: &mut Connection) -> usize {
    let mut reset = 0;
    // SAFETY: the handle is open for as long as `conn` is, and is used here alone: `conn` is
    // borrowed exclusively, and it is no longer lent when the gate calls this, so that nobody is
    // inside a call to SQLite with it.
    let db = unsafe { conn.handle() };
    let mut statement = std::ptr::null_mut();
    loop {
        // SAFETY: `db` is open; `statement` is null, or a statement of it that the last turn got
        // from here, and resetting does not finalize.
        statement = unsafe { ffi::sqlite3_next_stmt(db, statement) };
        if statement.is_null() {
            return reset;
        }
        // SAFETY: a statement of `db` that is not finalized, since SQLite still lists it. Whoever
        // forgot its guard can't step it again: the guard borrowed from the lent connection.
        // Resetting is also what the guard would have done first.
        unsafe {
            if ffi::sqlite3_stmt_busy(statement) != 0 {
                ffi::sqlite3_reset(statement);
                reset += 1;
            }
        }
    }
}
