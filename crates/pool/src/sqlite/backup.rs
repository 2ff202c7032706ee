//! Copies of a live database.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, Error, ffi};

use super::pool::SqlitePool;

/// Pages copied between two calls of `progress`: a mebibyte, mostly.
const STEP_PAGES: i32 = 256;

impl SqlitePool {
    /// Copies the database, as it is now, to a new file, while readers and the writer go on. (In
    /// memory the writer waits.) The copy has its name only when it is whole and on the disk; a
    /// process killed meanwhile leaves a `.partial` file. No file is overwritten: one that somebody
    /// else makes meanwhile is found at the end (not on a file system without hard links, nor when
    /// it is a journal).
    ///
    /// # Errors
    /// As [`read`](SqlitePool::read); [`is_manager`](crate::Error::is_manager) when there is such a
    /// file already, or a journal that belongs to one, and when it can't be written.
    #[track_caller]
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<(), super::Error> {
        self.backup_with(to, |_, _| {})
    }

    /// Copies the database as [`backup`](SqlitePool::backup) does, and calls `progress` after each
    /// 256 pages with the number of those copied and of all.
    ///
    /// # Errors
    /// As [`backup`](SqlitePool::backup).
    #[track_caller]
    pub fn backup_with(
        &self,
        to: impl AsRef<Path>,
        mut progress: impl FnMut(u32, u32),
    ) -> Result<(), super::Error> {
        let conn = self.read()?;
        let copied = copy(&conn, to.as_ref(), &mut progress);
        copied.map_err(|cause| super::Error::manager("back up", cause))
    }
}

/// Copies the database of `from` to a new file, and calls `progress` with the pages done and all.
fn copy(from: &Connection, to: &Path, progress: &mut dyn FnMut(u32, u32)) -> rusqlite::Result<()> {
    refuse_existing(to)?;
    let partial = Partial::beside(to);
    // One snapshot for all of it: what is committed meanwhile would begin the copy again.
    from.execute_batch("BEGIN; SELECT 1 FROM sqlite_schema")?;
    let copied = write(from, &partial.0, progress);
    from.execute_batch("ROLLBACK")?;
    copied?;
    give_name(&partial.0, to).map_err(|error| failure(to, &error))
}

/// A second name, since that never takes another file's; renaming would.
fn give_name(partial: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(partial, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => fs::rename(partial, to),
        linked => linked,
    }
}

fn write(from: &Connection, to: &Path, progress: &mut dyn FnMut(u32, u32)) -> rusqlite::Result<()> {
    let mut copy = Connection::open(to)?;
    let backup = Backup::new(from, &mut copy)?;
    loop {
        let step = backup.step(STEP_PAGES)?;
        let pages = backup.progress();
        let (left, all) = (pages.remaining as u32, pages.pagecount as u32);
        progress(all.saturating_sub(left), all);
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            // The copy is ours and the snapshot is held: there is nobody to wait for.
            _ => return Err(refusal(ffi::SQLITE_BUSY, "the copy is locked".to_string())),
        }
    }
}

/// Nothing is overwritten. A journal that is left there would be taken for the copy's own.
fn refuse_existing(to: &Path) -> rusqlite::Result<()> {
    for suffix in ["", "-wal", "-journal"] {
        let path = with_suffix(to, suffix);
        if path.symlink_metadata().is_ok() {
            let message = format!("there is a file already: {}", path.display());
            return Err(refusal(ffi::SQLITE_CANTOPEN, message));
        }
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn failure(path: &Path, error: &io::Error) -> Error {
    refusal(ffi::SQLITE_CANTOPEN, format!("{error}: {}", path.display()))
}

fn refusal(code: i32, message: String) -> Error {
    Error::SqliteFailure(ffi::Error::new(code), Some(message))
}

/// A copy that is not whole yet; removed unless it got its name.
struct Partial(PathBuf);

impl Partial {
    fn beside(to: &Path) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let ordinal = NEXT.fetch_add(1, Ordering::Relaxed);
        let suffix = format!(".{}-{ordinal}.partial", std::process::id());
        Partial(with_suffix(to, &suffix))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        for suffix in ["", "-journal"] {
            let _ = fs::remove_file(with_suffix(&self.0, suffix));
        }
    }
}
