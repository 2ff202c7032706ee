//! Sessions in files: several processes on one directory, and no lock for readers.
//!
//! ```text
//! root/larder-sessions     says that this directory is one of ours
//! root/users.lock          held by each process: shared, or by one alone
//! root/sessions/           a shelf of sessions, by the hashes of their ids
//! root/accounts/           a shelf of accounts, by the hashes of their users
//! ```

mod bucket;
mod copies;
mod generations;
mod held;
#[cfg(all(test, loom))]
mod models;
mod pass;
mod private;
mod search;
mod shelf;
mod stripes;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::account::Account;
use crate::error::Error;
use crate::id::{Handle, user_name};
use crate::record::Record;
use crate::store::{Census, Cleaned, Store, Swap, TRIES};
use copies::Copies;
use private::{make_private, open_private, write_private};
use search::Beneath;
use shelf::{Found, Shelf};

const MARKER: &str = "larder-sessions";
const FORMAT_LINE: &str = "larder sessions 1";

/// Sessions in files, a file a session.
///
/// A check is answered from a copy in memory, which is known to be what is on disk by one `pread` of
/// eight bytes: what another process has changed or revoked is seen by the next check here, not a
/// while later. Nothing is synced: what was acknowledged survives the death of the process, not of
/// the machine. That may lose what the file system had not written yet (on ext4 up to half a minute):
/// a session that was saved in that time may be gone as a whole, since a file that is torn is passed
/// over, and one that was revoked in it may be there again.
///
/// The processes are one user's: nobody else reads or writes what is made here.
///
/// Files that are deleted by hand are noticed at their next touch. What is none of ours is passed over
/// and counted, and is neither read nor removed unless it lies among what has expired. Who restores
/// files of a backup restores the sessions that were revoked since.
///
/// Clocks may differ by as much as sessions may end early or late. Of a process whose clock is further
/// ahead (hours, with some 200 spans of a sixteenth of the idle time-out in use) the others may not
/// find the sessions; they can revoke them, and their own are found and stored as before.
pub struct FileStore {
    sessions: Shelf,
    accounts: Shelf,
    copies: Copies,
    /// Keeps the lock on the directory.
    _user: File,
}

/// The settings of a [`FileStore`]: [`FileStore::at`].
#[derive(Clone, Debug)]
pub struct FileSettings {
    dir: PathBuf,
    copies: usize,
    is_alone: bool,
    wait: Duration,
}

impl FileSettings {
    /// How many sessions are kept in memory too, beside the files: of those whose values have up to
    /// 4 KiB, so that the default are 256 MiB at most. 0 keeps none. Default 65,536.
    ///
    /// # Panics
    /// When above 16,777,216.
    pub fn copies(mut self, copies: usize) -> FileSettings {
        assert!(copies <= 1 << 24, "{copies} copies: at most 16777216");
        self.copies = copies;
        self
    }

    /// Has the directory for this process alone: a check of a copy in memory then makes no system
    /// call, and a write takes no lock on a file. Another process that opens it is refused. Default:
    /// shared.
    pub fn alone(mut self) -> FileSettings {
        self.is_alone = true;
        self
    }

    /// How long a writer waits for another at most. Default 5 seconds.
    pub fn lock_wait(mut self, wait: Duration) -> FileSettings {
        self.wait = wait;
        self
    }

    /// Opens the directory, or makes it. However many files there are, none is looked at.
    ///
    /// # Errors
    /// [`is_not_ours`](Error::is_not_ours) when it holds something else;
    /// [`is_in_use`](Error::is_in_use) when another process has it and one of the two wants it
    /// alone; [`is_store`](Error::is_store) when it can't be made or opened.
    pub fn open(self) -> Result<FileStore, Error> {
        let root =
            std::path::absolute(&self.dir).map_err(|e| Error::io("resolve", &self.dir, e))?;
        claim(&root)?;
        let user = lock(&root, self.is_alone)?;
        let shelf = |name, is_ours| Shelf::open(root.join(name), is_ours, self.is_alone, self.wait);
        Ok(FileStore {
            sessions: shelf("sessions", Record::is_framed)?,
            accounts: shelf("accounts", Account::is_framed)?,
            copies: Copies::new(self.copies),
            _user: user,
        })
    }
}

/// Claims the directory, or recognises it as claimed.
fn claim(root: &Path) -> Result<(), Error> {
    make_private(root).map_err(|e| Error::io("create", root, e))?;
    let marker = root.join(MARKER);
    match fs::read_to_string(&marker) {
        Ok(text) if text.is_empty() || text.lines().next() == Some(FORMAT_LINE) => {}
        Ok(_) => return Err(Error::not_ours(root, "its marker names another format")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let mut content = fs::read_dir(root).map_err(|e| Error::io("list", root, e))?;
            // A marker that has appeared since is another process's claim, as good as ours.
            if content.next().is_some() && !marker.exists() {
                return Err(Error::not_ours(root, "it has other content and no marker"));
            }
        }
        Err(e) => return Err(Error::io("read", &marker, e)),
    }
    let written = write_private(&marker, &format!("{FORMAT_LINE}\n"));
    written.map_err(|e| Error::io("write", &marker, e))
}

fn lock(root: &Path, is_alone: bool) -> Result<File, Error> {
    let path = root.join("users.lock");
    let file = open_private(&path).map_err(|e| Error::io("open", &path, e))?;
    let locked = if is_alone { file.try_lock() } else { file.try_lock_shared() };
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) if is_alone => Err(Error::in_use(root, "wanted alone")),
        Err(TryLockError::WouldBlock) => Err(Error::in_use(root, "wanted")),
        Err(TryLockError::Error(e)) => Err(Error::io("lock", &path, e)),
    }
}

impl FileStore {
    /// Starts the settings of a store in this directory.
    pub fn at(dir: impl AsRef<Path>) -> FileSettings {
        FileSettings {
            dir: dir.as_ref().into(),
            copies: 65_536,
            is_alone: false,
            wait: Duration::from_secs(5),
        }
    }

    /// Opens a store in this directory with the default settings.
    ///
    /// # Errors
    /// As [`FileSettings::open`].
    pub fn open(dir: impl AsRef<Path>) -> Result<FileStore, Error> {
        FileStore::at(dir).open()
    }

    /// The copy of a session, if it is what is on disk at this moment.
    fn copy(&self, name: u128) -> Option<arc_swap::Guard<Option<Arc<copies::Copy>>>> {
        let copy = self.copies.get(name)?;
        let is_good = copy.as_ref().map(|copy| copy.generation) == self.sessions.generation(name);
        is_good.then_some(copy)
    }

    /// What was found, if it is a session, live or not.
    fn decode(&self, name: u128, found: &Found) -> Option<Arc<Record>> {
        let record = Record::decode(&found.bytes, found.bucket.end_s.saturating_mul(1000));
        if record.is_none() {
            found.bucket.note_spoiled(name);
        }
        record.map(Arc::new)
    }

    /// What was found, if it is a session and live; a copy is kept of it.
    fn accept(&self, name: u128, found: &Found, now_ms: u64) -> Option<Arc<Record>> {
        let record = self.decode(name, found).filter(|record| record.is_live(now_ms))?;
        if let Some(generation) = found.generation {
            self.copies.put(name, generation, Arc::clone(&record), now_ms);
        }
        Some(record)
    }

    fn load_cold(&self, name: u128, now_ms: u64) -> Result<Option<Arc<Record>>, Error> {
        let found = match self.copies.is_off() {
            true => self.sessions.read_once(name, now_ms)?,
            false => self.sessions.read(name, now_ms)?,
        };
        Ok(found.and_then(|found| self.accept(name, &found, now_ms)))
    }

    /// The end of the bucket of a session. What only names the session that it went on as is in
    /// buckets of its own, by the odd seconds, so that sessions are counted by their names' number.
    fn end_s(&self, record: &Record) -> u64 {
        let end_s = self.sessions.end_s(record.expires_ms());
        end_s + u64::from(record.successor.is_some())
    }

    fn keep(&self, name: u128, generation: u64, record: Record, now_ms: u64) -> Arc<Record> {
        let end_s = self.end_s(&record);
        let record = Arc::new(record.with_expires_ms(end_s.saturating_mul(1000)));
        self.copies.put(name, generation, Arc::clone(&record), now_ms);
        record
    }
}

impl Store for FileStore {
    fn prepare(&self, idle: Duration, absolute: Duration) {
        self.sessions.prepare(idle);
        self.accounts.prepare(absolute);
    }

    fn load(&self, handle: Handle, now_ms: u64) -> Result<Option<Arc<Record>>, Error> {
        match self.copy(handle.number()).as_deref() {
            Some(Some(copy)) => Ok(copy.record.is_live(now_ms).then(|| Arc::clone(&copy.record))),
            _ => self.load_cold(handle.number(), now_ms),
        }
    }

    fn peek(
        &self,
        handle: Handle,
        now_ms: u64,
        look: &mut dyn FnMut(&Record),
    ) -> Result<bool, Error> {
        if let Some(Some(copy)) = self.copy(handle.number()).as_deref() {
            let is_live = copy.record.is_live(now_ms);
            if is_live {
                look(&copy.record);
            }
            return Ok(is_live);
        }
        let found = self.load_cold(handle.number(), now_ms)?;
        found.iter().for_each(|record| look(record));
        Ok(found.is_some())
    }

    fn create(&self, handle: Handle, record: Record, now_ms: u64) -> Result<(), Error> {
        let name = handle.number();
        self.sessions.tell(now_ms);
        let held = self.sessions.lock(name)?;
        let published = held.publish(&record.encode(), None, self.end_s(&record))?;
        let gone = || self.sessions.failed("write to", io::ErrorKind::NotFound.into());
        self.keep(name, published.ok_or_else(gone)?, record, now_ms);
        Ok(())
    }

    fn save(
        &self,
        handle: Handle,
        expected: u64,
        record: Record,
        now_ms: u64,
    ) -> Result<Swap, Error> {
        let name = handle.number();
        let bytes = record.encode();
        let held = self.sessions.lock(name)?;
        let Some(found) = held.find(now_ms)? else { return Ok(Swap::Gone) };
        match self.accept(name, &found, now_ms) {
            None => return Ok(Swap::Gone),
            Some(now) if now.version != expected => return Ok(Swap::Moved(now)),
            Some(_) => {}
        }
        Ok(match held.publish(&bytes, Some(&found.bucket), self.end_s(&record))? {
            Some(generation) => Swap::Stored(self.keep(name, generation, record, now_ms)),
            None => Swap::Gone,
        })
    }

    fn touch(&self, handle: Handle, expires_ms: u64, now_ms: u64) -> Result<bool, Error> {
        let name = handle.number();
        let held = self.sessions.lock(name)?;
        let Some(found) = held.find(now_ms)? else { return Ok(false) };
        let Some(now) = self.accept(name, &found, now_ms) else { return Ok(false) };
        let end_s = self.sessions.end_s(expires_ms);
        // What it went on as is touched in its place.
        if found.bucket.end_s >= end_s || now.successor.is_some() {
            return Ok(true);
        }
        let Some(generation) = held.shift(&found.bucket, end_s)? else { return Ok(false) };
        self.keep(name, generation, Record::clone(&now).with_expires_ms(expires_ms), now_ms);
        Ok(true)
    }

    fn revoke(&self, handle: Handle, _: u64) -> Result<Option<Arc<Record>>, Error> {
        let name = handle.number();
        let held = self.sessions.lock(name)?;
        // Whatever the clock here says: another process may be behind, and take it for alive.
        let Some(found) = self.sessions.find_anywhere(name)? else {
            // Cleaned up by one that is ahead; of those who are behind, who has a copy is told.
            held.outdate()?;
            return Ok(None);
        };
        let last = self.decode(name, &found);
        // Or another process has cleaned it up just now: what it went on as is to be ended all the same.
        held.remove(&found.bucket)?;
        self.copies.remove(name);
        Ok(last)
    }

    fn load_user(&self, user: &str, now_ms: u64) -> Result<Account, Error> {
        let name = user_name(user);
        for _ in 0..TRIES {
            if let Some(found) = self.accounts.read(name, now_ms)? {
                return Ok(self.account(user, Some(&found)));
            }
            match self.accounts.spoiled(name, now_ms, Account::is_framed)? {
                Beneath::Nothing => return Ok(Account::new(user)),
                Beneath::Spoiled(end_s) => {
                    return Ok(Account::torn(user, 0, end_s.saturating_mul(1000)));
                }
                // To take the user for a new one would leave the sessions that it lists.
                Beneath::File => {}
            }
        }
        Err(Error::crowded(TRIES))
    }

    fn save_user(&self, expected: u64, mut account: Account, now_ms: u64) -> Result<bool, Error> {
        let held = self.accounts.lock(user_name(account.user()))?;
        let found = held.find(now_ms)?;
        if self.account(account.user(), found.as_ref()).version() != expected {
            return Ok(false);
        }
        account.version = expected + 1;
        let at = found.as_ref().map(|found| &found.bucket);
        let end_s = self.accounts.end_s(account.expires_ms());
        let stored = held.publish(&account.encode(), at, end_s)?;
        Ok(stored.is_some())
    }

    fn find_user(&self, user: &str) -> Result<Vec<Handle>, Error> {
        let mut found = Vec::new();
        self.sessions.search(|name, bytes| {
            if Record::decode(bytes, 0).is_some_and(|record| record.user() == Some(user)) {
                found.push(Handle::from_bytes(name.to_be_bytes()));
            }
        })?;
        Ok(found)
    }

    fn clean(&self, now_ms: u64, budget: usize) -> Result<Cleaned, Error> {
        let mut cleaned = self.sessions.clean(now_ms, budget)?;
        let accounts = self.accounts.clean(now_ms, budget)?;
        cleaned.others += accounts.removed + accounts.others;
        cleaned.is_more |= accounts.is_more;
        self.sessions.count_some(now_ms)?;
        self.accounts.count_some(now_ms)?;
        Ok(cleaned)
    }

    fn census(&self, now_ms: u64) -> Census {
        let mut census = Census::new(0, 0);
        for shelf in [&self.sessions, &self.accounts] {
            let table = shelf.table();
            let over = table.buckets.iter().filter(|bucket| bucket.is_over(now_ms));
            census.backlog += over.map(|bucket| bucket.count()).sum::<u64>();
            census.waits += shelf.stripes.waits();
            census.foreign += table.count_foreign();
        }
        let table = self.sessions.table();
        let live = table.buckets.iter().filter(|bucket| !bucket.is_over(now_ms));
        census.live = live.filter(|bucket| !bucket.is_passed()).map(|bucket| bucket.count()).sum();
        census
    }
}

impl FileStore {
    /// The account that was found, or what is left of it, or a new one.
    fn account(&self, user: &str, found: Option<&Found>) -> Account {
        let Some(found) = found else { return Account::new(user) };
        Account::decode(&found.bytes, user).unwrap_or_else(|| {
            found.bucket.note_spoiled(user_name(user));
            Account::torn(user, 0, found.bucket.end_s.saturating_mul(1000))
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;
    const HOUR: Duration = Duration::from_secs(3600);

    /// What could not be read was replaced by a login between the two looks at it: the user was taken
    /// for a new one, and the end of all sessions ended none.
    #[test]
    fn who_has_a_spoiled_account_is_never_a_new_user() {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::open(dir.path()).unwrap();
        store.prepare(HOUR, HOUR);
        let mut saved = Account::new("ann");
        saved.expires_ms = NOW_MS + 3_600_000;
        assert!(store.save_user(0, saved.clone(), NOW_MS).unwrap());
        let found = store.accounts.read(user_name("ann"), NOW_MS).unwrap().unwrap();
        let bucket = store.accounts.path.join(found.bucket.end_s.to_string());
        let name = String::from_utf8(shelf::name_text(user_name("ann")).to_vec()).unwrap();
        for _ in 0..200 {
            fs::write(bucket.join(&name), "spoiled").unwrap();
            std::thread::scope(|scope| {
                let login = scope.spawn(|| store.save_user(0, saved.clone(), NOW_MS).unwrap());
                while !login.is_finished() {
                    let account = store.load_user("ann", NOW_MS).unwrap();
                    assert!(account.is_partial || account.version == 1);
                }
                assert!(login.join().unwrap());
            });
        }
    }
}
