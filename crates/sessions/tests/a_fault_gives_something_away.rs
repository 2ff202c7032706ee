//! A store that fails in the middle of a login: nobody is logged in by it, and nobody is forgotten.

#[path = "kit/faulty.rs"]
mod faulty;
mod kit;

use std::sync::atomic::Ordering;

use faulty::Faulty;
use kit::{ABSOLUTE, IDLE, NOON_MS, cookie, start};
use larder_sessions::{Login, ManualClock, MemoryStore, PerUser, Sessions, Store};

fn sessions(limit: PerUser) -> Sessions<Faulty<MemoryStore>> {
    let builder = Sessions::builder(Faulty::default()).idle(IDLE).absolute(ABSOLUTE);
    builder.clock(ManualClock::new(NOON_MS)).per_user(limit).build()
}

fn logged_in<S: Store>(sessions: &Sessions<S>, user: &str) -> String {
    let mut session = sessions.open(None).unwrap();
    assert!(matches!(session.login(user, None).unwrap(), Login::Admitted { .. }));
    cookie(&session)
}

/// The session that was made for it can't be ended then; its id must not get out.
#[test]
fn a_refused_login_gives_no_id_away() {
    let sessions = sessions(PerUser::refuse(1));
    logged_in(&sessions, "ann");
    let mut late = sessions.open(None).unwrap();
    sessions.store().is_no_revoke.store(true, Ordering::Relaxed);
    assert!(late.login("ann", None).is_err());
    assert_eq!(late.set_cookie(), None);
    assert_eq!(late.user(), None);
}

#[test]
fn a_failed_renewal_gives_no_id_away() {
    let sessions = sessions(PerUser::refuse(1));
    let known = logged_in(&sessions, "ann");
    let mut session = sessions.open([&*known]).unwrap();
    sessions.store().is_no_save.store(true, Ordering::Relaxed);
    sessions.store().is_no_revoke.store(true, Ordering::Relaxed);
    assert!(session.renew().is_err());
    assert_eq!(session.set_cookie(), None);
}

/// It had taken the session that it was to replace out of the account, by which all are ended.
#[test]
fn after_a_failed_login_the_session_is_still_listed() {
    let sessions = sessions(PerUser::refuse(2));
    let known = logged_in(&sessions, "ann");
    let mut session = sessions.open([&*known]).unwrap();
    sessions.store().is_no_save.store(true, Ordering::Relaxed);
    assert!(session.login("ann", None).is_err());
    sessions.store().is_no_save.store(false, Ordering::Relaxed);
    assert_eq!(sessions.open([&*known]).unwrap().user(), Some("ann"));
    assert_eq!(sessions.list_user("ann").unwrap().len(), 1);
    sessions.revoke_user("ann").unwrap();
    assert!(sessions.open([&*known]).unwrap().is_empty());
}

#[test]
fn a_login_that_is_tried_again_tells_of_all_that_it_ended() {
    let sessions = sessions(PerUser::evict_oldest(1));
    logged_in(&sessions, "ann");
    sessions.store().lost_swaps.store(1, Ordering::Relaxed);
    let login = sessions.open(None).unwrap().login("ann", None).unwrap();
    assert!(matches!(login, Login::Admitted { ended: 1, .. }), "{login:?}");
}

/// Of a store that can't search for what no list has: nobody may take it for done.
#[test]
fn who_can_not_end_all_is_told() {
    let sessions = sessions(PerUser::refuse(2));
    let known = logged_in(&sessions, "ann");
    sessions.store().is_torn.store(true, Ordering::Relaxed);
    let error = sessions.revoke_user("ann").unwrap_err();
    assert!(error.is_store(), "{error}");
    assert!(sessions.open([&*known]).unwrap().end_others().is_err());
    sessions.store().is_torn.store(false, Ordering::Relaxed);
    assert_eq!(sessions.revoke_user("ann").unwrap(), 1);
    assert!(sessions.open([&*known]).unwrap().is_empty());
}

/// However many headers there are: each look at an unknown id may be some twenty at the disk.
#[test]
fn a_request_has_few_ids_tried() {
    let sessions = sessions(PerUser::refuse(1));
    let known = start(&sessions);
    let unknown = format!("__Host-session={}", "A".repeat(32));
    let header = [&*unknown; 8].join("; ");
    let before = sessions.store().loads.load(Ordering::Relaxed);
    assert!(sessions.open([&*header; 50]).unwrap().is_empty());
    assert_eq!(sessions.peek::<String>([&*header; 50], "color").unwrap(), None);
    let tried = sessions.store().loads.load(Ordering::Relaxed) - before;
    assert!(tried <= 8, "{tried} looks for two requests");
    let headers = [&*unknown, &*known];
    assert!(!sessions.open(headers).unwrap().is_empty());
}
