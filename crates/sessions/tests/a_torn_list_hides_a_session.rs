//! The list of a user's sessions is damaged, and all of them are to be ended nevertheless.
#![cfg(unix)]

mod kit;

use std::fs;
use std::path::Path;
use std::time::Duration;

use kit::{IDLE, MINUTE, cookie, sessions};
use larder_sessions::{FileStore, Login, Sessions, Store};

fn login<S: Store>(sessions: &Sessions<S>, user: &str) -> String {
    let mut session = sessions.open(None).unwrap();
    assert!(matches!(session.login(user, None).unwrap(), Login::Admitted { .. }));
    cookie(&session)
}

fn is_in<S: Store>(sessions: &Sessions<S>, cookie: &str, user: &str) -> bool {
    sessions.open([cookie]).unwrap().user() == Some(user)
}

/// Cuts the last byte off each account there is.
fn tear(dir: &Path) {
    let buckets = fs::read_dir(dir.join("accounts")).unwrap().map(|entry| entry.unwrap());
    let is_bucket = |name: &str| name.parse::<u64>().is_ok();
    let buckets = buckets.filter(|entry| is_bucket(entry.file_name().to_str().unwrap()));
    let files = buckets.flat_map(|bucket| fs::read_dir(bucket.path()).unwrap());
    let torn = files.map(|file| {
        let file = fs::OpenOptions::new().write(true).open(file.unwrap().path()).unwrap();
        file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    });
    assert!(torn.count() > 0);
}

/// Each of these ended nothing that the list had lost, said so to nobody, and left what put itself
/// back into the list later.
fn run<S: Store>(store: S, tear: impl Fn(&S)) {
    let (sessions, clock) = sessions(store);
    let tear = || tear(sessions.store());

    // All of them, at once.
    let [one, two] = [(); 2].map(|()| login(&sessions, "ann"));
    let other = login(&sessions, "bob");
    tear();
    assert_eq!(sessions.revoke_user("ann").unwrap(), 2);
    for cookie in [&one, &two] {
        assert_eq!(sessions.peek::<u32>([&**cookie], "n").unwrap(), None);
        assert!(sessions.open([&**cookie]).unwrap().is_empty());
    }
    assert_eq!(sessions.revoke_user("ann").unwrap(), 0);
    assert!(is_in(&sessions, &other, "bob"));

    // The list is begun anew by a login: it has one of three.
    let [one, two] = [(); 2].map(|()| login(&sessions, "ann"));
    tear();
    let three = login(&sessions, "ann");
    assert_eq!(sessions.list_user("ann").unwrap().len(), 1);
    assert_eq!(sessions.revoke_user("ann").unwrap(), 3);
    assert!([&one, &two, &three].iter().all(|cookie| !is_in(&sessions, cookie, "ann")));

    // All but one, which is listed again.
    let [one, two] = [(); 2].map(|()| login(&sessions, "ann"));
    tear();
    assert_eq!(sessions.open([&*one]).unwrap().end_others().unwrap(), 1);
    assert!(is_in(&sessions, &one, "ann") && !is_in(&sessions, &two, "ann"));
    assert_eq!(sessions.list_user("ann").unwrap().len(), 1);

    // One by its name alone: what it was renewed from is cleaned up.
    let mut slow = sessions.open([&*one]).unwrap();
    let mut renewed = sessions.open([&*one]).unwrap();
    assert!(renewed.renew().unwrap());
    clock.advance(IDLE / 4);
    while sessions.clean(100).unwrap().is_more {}
    tear();
    assert!(slow.logout().unwrap());
    assert!(!is_in(&sessions, &cookie(&renewed), "ann"));

    // Nothing is left that could put itself back.
    for _ in 0..8 {
        clock.advance(5 * MINUTE);
        let ended = [&one, &two, &three];
        assert!(ended.iter().all(|cookie| sessions.open([&***cookie]).unwrap().is_empty()));
        assert!(is_in(&sessions, &other, "bob"));
    }
    assert!(sessions.list_user("ann").unwrap().is_empty());
    assert_eq!(sessions.list_user("bob").unwrap().len(), 1);
}

#[test]
fn in_files() {
    let dir = tempfile::tempdir().unwrap();
    run(FileStore::open(dir.path()).unwrap(), |_| tear(dir.path()));
}

#[test]
fn in_files_without_copies() {
    let dir = tempfile::tempdir().unwrap();
    run(FileStore::at(dir.path()).copies(0).open().unwrap(), |_| tear(dir.path()));
}

#[cfg(feature = "sqlite")]
#[test]
fn in_sqlite() {
    const TEAR: &str = "UPDATE larder_account SET body = substr(body, 1, length(body) - 1)";
    run(kit::sqlite().store, |store| {
        assert!(store.pool().transact(|tx| tx.execute(TEAR, [])).unwrap() > 0);
    });
}

/// Sessions move from one bucket to another while they are searched for.
#[test]
fn what_is_used_meanwhile_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (sessions, clock) = sessions(FileStore::open(dir.path()).unwrap());
    for _ in 0..5 {
        let cookies: Vec<_> = (0..30).map(|_| login(&sessions, "ann")).collect();
        tear(dir.path());
        clock.advance(IDLE / 4);
        std::thread::scope(|scope| {
            scope.spawn(|| cookies.iter().filter(|cookie| is_in(&sessions, cookie, "ann")).count());
            sessions.revoke_user("ann").unwrap();
        });
        assert!(cookies.iter().all(|cookie| !is_in(&sessions, cookie, "ann")));
        clock.advance(Duration::from_secs(1));
    }
}
