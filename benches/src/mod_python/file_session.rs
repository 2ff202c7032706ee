//! A file for each session, and a clean-up that looks at all of them.

use super::common::Common;
use super::{Cleaned, GRACE, PASS, STALE_LOCK, Session, Store, TIMEOUT};
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A file for each session.
pub struct FileSession {
    dir: PathBuf,
    common: Common,
    pass: Duration,
}

impl FileSession {
    /// Keeps sessions in a directory, with so many locks; cleans up after one request in `chance`,
    /// or never by itself if that is 0.
    pub fn new(dir: &Path, locks: usize, chance: u64) -> io::Result<Self> {
        let dir = dir.join("mp_sess");
        fs::create_dir_all(&dir)?;
        Ok(FileSession { dir, common: Common::new(locks, chance), pass: PASS })
    }

    fn file(&self, sid: &str) -> PathBuf {
        self.dir.join(sid.get(..2).unwrap_or(sid)).join(sid)
    }

    /// A pass over the directories from where the last one stopped.
    fn pass(&self) -> io::Result<Cleaned> {
        let status = self.dir.join("fs_status.txt");
        let next = fs::read_to_string(&status).ok().and_then(|text| text.trim().parse().ok());
        let mut cleaned = Cleaned::default();
        let start = Instant::now();
        for nth in next.unwrap_or(0)..256_u32 {
            self.clean_directory(&self.dir.join(format!("{nth:02x}")), &mut cleaned)?;
            if nth < 255 && start.elapsed() >= self.pass {
                cleaned.is_cut = true;
                fs::write(&status, (nth + 1).to_string())?;
                return Ok(cleaned);
            }
        }
        fs::write(&status, "0")?;
        Ok(cleaned)
    }

    fn clean_directory(&self, dir: &Path, cleaned: &mut Cleaned) -> io::Result<()> {
        let names = match fs::read_dir(dir) {
            Ok(names) => names.collect::<io::Result<Vec<_>>>()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for name in names {
            cleaned.seen += 1;
            let file = name.path();
            // Another request may have ended it: then it is none of ours.
            let Ok(changed) = fs::metadata(&file).and_then(|meta| meta.modified()) else {
                continue;
            };
            let changed = changed.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let now = self.common.now();
            if now.saturating_sub(changed) < TIMEOUT + GRACE {
                continue;
            }
            let Ok(record) = fs::read(&file) else { continue };
            cleaned.unpickled += 1;
            if Session::unpickle(&record).is_some_and(|session| session.has_expired(now, GRACE)) {
                cleaned.expired += usize::from(fs::remove_file(&file).is_ok());
            }
        }
        Ok(())
    }
}

impl Store for FileSession {
    fn load(&self, sid: &str) -> io::Result<Option<Session>> {
        let path = self.file(sid);
        let record = match fs::read(&path) {
            Ok(record) => record,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let session = Session::unpickle(&record);
        if session.as_ref().is_some_and(|session| !session.has_expired(self.common.now(), 0)) {
            // So that no clean-up unlinks it before it is saved.
            set_changed(&path, SystemTime::now())?;
        }
        Ok(session)
    }

    fn save(&self, sid: &str, session: &Session) -> io::Result<()> {
        let path = self.file(sid);
        let mut file = match File::create(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(path.parent().unwrap_or(&self.dir))?;
                File::create(&path)?
            }
            opened => opened?,
        };
        file.write_all(&session.pickle())
    }

    fn delete(&self, sid: &str) -> io::Result<()> {
        match fs::remove_file(self.file(sid)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn clean_up(&self) -> io::Result<Cleaned> {
        let lock = self.dir.join(".mp_sess.lck");
        if let Err(error) = OpenOptions::new().write(true).create_new(true).open(&lock) {
            let age = fs::metadata(&lock).and_then(|meta| meta.modified()).map(|at| at.elapsed());
            if matches!(age, Ok(Ok(age)) if age > STALE_LOCK) {
                fs::remove_file(&lock)?;
            }
            // Another request is at it.
            let is_held = error.kind() == io::ErrorKind::AlreadyExists;
            return if is_held { Ok(Cleaned::default()) } else { Err(error) };
        }
        let cleaned = self.pass();
        fs::remove_file(&lock)?;
        cleaned
    }

    fn plant(&self, sid: &str, age: u64) -> io::Result<()> {
        let then = self.common.now().saturating_sub(age);
        self.save(sid, &Session::new(then))?;
        set_changed(&self.file(sid), UNIX_EPOCH + Duration::from_secs(then))
    }

    fn common(&self) -> &Common {
        &self.common
    }
}

fn set_changed(path: &Path, at: SystemTime) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_times(FileTimes::new().set_modified(at))
}

#[cfg(test)]
mod tests {
    use super::super::sid;
    use super::*;

    #[test]
    fn a_file_that_only_looks_old_is_unlinked() {
        let dir = tempfile::tempdir().unwrap();
        let store = FileSession::new(dir.path(), 8, 0).unwrap();
        store.plant(&sid(1), 2 * TIMEOUT).unwrap();
        let mut session = Session::new(store.common.now());
        session.timeout = TIMEOUT;
        store.save(&sid(1), &session).unwrap();
        set_changed(&store.file(&sid(1)), UNIX_EPOCH).unwrap();
        let cleaned = store.clean_up().unwrap();
        assert_eq!((cleaned.unpickled, cleaned.expired), (1, 0), "it is read, and stays");
    }

    #[test]
    fn a_cut_pass_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = FileSession::new(dir.path(), 8, 0).unwrap();
        (0..1000).for_each(|nth| store.plant(&sid(nth), 2 * TIMEOUT).unwrap());
        store.pass = Duration::ZERO;
        let (mut passes, mut expired) = (0, 0);
        loop {
            passes += 1;
            let cleaned = store.clean_up().unwrap();
            expired += cleaned.expired;
            if !cleaned.is_cut {
                break;
            }
        }
        assert_eq!((passes, expired), (256, 1000), "a directory a pass");
    }

    #[test]
    fn two_passes_run_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = FileSession::new(dir.path(), 8, 0).unwrap();
        store.plant(&sid(1), 2 * TIMEOUT).unwrap();
        let lock = dir.path().join("mp_sess/.mp_sess.lck");
        fs::write(&lock, "").unwrap();
        assert_eq!(store.clean_up().unwrap(), Cleaned::default());
        set_changed(&lock, UNIX_EPOCH).unwrap();
        assert_eq!(store.clean_up().unwrap(), Cleaned::default(), "it takes the lock away");
        assert_eq!(store.clean_up().unwrap().expired, 1);
    }
}
