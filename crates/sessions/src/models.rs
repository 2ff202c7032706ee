//! Models of what takes several steps on a store: saving, renewing and ending, each as it is run, in
//! every order of their steps.
//!
//! The store is a plain one, whose calls are atomic, as each [`Store`] promises of its own; what is
//! looked at is whether the steps between them let a revoked session come back.

use std::collections::BTreeMap;
use std::sync::Arc;

use loom::sync::Mutex;
use loom::thread;

use crate::account::Account;
use crate::clock::ManualClock;
use crate::error::Error;
use crate::id::Handle;
use crate::record::{Record, Successor};
use crate::save::Saved;
use crate::sessions::Sessions;
use crate::store::{Census, Cleaned, Store, Swap};

#[derive(Default)]
struct Plain(Mutex<BTreeMap<u128, Arc<Record>>>);

impl Store for Plain {
    fn load(&self, handle: Handle, _: u64) -> Result<Option<Arc<Record>>, Error> {
        Ok(self.0.lock().unwrap().get(&handle.number()).cloned())
    }

    fn create(&self, handle: Handle, record: Record, _: u64) -> Result<(), Error> {
        self.0.lock().unwrap().insert(handle.number(), Arc::new(record));
        Ok(())
    }

    fn save(&self, handle: Handle, expected: u64, record: Record, _: u64) -> Result<Swap, Error> {
        let mut sessions = self.0.lock().unwrap();
        let Some(now) = sessions.get_mut(&handle.number()) else { return Ok(Swap::Gone) };
        if now.version() != expected {
            return Ok(Swap::Moved(Arc::clone(now)));
        }
        *now = Arc::new(record);
        Ok(Swap::Stored(Arc::clone(now)))
    }

    fn touch(&self, handle: Handle, _: u64, now_ms: u64) -> Result<bool, Error> {
        Ok(self.load(handle, now_ms)?.is_some())
    }

    fn revoke(&self, handle: Handle, _: u64) -> Result<Option<Arc<Record>>, Error> {
        Ok(self.0.lock().unwrap().remove(&handle.number()))
    }

    fn load_user(&self, user: &str, _: u64) -> Result<Account, Error> {
        Ok(Account::new(user))
    }

    fn save_user(&self, _: u64, _: Account, _: u64) -> Result<bool, Error> {
        Ok(true)
    }

    fn clean(&self, _: u64, _: usize) -> Result<Cleaned, Error> {
        Ok(Cleaned::default())
    }

    fn census(&self, _: u64) -> Census {
        Census::new(self.0.lock().unwrap().len() as u64, 0)
    }
}

impl Plain {
    /// Is there nothing but what says that it went on as a session that is not there?
    fn is_all_over(&self) -> bool {
        let sessions = self.0.lock().unwrap();
        let is_over = |next: Successor| !sessions.contains_key(&next.handle.number());
        sessions.values().all(|record| record.successor.is_some_and(is_over))
    }
}

/// A session, and its cookie.
fn one() -> (Sessions<Plain>, String) {
    let builder = Sessions::builder(Plain::default());
    let sessions = builder.clock(ManualClock::new(1_800_000_000_000)).build();
    let mut session = sessions.open(None).unwrap();
    session.set("color", "red").unwrap();
    assert_eq!(session.save().unwrap(), Saved::Stored);
    let cookie = session.set_cookie().unwrap().split(';').next().unwrap().to_string();
    drop(session);
    (sessions, cookie)
}

/// In every order with a logout, `work` leaves nothing; and nothing is there once that has returned.
fn against_a_logout(work: fn(&Sessions<Plain>, &str)) {
    loom::model(move || {
        let (sessions, cookie) = one();
        let other = thread::spawn({
            let (sessions, cookie) = (sessions.clone(), cookie.clone());
            move || work(&sessions, &cookie)
        });
        assert!(sessions.open([&*cookie]).unwrap().logout().unwrap());
        assert!(sessions.open([&*cookie]).unwrap().is_empty(), "revoked means at once");
        other.join().unwrap();
        assert!(sessions.open([&*cookie]).unwrap().is_empty());
        assert!(sessions.store().is_all_over(), "nor is it there under another id");
    });
}

#[test]
fn a_save_does_not_bring_back_what_is_ended() {
    against_a_logout(|sessions, cookie| {
        let mut session = sessions.open([cookie]).unwrap();
        if !session.is_empty() {
            session.set("color", "blue").unwrap();
            assert!(matches!(session.save().unwrap(), Saved::Stored | Saved::Gone));
        }
    });
}

#[test]
fn a_renewal_does_not_bring_back_what_is_ended() {
    against_a_logout(|sessions, cookie| {
        let mut session = sessions.open([cookie]).unwrap();
        let _ = session.renew().unwrap();
    });
}

/// The save moves the session between the renewal's steps, so that it has to be tried again.
#[test]
fn a_renewal_beside_a_save_does_not_bring_back_what_is_ended() {
    against_a_logout(|sessions, cookie| {
        let mut session = sessions.open([cookie]).unwrap();
        let mut other = sessions.open([cookie]).unwrap();
        if !other.is_empty() {
            other.set("size", &7).unwrap();
            let _ = other.save().unwrap();
        }
        let _ = session.renew().unwrap();
    });
}
