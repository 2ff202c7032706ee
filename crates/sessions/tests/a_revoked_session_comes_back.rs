//! Revocation wins: against saves, touches, renewals and logins that are under way, in this process
//! and in others.

mod kit;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use kit::{IDLE, color, cookie, sessions, start};
use larder_sessions::{FileStore, Login, Saved, Sessions, Store};

on_each!(
    a_save_onto_a_revoked_session_is_refused,
    a_renewal_of_a_revoked_session_is_refused,
    a_login_onto_a_revoked_session_is_refused,
    a_use_of_a_revoked_session_is_not_one,
    ending_all_ends_all_but_one,
    nobody_ends_anothers_session,
    races_are_won_by_the_revocation,
    a_login_under_way_does_not_survive_the_end_of_all,
    the_id_before_a_login_ends_with_what_it_became,
    the_id_before_a_login_ends_with_what_was_renewed,
    a_logout_ends_what_was_renewed_many_times,
    a_logout_ends_what_was_renewed_long_ago,
    a_logout_of_a_visitor_ends_what_was_renewed,
    the_end_of_the_others_is_not_the_end_of_what_was_renewed,
    the_end_of_the_others_spares_a_renewal_under_way,
    a_listed_session_is_ended_after_its_renewal,
    two_of_a_name_are_ended_as_one,
);

fn logged_in<S: Store>(sessions: &Sessions<S>, user: &str) -> String {
    let mut session = sessions.open(None).unwrap();
    assert!(matches!(session.login(user, None).unwrap(), Login::Admitted { .. }));
    cookie(&session)
}

fn a_save_onto_a_revoked_session_is_refused<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let cookie = start(&sessions);
    let mut late = sessions.open([&*cookie]).unwrap();
    late.set("color", "blue").unwrap();
    assert!(sessions.open([&*cookie]).unwrap().logout().unwrap());
    assert_eq!(late.save().unwrap(), Saved::Gone);
    assert_eq!(color(&sessions, &cookie), None);
    assert_eq!(sessions.metrics().gone, 1);
    assert_eq!(sessions.metrics().census.live, 0);
}

fn a_renewal_of_a_revoked_session_is_refused<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let cookie = logged_in(&sessions, "ann");
    let mut late = sessions.open([&*cookie]).unwrap();
    assert_eq!(sessions.revoke_user("ann").unwrap(), 1);
    assert!(!late.renew().unwrap());
    assert!(late.is_gone());
    assert!(late.set_cookie().unwrap().contains("Max-Age=0"));
    assert!(sessions.list_user("ann").unwrap().is_empty());
    assert_eq!(sessions.metrics().census.live, 0);
}

fn a_login_onto_a_revoked_session_is_refused<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let cookie = start(&sessions);
    let mut late = sessions.open([&*cookie]).unwrap();
    assert!(sessions.open([&*cookie]).unwrap().logout().unwrap());
    assert!(matches!(late.login("ann", None).unwrap(), Login::Gone));
    assert!(sessions.list_user("ann").unwrap().is_empty());
    assert_eq!(sessions.metrics().census.live, 0);
}

fn a_use_of_a_revoked_session_is_not_one<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    let cookie = logged_in(&sessions, "ann");
    clock.advance(IDLE / 2);
    let handle = sessions.list_user("ann").unwrap()[0].handle;
    assert!(sessions.end("ann", handle).unwrap());
    assert!(sessions.open([&*cookie]).unwrap().is_empty());
    assert!(!sessions.end("ann", handle).unwrap());
    assert!(!sessions.store().touch(handle, kit::NOON_MS * 2, kit::NOON_MS).unwrap());
}

fn ending_all_ends_all_but_one<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let cookies: Vec<_> = (0..5).map(|_| logged_in(&sessions, "ann")).collect();
    let other = logged_in(&sessions, "bob");
    let mine = sessions.open([&*cookies[2]]).unwrap();
    assert_eq!(mine.end_others().unwrap(), 4);
    for (nth, cookie) in cookies.iter().enumerate() {
        let user = sessions.open([&**cookie]).unwrap().user().map(str::to_string);
        assert_eq!(user.is_some(), nth == 2);
    }
    assert_eq!(sessions.list_user("ann").unwrap().len(), 1);
    assert_eq!(sessions.revoke_user("ann").unwrap(), 1);
    assert_eq!(sessions.revoke_user("nobody").unwrap(), 0);
    assert_eq!(sessions.open([&*other]).unwrap().user(), Some("bob"));
}

fn nobody_ends_anothers_session<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let cookie = logged_in(&sessions, "ann");
    let handle = sessions.list_user("ann").unwrap()[0].handle;
    let told = handle.to_string().parse().unwrap();
    assert!(!sessions.end("bob", told).unwrap());
    assert_eq!(sessions.open([&*cookie]).unwrap().user(), Some("ann"));
    assert!(sessions.end("ann", told).unwrap());
}

/// How many races: `LARDER_RACES`, or what a debug build does in a second or two.
fn races(few: u32) -> u32 {
    let told = std::env::var("LARDER_RACES").ok();
    told.map_or(few, |told| told.parse().expect("LARDER_RACES is a number"))
}

/// One thread saves, touches and reads as fast as it can, or renews, and the other revokes: from the
/// moment that the revocation has returned, nothing is there, and nothing comes back.
fn races_are_won_by_the_revocation<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    let races = races(300);
    let (meeting, slot) = (Meeting::default(), Slot::default());
    thread::scope(|scope| {
        scope.spawn(|| {
            let _end = meeting.end_if_lost();
            let mut outcomes = [0_u32; 3];
            for nth in 0..races {
                meeting.meet();
                let cookie = slot.get();
                let other = race(&sessions, &cookie, nth, &mut outcomes);
                meeting.meet();
                for cookie in [Some(cookie), other].into_iter().flatten() {
                    assert_eq!(sessions.peek::<u32>([&*cookie], "count").unwrap(), None);
                    assert!(sessions.open([&*cookie]).unwrap().is_empty());
                }
            }
            println!("{races} races: [won, refused, not begun] {outcomes:?}");
        });
        let _end = meeting.end_if_lost();
        for nth in 0..races {
            let cookie = start(&sessions);
            let mut session = sessions.open([&*cookie]).unwrap();
            slot.set(cookie.clone());
            if nth % 16 == 0 {
                clock.advance(IDLE / 3); // The other's looks are touches.
                let _ = sessions.clean(100).unwrap(); // What is long over is not kept for ever.
            }
            meeting.meet();
            // From at once to tens of microseconds later: at each point of the other's work.
            (0..1 << (nth / 4 % 10)).for_each(|_| std::hint::spin_loop());
            assert!(session.logout().unwrap());
            assert!(sessions.open([&*cookie]).unwrap().is_empty(), "revoked means at once");
            meeting.meet();
        }
    });
    assert_eq!(sessions.metrics().revoked, u64::from(races));
    assert_eq!(sessions.metrics().census.live, 0);
}

/// Works on a session that is being revoked: every fourth time by a renewal, which gives another
/// cookie when it was quicker.
fn race<S: Store>(
    sessions: &Sessions<S>,
    cookie: &str,
    nth: u32,
    outcomes: &mut [u32; 3],
) -> Option<String> {
    for count in 0..3 {
        let mut session = sessions.open([cookie]).unwrap();
        if session.is_empty() {
            outcomes[2] += 1;
            return None; // Unknown by now, and a save would begin another one.
        }
        if nth % 4 == 3 {
            let is_renewed = session.renew().unwrap();
            outcomes[usize::from(!is_renewed)] += 1;
            return is_renewed.then(|| kit::cookie(&session));
        }
        session.set("count", &(nth.wrapping_add(count))).unwrap();
        outcomes[usize::from(session.save().unwrap() == Saved::Gone)] += 1;
    }
    None
}

/// Where two threads wait for one another without sleeping: they leave within a fraction of a
/// microsecond of each other, as no sleeper would. If one fails, so does the other.
#[derive(Default)]
struct Meeting {
    arrived: AtomicU64,
    is_lost: AtomicBool,
}

struct EndIfLost<'a>(&'a Meeting);

impl Meeting {
    fn meet(&self) {
        // All that is written before it is seen by the other after it.
        let both = (self.arrived.fetch_add(1, Ordering::SeqCst) + 1).next_multiple_of(2);
        let mut looks = 0_u32;
        while self.arrived.load(Ordering::SeqCst) < both {
            assert!(!self.is_lost.load(Ordering::SeqCst), "the other has failed");
            looks += 1;
            if looks < 2000 { std::hint::spin_loop() } else { thread::yield_now() }
        }
    }

    fn end_if_lost(&self) -> EndIfLost<'_> {
        EndIfLost(self)
    }
}

impl Drop for EndIfLost<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.is_lost.store(true, Ordering::SeqCst);
        }
    }
}

/// The cookie that the two race for.
#[derive(Default)]
struct Slot(std::sync::Mutex<String>);

impl Slot {
    fn set(&self, cookie: String) {
        *self.0.lock().unwrap() = cookie;
    }

    fn get(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// What is logged in when the end of all has returned logged in after it began to look.
fn a_login_under_way_does_not_survive_the_end_of_all<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..20 {
                let cookie = logged_in(&sessions, "ann");
                let mut session = sessions.open([&*cookie]).unwrap();
                if !session.is_empty() {
                    let _ = session.renew().unwrap();
                }
            }
            is_over.store(true, Ordering::SeqCst);
        });
        while !is_over.load(Ordering::SeqCst) {
            sessions.revoke_user("ann").unwrap();
        }
    });
    sessions.revoke_user("ann").unwrap();
    assert!(sessions.list_user("ann").unwrap().is_empty());
    clock.advance(IDLE / 4); // What renewals left of the old ids is over by then.
    assert_eq!(sessions.metrics().census.live, 0, "none is alive that no list has");
}

/// The old id went on showing the user, and was in no list.
fn the_id_before_a_login_ends_with_what_it_became<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let again = |old: &str| {
        let mut session = sessions.open([old]).unwrap();
        assert!(matches!(session.login("ann", None).unwrap(), Login::Admitted { .. }));
        cookie(&session)
    };
    let old = logged_in(&sessions, "ann");
    let new = again(&old);
    assert_eq!(sessions.open([&*old]).unwrap().user(), Some("ann"), "for the overlap");
    assert_eq!(sessions.revoke_user("ann").unwrap(), 1);
    for cookie in [&old, &new] {
        assert!(sessions.open([&**cookie]).unwrap().is_empty());
    }
    let old = logged_in(&sessions, "ann");
    assert!(sessions.open([&*again(&old)]).unwrap().logout().unwrap());
    assert!(sessions.open([&*old]).unwrap().is_empty());
    assert_eq!(sessions.peek::<String>([&*old], "color").unwrap(), None);
}

/// What the login had made was renewed and then ended: the old id went on showing the user, since
/// what only named the renewed one was still there.
fn the_id_before_a_login_ends_with_what_was_renewed<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let old = logged_in(&sessions, "ann");
    let mut session = sessions.open([&*old]).unwrap();
    assert!(matches!(session.login("ann", None).unwrap(), Login::Admitted { .. }));
    let new = renewed_elsewhere(&sessions, &cookie(&session));
    assert_eq!(sessions.open([&*old]).unwrap().user(), Some("ann"), "for the overlap");
    assert!(sessions.open([&*new]).unwrap().logout().unwrap());
    assert!(sessions.open([&*old]).unwrap().is_empty());
    assert_eq!(sessions.peek::<String>([&*old], "color").unwrap(), None);
}

/// Four renewals within the overlap, and the logout of a request that began before them ended
/// all but the last.
fn a_logout_ends_what_was_renewed_many_times<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let mut now = logged_in(&sessions, "ann");
    let (mut early, first) = (sessions.open([&*now]).unwrap(), now.clone());
    for _ in 0..10 {
        let mut session = sessions.open([&*now]).unwrap();
        assert!(session.renew().unwrap());
        now = cookie(&session);
    }
    assert_eq!(sessions.open([&*first]).unwrap().user(), Some("ann"));
    assert!(early.logout().unwrap());
    assert!(sessions.open([&*now]).unwrap().is_empty());
}

/// Beyond the overlap; and then so long ago that what said what became of it is cleaned up.
fn pauses() -> [Duration; 4] {
    [Duration::ZERO, Duration::from_secs(11), IDLE / 4, IDLE / 2]
}

/// Another request renews the session, and renews it again.
fn renewed_elsewhere<S: Store>(sessions: &Sessions<S>, old: &str) -> String {
    let mut session = sessions.open([old]).unwrap();
    assert!(session.renew().unwrap());
    let next = cookie(&session);
    let mut session = sessions.open([&*next]).unwrap();
    assert!(session.renew().unwrap());
    cookie(&session)
}

/// The logout of a request that took longer than the overlap found the old id expired, and left the
/// new one.
fn a_logout_ends_what_was_renewed_long_ago<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    for pause in pauses() {
        let old = logged_in(&sessions, "ann");
        let mut slow = sessions.open([&*old]).unwrap();
        let new = renewed_elsewhere(&sessions, &old);
        clock.advance(pause);
        while sessions.clean(100).unwrap().is_more {}
        assert_eq!(sessions.open([&*new]).unwrap().user(), Some("ann"));
        assert!(slow.logout().unwrap(), "after {pause:?}");
        assert!(sessions.open([&*new]).unwrap().is_empty(), "after {pause:?}");
        assert!(!sessions.open([&*new]).unwrap().logout().unwrap());
        assert!(sessions.list_user("ann").unwrap().is_empty());
    }
    assert_eq!(sessions.metrics().revoked, pauses().len() as u64);
}

/// Nobody's session is in no list: what was cleaned up leads nowhere, and that is told.
fn a_logout_of_a_visitor_ends_what_was_renewed<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    for is_login in [false, true] {
        let old = start(&sessions);
        let mut slow = sessions.open([&*old]).unwrap();
        let mut session = sessions.open([&*old]).unwrap();
        match is_login {
            true => assert!(matches!(session.login("ann", None).unwrap(), Login::Admitted { .. })),
            false => assert!(session.renew().unwrap()),
        }
        clock.advance(Duration::from_secs(11));
        assert!(slow.logout().unwrap());
        assert!(sessions.open([&*cookie(&session)]).unwrap().is_empty());
    }
    let old = start(&sessions);
    let mut slow = sessions.open([&*old]).unwrap();
    renewed_elsewhere(&sessions, &old);
    clock.advance(IDLE / 2);
    while sessions.clean(100).unwrap().is_more {}
    assert!(!slow.logout().unwrap());
}

/// A password is changed by a request beside which another one renews the session: it was ended
/// with the others.
fn the_end_of_the_others_is_not_the_end_of_what_was_renewed<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    for pause in pauses() {
        let old = logged_in(&sessions, "ann");
        let slow = sessions.open([&*old]).unwrap();
        let new = renewed_elsewhere(&sessions, &old);
        clock.advance(pause);
        while sessions.clean(100).unwrap().is_more {}
        let stranger = logged_in(&sessions, "ann");
        assert_eq!(slow.end_others().unwrap(), 1, "after {pause:?}");
        assert_eq!(sessions.open([&*new]).unwrap().user(), Some("ann"), "after {pause:?}");
        assert!(sessions.open([&*stranger]).unwrap().is_empty());
        assert_eq!(sessions.list_user("ann").unwrap().len(), 1);
        assert!(sessions.open([&*new]).unwrap().logout().unwrap());
    }
}

fn the_end_of_the_others_spares_a_renewal_under_way<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    for _ in 0..20 {
        let old = logged_in(&sessions, "ann");
        let mut renewing = sessions.open([&*old]).unwrap();
        let ending = sessions.open([&*old]).unwrap();
        let meeting = std::sync::Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                meeting.wait();
                assert_eq!(ending.end_others().unwrap(), 0);
            });
            meeting.wait();
            assert!(renewing.renew().unwrap());
        });
        let new = cookie(&renewing);
        assert_eq!(sessions.open([&*new]).unwrap().user(), Some("ann"));
        assert!(sessions.open([&*new]).unwrap().logout().unwrap());
    }
}

/// What a page lists may be renewed before its reader has chosen.
fn a_listed_session_is_ended_after_its_renewal<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    for pause in pauses() {
        let old = logged_in(&sessions, "ann");
        let listed = sessions.list_user("ann").unwrap()[0].handle;
        assert_eq!(sessions.open([&*old]).unwrap().handle(), Some(listed));
        let new = renewed_elsewhere(&sessions, &old);
        assert_eq!(sessions.list_user("ann").unwrap()[0].handle, listed, "it keeps its name");
        clock.advance(pause);
        while sessions.clean(100).unwrap().is_more {}
        assert!(!sessions.end("bob", listed).unwrap());
        assert!(sessions.end("ann", listed).unwrap(), "after {pause:?}");
        assert!(sessions.open([&*new]).unwrap().is_empty());
    }
}

/// Each has a session of its own, and both have the name of the old one: one of them lived on.
fn two_of_a_name_are_ended_as_one<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let old = logged_in(&sessions, "ann");
    let listed = sessions.list_user("ann").unwrap()[0].handle;
    let both = [(); 2].map(|()| sessions.open([&*old]).unwrap()).map(|mut session| {
        assert!(matches!(session.login("ann", None).unwrap(), Login::Admitted { .. }));
        cookie(&session)
    });
    assert!(both.iter().all(|it| sessions.open([&**it]).unwrap().handle() == Some(listed)));
    assert!(sessions.end("ann", listed).unwrap());
    assert!(both.iter().all(|it| sessions.open([&**it]).unwrap().is_empty()));
    assert!(sessions.list_user("ann").unwrap().is_empty());
}

/// Two stores on one directory are as strange to one another as two processes are.
#[test]
fn the_other_process_knows_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (here, _) = sessions(FileStore::open(dir.path()).unwrap());
    let (there, _) = sessions(FileStore::open(dir.path()).unwrap());
    for _ in 0..50 {
        let cookie = start(&here);
        assert_eq!(color(&there, &cookie).as_deref(), Some("red"));
        let mut late = there.open([&*cookie]).unwrap();
        let mut changed = here.open([&*cookie]).unwrap();
        changed.set("color", "blue").unwrap();
        assert_eq!(changed.save().unwrap(), Saved::Stored);
        assert_eq!(color(&there, &cookie).as_deref(), Some("blue"), "no copy is behind");
        assert!(here.open([&*cookie]).unwrap().logout().unwrap());
        assert_eq!(color(&there, &cookie), None, "nor is one alive");
        late.set("color", "green").unwrap();
        assert_eq!(late.save().unwrap(), Saved::Gone);
        assert_eq!(color(&here, &cookie), None);
    }
}
