//! mod_python's two session stores, as its source has them, to be measured beside.
//!
//! | | [`DbmSession`] | [`FileSession`] |
//! |---|---|---|
//! | one session | a record of one dbm file | `mp_sess/<first two digits of the id>/<id>` |
//! | lock of the session | one of some stripes, from the load until the request ends | the same |
//! | lock of the store | lock 0, by each load, save, delete and clean-up | none |
//! | load | opens the file, fetches, unpickles, closes | opens, unpickles, and sets the time of change |
//! | save | opens, stores, closes | truncates and writes in place |
//! | clean-up, after about 1 request in 1,000 | unpickles every record under lock 0, then deletes what has expired | stats the files of each of 256 directories; those that are old by their time of change are unpickled and, if they have expired, unlinked; 2 s a pass, then the next one goes on from there |
//!
//! What is to their favour here: Rust encodes and decodes faster than `cPickle`; locks are those of
//! one process, not of many; and the session's lock is returned before a clean-up begins.
//!
//! Times are whole seconds since 1970, by the system's clock and a skew that tests set.

mod common;
mod dbm_session;
mod file_session;
mod session;

pub use common::Common;
pub use dbm_session::DbmSession;
pub use file_session::FileSession;
pub use session::Session;

use std::io;
use std::time::Duration;

/// About one request in so many is followed by a clean-up.
pub const CLEANUP_CHANCE: u64 = 1000;
/// Seconds after which a session expires that nobody has used.
pub const TIMEOUT: u64 = 30 * 60;
/// Seconds that a file is left alone after it has expired.
pub const GRACE: u64 = 240;
/// How long a pass over the files may take.
pub const PASS: Duration = Duration::from_secs(2);
/// A clean-up that has left its lock behind so long ago is over.
const STALE_LOCK: Duration = Duration::from_secs(3600);

/// What a clean-up did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Sessions that were looked at.
    pub seen: usize,
    /// Of these, how many were read and decoded.
    pub unpickled: usize,
    /// Of these, how many had expired.
    pub expired: usize,
    /// Whether the pass ended before all had been looked at.
    pub is_cut: bool,
}

/// Either store, as a program uses it.
pub trait Store: Send + Sync {
    /// Serves one request: loads the session or begins one, lets the program `work` with it under
    /// its lock, saves it if that says so, and now and then cleans up. Tells whether there was one.
    fn request(&self, sid: &str, work: &mut dyn FnMut(&mut Session) -> bool) -> io::Result<bool> {
        let common = self.common();
        let was_there = {
            let _lock = common.lock_session(sid);
            let now = common.now();
            let loaded = self.load(sid)?.filter(|session| !session.has_expired(now, 0));
            let was_there = loaded.is_some();
            let mut session = loaded.unwrap_or_else(|| Session::new(now));
            session.accessed = now;
            if work(&mut session) {
                self.save(sid, &session)?;
            }
            was_there
        };
        if common.is_chosen() {
            self.clean_up()?;
        }
        Ok(was_there)
    }

    /// Reads a session; its lock is held.
    fn load(&self, sid: &str) -> io::Result<Option<Session>>;

    /// Writes a session; its lock is held.
    fn save(&self, sid: &str, session: &Session) -> io::Result<()>;

    /// Ends a session; its lock is held.
    fn delete(&self, sid: &str) -> io::Result<()>;

    /// Cleans up, as some request has to.
    fn clean_up(&self) -> io::Result<Cleaned>;

    /// Puts a session that was last used and saved `age` seconds ago.
    fn plant(&self, sid: &str, age: u64) -> io::Result<()>;

    /// Returns what both have.
    fn common(&self) -> &Common;
}

#[cfg(test)]
fn sid(nth: u64) -> String {
    format!("{:032x}", u128::from(nth).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use tempfile::TempDir;

    fn both(chance: u64) -> Vec<(TempDir, Box<dyn Store>)> {
        let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [dbm, files] = dirs;
        let stores: [Box<dyn Store>; 2] = [
            Box::new(DbmSession::new(dbm.path(), 8, chance)),
            Box::new(FileSession::new(files.path(), 8, chance).unwrap()),
        ];
        [dbm, files].into_iter().zip(stores).collect()
    }

    fn count(session: &mut Session) -> bool {
        let count = session.values.entry("count".to_owned()).or_insert_with(|| "0".to_owned());
        *count = (count.parse::<u64>().unwrap() + 1).to_string();
        true
    }

    #[test]
    fn a_request_loses_what_another_saved() {
        for (_dir, store) in both(7) {
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        (0..100).for_each(|nth| drop(store.request(&sid(nth % 5), &mut count)))
                    });
                }
            });
            for nth in 0..5 {
                let session = store.load(&sid(nth)).unwrap().unwrap();
                assert_eq!(session.values["count"], "80");
            }
        }
    }

    #[test]
    fn a_clean_up_leaves_or_takes_the_wrong_ones() {
        for (_dir, store) in both(0) {
            for nth in 0..300 {
                let age = if nth % 3 == 0 { TIMEOUT + GRACE + 60 } else { 10 };
                store.plant(&sid(nth), age).unwrap();
            }
            let cleaned = store.clean_up().unwrap();
            assert_eq!((cleaned.seen, cleaned.expired, cleaned.is_cut), (300, 100, false));
            for nth in 0..300 {
                assert_eq!(store.load(&sid(nth)).unwrap().is_none(), nth % 3 == 0);
            }
            assert_eq!(store.clean_up().unwrap().expired, 0);
            store.common().skip(2 * TIMEOUT);
            assert!(!store.request(&sid(1), &mut |_| false).unwrap(), "an expired one is used");
            assert_eq!(store.clean_up().unwrap().expired, 200);
        }
    }
}
