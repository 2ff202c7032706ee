//! A session goes on under a new id, the old id for a moment, and whoever planted the old one gains
//! nothing by the login.

mod kit;

use std::collections::HashSet;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use kit::{ABSOLUTE, IDLE, color, cookie, sessions, start};
use larder_sessions::{Choice, Login, Saved, Sessions, Store};

on_each!(
    the_old_id_works_for_a_moment,
    a_renewal_does_not_put_off_the_absolute_end,
    parallel_requests_through_a_renewal_all_succeed,
    of_two_renewals_at_once_one_wins,
    the_planted_id_sees_nothing_of_the_login,
    a_request_under_way_gains_nothing_by_the_login,
    what_was_saved_before_the_login_is_kept,
    an_acknowledged_save_is_not_overwritten,
    an_unsettled_change_stays_one,
    whoever_renews_second_is_told_too,
    whoever_renews_second_renews_no_more,
    logout_by_the_old_id_is_one,
    another_users_values_are_not_taken_over,
    a_login_keeps_what_was_not_saved_yet,
);

const OVERLAP: Duration = Duration::from_secs(10);

fn login<S: Store>(sessions: &Sessions<S>, before: &str, user: &str) -> String {
    let mut session = sessions.open([before]).unwrap();
    assert!(matches!(session.login(user, None).unwrap(), Login::Admitted { .. }));
    assert_eq!(session.user(), Some(user));
    cookie(&session)
}

fn the_old_id_works_for_a_moment<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    let old = login(&sessions, &start(&sessions), "ann");
    let mut session = sessions.open([&*old]).unwrap();
    session.set("color", "blue").unwrap();
    assert!(session.renew().unwrap());
    let new = cookie(&session);
    assert_ne!(old, new);
    clock.advance(OVERLAP - Duration::from_millis(1));
    for cookie in [&old, &new] {
        assert_eq!(color(&sessions, cookie).as_deref(), Some("blue"));
        assert_eq!(sessions.open([&**cookie]).unwrap().user(), Some("ann"));
    }
    assert_eq!(sessions.list_user("ann").unwrap().len(), 1);
    clock.advance(Duration::from_millis(1));
    assert_eq!(color(&sessions, &old), None);
    assert_eq!(color(&sessions, &new).as_deref(), Some("blue"));
}

fn a_renewal_does_not_put_off_the_absolute_end<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    let mut now = start(&sessions);
    let uses = (ABSOLUTE.as_secs() / (IDLE / 2).as_secs()) as u32;
    for _ in 0..uses - 1 {
        clock.advance(IDLE / 2);
        let mut session = sessions.open([&*now]).unwrap();
        assert!(session.renew().unwrap());
        now = cookie(&session);
    }
    clock.advance(IDLE / 2);
    assert_eq!(color(&sessions, &now), None);
}

fn parallel_requests_through_a_renewal_all_succeed<S: Store>(store: S) {
    const REQUESTS: usize = 4;
    let (sessions, _) = sessions(store);
    let mut now = login(&sessions, &start(&sessions), "ann");
    for round in 0..10 {
        let start = Barrier::new(REQUESTS + 1);
        let mut session = sessions.open([&*now]).unwrap();
        thread::scope(|scope| {
            for nth in 0..REQUESTS {
                let (sessions, now, start) = (&sessions, &now, &start);
                scope.spawn(move || {
                    start.wait();
                    for _ in 0..3 {
                        let mut session = sessions.open([&**now]).unwrap();
                        assert_eq!(session.user(), Some("ann"));
                        session.set(&format!("{nth}"), &round).unwrap();
                        let saved = session.save().unwrap();
                        assert!(matches!(saved, Saved::Stored | Saved::Merged), "{saved:?}");
                    }
                });
            }
            start.wait();
            assert!(session.renew().unwrap());
        });
        now = cookie(&session);
        let after = sessions.open([&*now]).unwrap();
        (0..REQUESTS).for_each(|nth| assert_eq!(after.get(&nth.to_string()).unwrap(), Some(round)));
    }
}

fn of_two_renewals_at_once_one_wins<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let old = login(&sessions, &start(&sessions), "ann");
    let opened: Vec<_> = (0..4).map(|_| sessions.open([&*old]).unwrap()).collect();
    let all = Barrier::new(opened.len());
    let renewed: Vec<Option<String>> = thread::scope(|scope| {
        let renew = |mut session: larder_sessions::Session<'_, S>| {
            all.wait();
            let is_renewed = session.renew().unwrap();
            assert_eq!(session.user(), Some("ann"), "whoever did it, it is one session");
            is_renewed.then(|| cookie(&session))
        };
        let threads: Vec<_> =
            opened.into_iter().map(|session| scope.spawn(move || renew(session))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winners: HashSet<_> = renewed.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(sessions.list_user("ann").unwrap().len(), 1);
}

fn the_planted_id_sees_nothing_of_the_login<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    let planted = start(&sessions);
    let new = login(&sessions, &planted, "ann");
    let mut victim = sessions.open([&*new]).unwrap();
    victim.set("secret", &42).unwrap();
    assert_eq!(victim.save().unwrap(), Saved::Stored);
    for _ in 0..2 {
        let mut attacker = sessions.open([&*planted]).unwrap();
        assert_eq!(attacker.user(), None);
        assert_eq!(attacker.get::<u32>("secret").unwrap(), None);
        assert_eq!(sessions.peek::<u32>([&*planted], "secret").unwrap(), None);
        attacker.set("ship_to", "the thief's").unwrap();
        assert_eq!(attacker.save().unwrap(), Saved::Gone);
        assert_eq!(attacker.set_cookie(), None, "the browser may have the new one by now");
        assert_eq!(color(&sessions, &planted).as_deref(), Some("red"), "what was before is read");
        assert!(!attacker.renew().unwrap());
        assert_eq!(attacker.user(), None);
    }
    let victim = sessions.open([&*new]).unwrap();
    assert_eq!(victim.get::<String>("ship_to").unwrap(), None);
    clock.advance(OVERLAP);
    assert!(sessions.open([&*planted]).unwrap().is_empty());
    assert_eq!(sessions.open([&*new]).unwrap().user(), Some("ann"));
}

/// It was opened before the login, when the planted id was all there was.
fn a_request_under_way_gains_nothing_by_the_login<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let planted = start(&sessions);
    let mut saving = sessions.open([&*planted]).unwrap();
    let mut renewing = sessions.open([&*planted]).unwrap();
    let new = login(&sessions, &planted, "ann");
    let mut victim = sessions.open([&*new]).unwrap();
    victim.set("secret", &42).unwrap();
    assert_eq!(victim.save().unwrap(), Saved::Stored);
    for attacker in [&mut saving, &mut renewing] {
        attacker.set("ship_to", "the thief's").unwrap();
    }
    assert_eq!(saving.save().unwrap(), Saved::Gone);
    assert!(!renewing.renew().unwrap());
    for mut attacker in [saving, renewing] {
        assert_eq!((attacker.user(), attacker.set_cookie()), (None, None));
        assert_eq!(attacker.get::<u32>("secret").unwrap(), None);
        assert_eq!(attacker.get::<String>("color").unwrap().as_deref(), Some("red"));
        attacker.set("ship_to", "the thief's").unwrap();
        assert_eq!(attacker.save().unwrap(), Saved::Gone);
        assert!(!attacker.renew().unwrap());
        assert_eq!(attacker.end_others().unwrap(), 0);
    }
    let victim = sessions.open([&*new]).unwrap();
    assert_eq!(victim.get::<String>("ship_to").unwrap(), None);
    assert_eq!(victim.user(), Some("ann"));
}

fn what_was_saved_before_the_login_is_kept<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let old = start(&sessions);
    let mut slow = sessions.open([&*old]).unwrap();
    let mut logging_in = sessions.open([&*old]).unwrap();
    let mut quick = sessions.open([&*old]).unwrap();
    quick.set("before", &1).unwrap();
    assert_eq!(quick.save().unwrap(), Saved::Stored);
    assert!(matches!(logging_in.login("ann", None).unwrap(), Login::Admitted { .. }));
    let new = cookie(&logging_in);
    slow.set("after", &2).unwrap();
    assert_eq!(slow.save().unwrap(), Saved::Gone, "it is told that it came too late");
    assert_eq!(slow.get::<u32>("before").unwrap(), None, "what it read is what it goes on reading");
    let session = sessions.open([&*new]).unwrap();
    let of = |key: &str| session.get::<u32>(key).unwrap();
    assert_eq!([of("before"), of("after")], [Some(1), None]);
}

/// What a request changed and did not save was stored by its renewal over what another one had saved,
/// and nobody was told.
fn an_acknowledged_save_is_not_overwritten<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    for is_login in [false, true] {
        let conflicts = sessions.metrics().conflicts;
        let old = start(&sessions);
        let [mut one, mut two] = [(); 2].map(|()| sessions.open([&*old]).unwrap());
        one.set("n", &2).unwrap();
        one.set("one", &1).unwrap();
        assert_eq!(one.save().unwrap(), Saved::Stored);
        two.set("n", &5).unwrap();
        two.set("two", &2).unwrap();
        match is_login {
            true => assert!(matches!(two.login("ann", None).unwrap(), Login::Admitted { .. })),
            false => assert!(two.renew().unwrap()),
        }
        assert_eq!(sessions.metrics().conflicts, conflicts + 1);
        let new = cookie(&two);
        let of = |key: &str| sessions.peek::<u32>([&*new], key).unwrap();
        assert_eq!([of("n"), of("one"), of("two")], [Some(2), Some(1), Some(2)]);
        assert_eq!(two.save().unwrap(), Saved::Conflict(vec!["n".into()]));
        let saved = two.save_with(|clash| {
            assert_eq!(clash.base::<u32>()?, None);
            Choice::value(&(clash.theirs::<u32>()?.unwrap() + clash.mine::<u32>()?.unwrap()))
        });
        assert_eq!(saved.unwrap(), Saved::Stored);
        assert_eq!(of("n"), Some(7));
        assert_eq!(two.save().unwrap(), Saved::Unchanged);
    }
}

/// Neither the next renewal nor another value of the same request makes the other's go away.
fn an_unsettled_change_stays_one<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let old = start(&sessions);
    let [mut one, mut two] = [(); 2].map(|()| sessions.open([&*old]).unwrap());
    one.set("n", &2).unwrap();
    assert_eq!(one.save().unwrap(), Saved::Stored);
    two.set("n", &5).unwrap();
    assert!(two.renew().unwrap());
    two.set("n", &6).unwrap();
    assert!(two.renew().unwrap());
    assert_eq!(two.get::<u32>("n").unwrap(), Some(6), "its own view");
    assert_eq!(sessions.peek::<u32>([&*cookie(&two)], "n").unwrap(), Some(2));
    assert_eq!(two.save().unwrap(), Saved::Conflict(vec!["n".into()]));
    assert_eq!(two.save_with(|_| Ok(Choice::Mine)).unwrap(), Saved::Stored);
    assert_eq!(sessions.peek::<u32>([&*cookie(&two)], "n").unwrap(), Some(6));
}

/// It goes on in what the first has made, with what it had read before.
fn whoever_renews_second_is_told_too<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let old = start(&sessions);
    let [mut one, mut two] = [(); 2].map(|()| sessions.open([&*old]).unwrap());
    one.set("n", &2).unwrap();
    assert!(one.renew().unwrap());
    two.set("n", &5).unwrap();
    two.set("two", &2).unwrap();
    assert!(!two.renew().unwrap());
    assert_eq!(two.save().unwrap(), Saved::Conflict(vec!["n".into()]));
    assert_eq!(two.save_with(|_| Ok(Choice::Theirs)).unwrap(), Saved::Stored);
    let of = |key: &str| sessions.peek::<u32>([&*cookie(&one)], key).unwrap();
    assert_eq!([of("n"), of("two")], [Some(2), Some(2)]);
}

/// What it goes on in was renewed by then, and its next renewal made two of the one session: a
/// logout by an older id left the other.
fn whoever_renews_second_renews_no_more<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let old = login(&sessions, "", "ann");
    let [mut one, mut two] = [(); 2].map(|()| sessions.open([&*old]).unwrap());
    (0..2).for_each(|_| assert!(one.renew().unwrap()));
    two.set("two", &2).unwrap();
    (0..2).for_each(|_| assert!(!two.renew().unwrap()));
    assert_eq!(two.user(), Some("ann"));
    assert_eq!(sessions.list_user("ann").unwrap().len(), 1);
    assert!(matches!(two.save().unwrap(), Saved::Stored | Saved::Merged));
    assert_eq!(sessions.peek::<u32>([&*cookie(&one)], "two").unwrap(), Some(2));
    assert!(sessions.open([&*old]).unwrap().logout().unwrap());
    assert!(sessions.open([&*cookie(&one)]).unwrap().is_empty());
}

fn logout_by_the_old_id_is_one<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let old = start(&sessions);
    let new = login(&sessions, &old, "ann");
    assert!(sessions.open([&*old]).unwrap().logout().unwrap());
    assert!(sessions.open([&*new]).unwrap().is_empty());
    let old = login(&sessions, "", "ann");
    let mut session = sessions.open([&*old]).unwrap();
    assert!(session.renew().unwrap());
    assert!(sessions.open([&*old]).unwrap().logout().unwrap());
    assert!(sessions.open([&*cookie(&session)]).unwrap().is_empty());
}

fn another_users_values_are_not_taken_over<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let ann = login(&sessions, &start(&sessions), "ann");
    let again = login(&sessions, &ann, "ann");
    assert_eq!(color(&sessions, &again).as_deref(), Some("red"), "the same user's are");
    assert_eq!(sessions.list_user("ann").unwrap().len(), 1);
    let bob = login(&sessions, &again, "bob");
    assert_eq!(color(&sessions, &bob), None);
    assert!(sessions.open([&*again]).unwrap().is_empty(), "and that session is over");
}

fn a_login_keeps_what_was_not_saved_yet<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let mut session = sessions.open(None).unwrap();
    session.set("color", "red").unwrap();
    assert!(matches!(session.login("ann", None).unwrap(), Login::Admitted { .. }));
    assert_eq!(session.save().unwrap(), Saved::Unchanged);
    assert_eq!(color(&sessions, &cookie(&session)).as_deref(), Some("red"));
    assert_eq!(sessions.metrics().created, 1);
}
