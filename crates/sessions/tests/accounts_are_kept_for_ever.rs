//! Accounts of users who have left go as their sessions do, and are waited for as these are.

mod kit;

use kit::{ABSOLUTE, sessions};
use larder_sessions::{Login, MemoryStore, Sessions, Store};

on_each!(what_has_expired_of_users_is_backlog);

fn in_and_out<S: Store>(sessions: &Sessions<S>, user: &str) {
    let mut session = sessions.open(None).unwrap();
    assert!(matches!(session.login(user, None).unwrap(), Login::Admitted { .. }));
    assert!(session.logout().unwrap());
}

/// Nothing counted them, so that the clean-up was at rest beside any number of them.
fn what_has_expired_of_users_is_backlog<S: Store>(store: S) {
    const USERS: usize = 100;
    let (sessions, clock) = sessions(store);
    for nth in 0..USERS {
        in_and_out(&sessions, &format!("user {nth}"));
    }
    assert_eq!(sessions.metrics().census.backlog, 0);
    clock.advance(ABSOLUTE * 2);
    assert_eq!(sessions.metrics().census.backlog, USERS as u64);
    let mut steps = 1;
    while sessions.clean(8).unwrap().is_more {
        steps += 1;
        assert!(steps < USERS, "as many as sessions at a step");
    }
    assert!(steps >= USERS / 8, "{steps} steps: and no more");
    let metrics = sessions.metrics();
    assert_eq!((metrics.census.backlog, metrics.census.live, metrics.expired), (0, 0, 0));
}

/// Whoever has a thousand names to log in by had a thousand accounts of a store of ten sessions.
#[test]
fn a_store_in_memory_has_no_more_accounts_than_sessions() {
    let (sessions, clock) = sessions(MemoryStore::new(10));
    let mut ann = sessions.open(None).unwrap();
    assert!(matches!(ann.login("ann", None).unwrap(), Login::Admitted { .. }));
    for nth in 0..1000 {
        in_and_out(&sessions, &format!("user {nth}"));
    }
    assert_eq!(sessions.list_user("ann").unwrap().len(), 1, "hers is in use");
    clock.advance(ABSOLUTE * 2);
    assert_eq!(sessions.metrics().census.backlog, 11, "ten accounts and a session");
    while sessions.clean(1).unwrap().is_more {}
    assert_eq!(sessions.metrics().census.backlog, 0);
}
