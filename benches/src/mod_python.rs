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

use crate::sdbm::Sdbm;
use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// What a session holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// When it began.
    pub created: u64,
    /// When it was last used.
    pub accessed: u64,
    /// After how many seconds it expires.
    pub timeout: u64,
    /// What the program put there.
    pub values: BTreeMap<String, String>,
}

impl Session {
    /// Begins one with the default time-out.
    pub fn new(now: u64) -> Self {
        Session { created: now, accessed: now, timeout: TIMEOUT, values: BTreeMap::new() }
    }

    /// Encodes it, for `cPickle`.
    pub fn pickle(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        for number in [self.created, self.accessed, self.timeout, self.values.len() as u64] {
            bytes.extend(number.to_le_bytes());
        }
        for text in self.values.iter().flat_map(|(key, value)| [key, value]) {
            bytes.extend((text.len() as u64).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes
    }

    /// Decodes one; none if it is torn.
    pub fn unpickle(mut bytes: &[u8]) -> Option<Self> {
        let number = |bytes: &mut &[u8]| {
            let (first, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            Some(u64::from_le_bytes(*first))
        };
        let [created, accessed, timeout, pairs] = {
            let mut next = || number(&mut bytes);
            [next()?, next()?, next()?, next()?]
        };
        let mut text = || {
            let length = usize::try_from(number(&mut bytes)?).ok()?;
            let (text, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            String::from_utf8(text.to_vec()).ok()
        };
        let mut values = BTreeMap::new();
        for _ in 0..pairs {
            values.insert(text()?, text()?);
        }
        bytes.is_empty().then_some(Session { created, accessed, timeout, values })
    }

    fn has_expired(&self, now: u64, grace: u64) -> bool {
        now.saturating_sub(self.accessed) > self.timeout + grace
    }
}

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

/// Locks, time and chance.
pub struct Common {
    /// Lock 0 is the store's, the others are the sessions'.
    locks: Vec<Mutex<()>>,
    hasher: RandomState,
    requests: AtomicU64,
    chance: u64,
    skew: AtomicU64,
}

impl Common {
    /// `locks` is how many there are in all; mod_python's build picks from 8 to 32, or one.
    fn new(locks: usize, chance: u64) -> Self {
        assert!(locks > 1, "the store's lock, and those of sessions");
        Common {
            locks: (0..locks).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
            requests: AtomicU64::new(0),
            chance,
            skew: AtomicU64::new(0),
        }
    }

    /// Returns the present time in seconds.
    pub fn now(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        now.as_secs() + self.skew.load(Ordering::Relaxed)
    }

    /// Lets so many seconds pass at once.
    pub fn skip(&self, seconds: u64) {
        self.skew.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Takes the lock of a session, and of all that share it.
    pub fn lock_session(&self, sid: &str) -> MutexGuard<'_, ()> {
        let stripes = self.locks.len() as u64 - 1;
        self.lock(1 + (self.hasher.hash_one(sid) % stripes) as usize)
    }

    fn lock(&self, nth: usize) -> MutexGuard<'_, ()> {
        self.locks[nth].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Throws the dice (SplitMix64), with the same result in each run.
    fn is_chosen(&self) -> bool {
        let nth = self.requests.fetch_add(1, Ordering::Relaxed);
        let state = nth.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        self.chance > 0 && (mixed ^ (mixed >> 31)).is_multiple_of(self.chance)
    }
}

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
    use super::*;
    use std::sync::atomic::AtomicUsize;
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

    fn sid(nth: u64) -> String {
        format!("{:032x}", u128::from(nth).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
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
    fn a_session_is_torn_unnoticed() {
        let mut session = Session::new(7);
        session.values.insert("name".to_owned(), "Ann".to_owned());
        let record = session.pickle();
        assert_eq!(Session::unpickle(&record), Some(session));
        for cut in 0..record.len() {
            assert_eq!(Session::unpickle(&record[..cut]), None);
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

    #[test]
    fn clean_ups_are_not_by_chance() {
        let common = Common::new(2, CLEANUP_CHANCE);
        let chosen = (0..100_000).filter(|_| common.is_chosen()).count();
        assert!((50..200).contains(&chosen), "{chosen} of 100,000");
        let never = Common::new(2, 0);
        assert!((0..10_000).all(|_| !never.is_chosen()));
    }

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
