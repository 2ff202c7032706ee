//! Limits a user at login: of sessions, and of networks; and the index behind them.

mod kit;

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use kit::{ABSOLUTE, IDLE, MINUTE, NOON_MS, cookie};
use larder_sessions::{
    FileStore, Login, ManualClock, MemoryStore, Networks, PerUser, Seen, Sessions, Store,
};

on_each!(
    a_login_over_the_limit_is_refused,
    the_oldest_is_ended,
    the_idlest_is_ended,
    logins_at_once_do_not_pass_the_limit,
    too_many_networks_are_flagged,
    too_many_networks_are_locked_out_and_home_is_not,
    a_copied_id_is_noticed,
    an_expired_session_does_not_count,
);

fn with<S: Store>(store: S, limit: PerUser) -> (Sessions<S>, ManualClock) {
    let clock = ManualClock::new(NOON_MS);
    let builder = Sessions::builder(store).idle(IDLE).absolute(ABSOLUTE);
    (builder.clock(clock.clone()).per_user(limit).build(), clock)
}

fn login<S: Store>(sessions: &Sessions<S>, from: Option<&str>) -> Result<String, Login> {
    let mut session = sessions.open(None).unwrap();
    let address = from.map(|from| from.parse::<IpAddr>().unwrap());
    match session.login("ann", address).unwrap() {
        Login::Admitted { networks: None, .. } => Ok(cookie(&session)),
        other => Err(other),
    }
}

fn is_in<S: Store>(sessions: &Sessions<S>, cookie: &str) -> bool {
    sessions.open([cookie]).unwrap().user() == Some("ann")
}

fn a_login_over_the_limit_is_refused<S: Store>(store: S) {
    let (sessions, clock) = with(store, PerUser::refuse(2));
    let one = login(&sessions, Some("192.0.2.1")).unwrap();
    clock.advance(MINUTE);
    login(&sessions, None).unwrap();
    let Err(Login::Refused(listed)) = login(&sessions, None) else { panic!("admitted") };
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].created_ms, NOON_MS);
    assert_eq!(listed[0].network.unwrap().to_string(), "192.0.2.0/24");
    let mut refused = sessions.open(None).unwrap();
    assert!(matches!(refused.login("ann", None).unwrap(), Login::Refused(_)));
    assert!(refused.is_empty());
    assert_eq!(refused.set_cookie(), None);
    assert_eq!(sessions.metrics().census.live, 2, "what was made for it is gone");
    assert!(sessions.end("ann", listed[0].handle).unwrap());
    assert!(!is_in(&sessions, &one));
    login(&sessions, None).unwrap();
    // Who is logged in can log in again.
    let again = login(&sessions, None);
    assert!(matches!(again, Err(Login::Refused(_))));
}

fn the_oldest_is_ended<S: Store>(store: S) {
    let (sessions, clock) = with(store, PerUser::evict_oldest(2));
    let mut cookies = Vec::new();
    for _ in 0..4 {
        cookies.push(login(&sessions, None).unwrap());
        clock.advance(MINUTE * 10);
        // Its use does not make it younger.
        is_in(&sessions, &cookies[0]);
    }
    let live: Vec<_> = cookies.iter().map(|cookie| is_in(&sessions, cookie)).collect();
    assert_eq!(live, [false, false, true, true]);
    assert_eq!(sessions.metrics().revoked, 2);
}

fn the_idlest_is_ended<S: Store>(store: S) {
    let (sessions, clock) = with(store, PerUser::evict_idle(2));
    let used = login(&sessions, None).unwrap();
    clock.advance(MINUTE * 10);
    let idle = login(&sessions, None).unwrap();
    clock.advance(MINUTE * 10);
    assert!(is_in(&sessions, &used));
    let third = login(&sessions, None).unwrap();
    assert!(is_in(&sessions, &used));
    assert!(!is_in(&sessions, &idle));
    assert!(is_in(&sessions, &third));
}

fn logins_at_once_do_not_pass_the_limit<S: Store>(store: S) {
    let (sessions, _) = with(store, PerUser::evict_oldest(3));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| drop(login(&sessions, None).unwrap())));
        }
    });
    assert_eq!(sessions.list_user("ann").unwrap().len(), 3);
    assert_eq!(sessions.metrics().census.live, 3);
}

fn an_expired_session_does_not_count<S: Store>(store: S) {
    let (sessions, clock) = with(store, PerUser::refuse(1));
    login(&sessions, None).unwrap();
    clock.advance(2 * IDLE);
    login(&sessions, None).unwrap();
    assert_eq!(sessions.list_user("ann").unwrap().len(), 1);
}

fn watched<S: Store>(store: S, limit: Networks) -> (Sessions<S>, ManualClock) {
    let clock = ManualClock::new(NOON_MS);
    let builder = Sessions::builder(store).idle(IDLE).absolute(ABSOLUTE);
    (builder.clock(clock.clone()).networks(limit).build(), clock)
}

fn too_many_networks_are_flagged<S: Store>(store: S) {
    let (sessions, clock) = watched(store, Networks::flag(2, 60 * MINUTE));
    login(&sessions, Some("192.0.2.1")).unwrap();
    login(&sessions, Some("192.0.2.99")).unwrap();
    login(&sessions, Some("2001:db8:0:100::1")).unwrap();
    login(&sessions, Some("2001:db8:0:1ff::1")).unwrap();
    let Err(Login::Admitted { networks: Some(seen), .. }) = login(&sessions, Some("198.51.100.1"))
    else {
        panic!("not flagged")
    };
    let seen: Vec<_> = seen.iter().map(ToString::to_string).collect();
    assert_eq!(seen, ["192.0.2.0/24", "2001:db8:0:100::/56"]);
    assert_eq!(sessions.metrics().flagged, 1);
    clock.advance(61 * MINUTE);
    login(&sessions, Some("203.0.113.1")).unwrap();
    login(&sessions, None).unwrap();
}

fn too_many_networks_are_locked_out_and_home_is_not<S: Store>(store: S) {
    let (sessions, clock) = watched(store, Networks::lock(2, 24 * 60 * MINUTE));
    let home = login(&sessions, Some("192.0.2.1")).unwrap();
    login(&sessions, Some("198.51.100.1")).unwrap();
    for _ in 0..3 {
        let Err(Login::Locked { networks, sessions: listed }) =
            login(&sessions, Some("203.0.113.1"))
        else {
            panic!("admitted")
        };
        assert_eq!((networks.len(), listed.len()), (2, 2));
    }
    login(&sessions, Some("192.0.2.77")).unwrap();
    assert!(is_in(&sessions, &home));
    assert_eq!(sessions.metrics().census.live, 3);
    clock.advance(25 * 60 * MINUTE);
    login(&sessions, Some("203.0.113.1")).unwrap();
}

fn a_copied_id_is_noticed<S: Store>(store: S) {
    let (sessions, clock) = watched(store, Networks::flag(2, 60 * MINUTE));
    let cookie = login(&sessions, Some("192.0.2.1")).unwrap();
    let seen = |from: &str| {
        let session = sessions.open([&*cookie]).unwrap();
        session.seen_from(from.parse().unwrap()).unwrap()
    };
    assert_eq!(seen("192.0.2.200"), Seen::Known);
    assert_eq!(seen("198.51.100.1"), Seen::New);
    assert_eq!(seen("198.51.100.2"), Seen::Known);
    let Seen::Many(networks) = seen("203.0.113.1") else { panic!("not noticed") };
    assert_eq!(networks.len(), 2);
    clock.advance(MINUTE * 20);
    assert_eq!(seen("198.51.100.1"), Seen::Known);
    clock.advance(MINUTE * 20);
    is_in(&sessions, &cookie);
    clock.advance(MINUTE * 21);
    assert_eq!(seen("203.0.113.1"), Seen::New, "the login is longer ago than the window");
}

/// What a store keeps of a user is an index: without it, sessions put themselves back.
#[test]
fn a_lost_index_heals() {
    let dir = tempfile::tempdir().unwrap();
    let (sessions, clock) = with(FileStore::open(dir.path()).unwrap(), PerUser::refuse(5));
    let cookies: Vec<_> = (0..3).map(|_| login(&sessions, None).unwrap()).collect();
    let accounts = dir.path().join("accounts");
    let mut removed = 0;
    for bucket in std::fs::read_dir(&accounts).unwrap().map(|entry| entry.unwrap().path()) {
        let is_bucket = bucket.file_name().unwrap().to_str().unwrap().parse::<u64>().is_ok();
        for file in is_bucket.then(|| std::fs::read_dir(&bucket).unwrap()).into_iter().flatten() {
            std::fs::write(file.unwrap().path(), "torn").unwrap();
            removed += 1;
        }
    }
    assert_eq!(removed, 1);
    assert!(sessions.list_user("ann").unwrap().is_empty());
    assert_eq!(sessions.metrics().census.foreign, 1);
    clock.advance(IDLE / 2);
    cookies.iter().for_each(|cookie| assert!(is_in(&sessions, cookie)));
    assert_eq!(sessions.list_user("ann").unwrap().len(), 3);
}

#[test]
fn a_memory_store_is_bounded() {
    let (sessions, _) = with(MemoryStore::new(10), PerUser::refuse(5));
    (0..10).for_each(|_| drop(kit::start(&sessions)));
    let mut session = sessions.open(None).unwrap();
    session.set("color", "red").unwrap();
    assert!(session.save().unwrap_err().is_full());
    assert_eq!(session.set_cookie(), None);
}

#[test]
#[should_panic(expected = "0 sessions a user")]
fn no_sessions_a_user_is_a_mistake() {
    PerUser::refuse(0);
}

#[test]
#[should_panic(expected = "a window of no time")]
fn no_window_is_a_mistake() {
    Networks::flag(3, Duration::ZERO);
}
