//! One harness over all stores: a test is written once, and run on each.
#![allow(dead_code, reason = "not every test binary needs all of it")]

use std::time::Duration;

use larder_sessions::{FileStore, ManualClock, MemoryStore, Session, Sessions, Store};

pub const NOON_MS: u64 = 1_800_000_000_000;
pub const MINUTE: Duration = Duration::from_secs(60);
pub const IDLE: Duration = Duration::from_secs(30 * 60);
pub const ABSOLUTE: Duration = Duration::from_secs(12 * 3600);

/// A store, for as long as what it lies in lives.
pub struct Held<S> {
    pub store: S,
    _dir: Option<tempfile::TempDir>,
}

pub fn memory() -> Held<MemoryStore> {
    Held { store: MemoryStore::default(), _dir: None }
}

pub fn file() -> Held<FileStore> {
    let dir = tempfile::tempdir().unwrap();
    Held { store: FileStore::open(dir.path()).unwrap(), _dir: Some(dir) }
}

pub fn file_alone() -> Held<FileStore> {
    let dir = tempfile::tempdir().unwrap();
    Held { store: FileStore::at(dir.path()).alone().open().unwrap(), _dir: Some(dir) }
}

/// Without copies in memory: each look is at the disk.
pub fn file_cold() -> Held<FileStore> {
    let dir = tempfile::tempdir().unwrap();
    Held { store: FileStore::at(dir.path()).copies(0).open().unwrap(), _dir: Some(dir) }
}

#[cfg(feature = "sqlite")]
pub fn sqlite() -> Held<larder_sessions::SqliteStore> {
    use larder_pool::sqlite::{SqliteManager, SqlitePool};
    let dir = tempfile::tempdir().unwrap();
    let manager = SqliteManager::file(dir.path().join("sessions.db"));
    let store = larder_sessions::SqliteStore::open(SqlitePool::open(manager, 4).unwrap()).unwrap();
    Held { store, _dir: Some(dir) }
}

/// Runs a generic function on each store: `on_each!(name)` makes a test `name::memory` and so on of
/// `fn name<S: Store>(store: S)`.
#[macro_export]
macro_rules! on_each {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[test]
            fn memory() {
                super::$name($crate::kit::memory().store)
            }
            #[test]
            fn file() {
                let held = $crate::kit::file();
                super::$name(held.store)
            }
            #[test]
            fn file_alone() {
                let held = $crate::kit::file_alone();
                super::$name(held.store)
            }
            #[test]
            fn file_cold() {
                let held = $crate::kit::file_cold();
                super::$name(held.store)
            }
            #[cfg(feature = "sqlite")]
            #[test]
            fn sqlite() {
                let held = $crate::kit::sqlite();
                super::$name(held.store)
            }
        }
    )* };
}

/// Sessions of half an hour, on a clock that stands.
pub fn sessions<S: Store>(store: S) -> (Sessions<S>, ManualClock) {
    let clock = ManualClock::new(NOON_MS);
    let sessions = Sessions::builder(store).idle(IDLE).absolute(ABSOLUTE).clock(clock.clone());
    (sessions.build(), clock)
}

/// What a browser would send after this response.
pub fn cookie<S: Store>(session: &Session<'_, S>) -> String {
    let line = session.set_cookie().expect("the response sets a cookie");
    line.split(';').next().unwrap().to_string()
}

/// Stores a session with one value, and returns its cookie.
pub fn start<S: Store>(sessions: &Sessions<S>) -> String {
    let mut session = sessions.open(None).unwrap();
    session.set("color", "red").unwrap();
    assert_eq!(session.save().unwrap(), larder_sessions::Saved::Stored);
    cookie(&session)
}

/// The value that `start` stored.
pub fn color<S: Store>(sessions: &Sessions<S>, cookie: &str) -> Option<String> {
    let color = sessions.peek([cookie], "color").unwrap();
    assert_eq!(sessions.open([cookie]).unwrap().get("color").unwrap(), color);
    color
}
