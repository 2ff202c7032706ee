//! All sessions in one dbm file, under one lock.

use super::common::Common;
use super::{Cleaned, Session, Store};
use crate::sdbm::Sdbm;
use std::io;
use std::path::{Path, PathBuf};

/// All sessions in one dbm file.
pub struct DbmSession {
    file: PathBuf,
    common: Common,
}

impl DbmSession {
    /// Keeps sessions in a directory, with so many locks; cleans up after one request in `chance`,
    /// or never by itself if that is 0.
    pub fn new(dir: &Path, locks: usize, chance: u64) -> Self {
        DbmSession { file: dir.join("mp_sess.dbm"), common: Common::new(locks, chance) }
    }

    /// Opens the file under lock 0 for one call.
    fn with<R>(&self, work: impl FnOnce(&Sdbm) -> io::Result<R>) -> io::Result<R> {
        let _lock = self.common.lock(0);
        work(&Sdbm::open(&self.file)?)
    }
}

impl Store for DbmSession {
    fn load(&self, sid: &str) -> io::Result<Option<Session>> {
        let record =
            |db: &Sdbm| Ok(db.fetch(sid.as_bytes())?.and_then(|record| Session::unpickle(&record)));
        self.with(record)
    }

    fn save(&self, sid: &str, session: &Session) -> io::Result<()> {
        self.with(|db| db.store(sid.as_bytes(), &session.pickle()))
    }

    fn delete(&self, sid: &str) -> io::Result<()> {
        self.with(|db| db.delete(sid.as_bytes()).map(drop))
    }

    fn clean_up(&self) -> io::Result<Cleaned> {
        self.with(|db| {
            let now = self.common.now();
            let (mut seen, mut old) = (0, Vec::new());
            db.for_each(|key, record| {
                seen += 1;
                if Session::unpickle(record).is_none_or(|session| session.has_expired(now, 0)) {
                    old.push(key.to_vec());
                }
            })?;
            for key in &old {
                db.delete(key)?;
            }
            Ok(Cleaned { seen, unpickled: seen, expired: old.len(), is_cut: false })
        })
    }

    fn plant(&self, sid: &str, age: u64) -> io::Result<()> {
        self.save(sid, &Session::new(self.common.now().saturating_sub(age)))
    }

    fn common(&self) -> &Common {
        &self.common
    }
}

#[cfg(test)]
mod tests {
    use super::super::sid;
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    /// What the store's one lock does: nobody loads while it cleans up.
    #[test]
    fn a_load_goes_past_lock_0() {
        let dir = tempfile::tempdir().unwrap();
        let store = DbmSession::new(dir.path(), 8, 0);
        store.plant(&sid(1), 0).unwrap();
        let loads = AtomicUsize::new(0);
        thread::scope(|scope| {
            let lock = store.common.lock(0);
            scope.spawn(|| {
                store.load(&sid(1)).unwrap();
                loads.store(1, Ordering::SeqCst);
            });
            (0..1000).for_each(|_| thread::yield_now());
            assert_eq!(loads.load(Ordering::SeqCst), 0);
            drop(lock);
        });
        assert_eq!(loads.into_inner(), 1);
    }
}
