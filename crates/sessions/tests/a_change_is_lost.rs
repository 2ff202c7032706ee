//! Two requests that change one session both keep their changes, or one of them is told.

mod kit;

use std::thread;

use kit::{cookie, sessions, start};
use larder_sessions::{Choice, Saved, Store};

on_each!(
    changes_of_different_keys_are_merged,
    changes_of_one_key_conflict_and_nothing_is_stored,
    the_same_change_twice_is_a_conflict,
    a_caller_can_decide,
    no_increment_is_lost,
    no_key_is_lost,
);

fn changes_of_different_keys_are_merged<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let cookie = start(&sessions);
    let mut one = sessions.open([&*cookie]).unwrap();
    let mut two = sessions.open([&*cookie]).unwrap();
    one.set("a", &1).unwrap();
    two.set("b", &2).unwrap();
    two.remove("color");
    assert_eq!(one.save().unwrap(), Saved::Stored);
    assert_eq!(two.save().unwrap(), Saved::Merged);
    assert_eq!(two.get::<u32>("a").unwrap(), Some(1), "what was merged with is seen");
    let last = sessions.open([&*cookie]).unwrap();
    let of = |key: &str| last.get::<u32>(key).unwrap();
    assert_eq!((of("a"), of("b")), (Some(1), Some(2)));
    assert_eq!(last.get::<String>("color").unwrap(), None);
    assert_eq!(sessions.metrics().merged, 1);
}

fn changes_of_one_key_conflict_and_nothing_is_stored<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let cookie = start(&sessions);
    let mut one = sessions.open([&*cookie]).unwrap();
    let mut two = sessions.open([&*cookie]).unwrap();
    one.set("color", "blue").unwrap();
    two.set("color", "green").unwrap();
    two.set("other", &true).unwrap();
    assert_eq!(one.save().unwrap(), Saved::Stored);
    assert_eq!(two.save().unwrap(), Saved::Conflict(vec!["color".into()]));
    assert_eq!(two.save().unwrap(), Saved::Conflict(vec!["color".into()]), "still");
    let last = sessions.open([&*cookie]).unwrap();
    assert_eq!(last.get::<String>("color").unwrap().as_deref(), Some("blue"));
    assert_eq!(last.get::<bool>("other").unwrap(), None);
    assert_eq!(two.save_with(|_| Ok(Choice::Mine)).unwrap(), Saved::Merged);
    assert_eq!(kit::color(&sessions, &cookie).as_deref(), Some("green"));
}

fn the_same_change_twice_is_a_conflict<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let cookie = start(&sessions);
    let mut one = sessions.open([&*cookie]).unwrap();
    let mut two = sessions.open([&*cookie]).unwrap();
    for session in [&mut one, &mut two] {
        session.remove("never there");
        session.set("count", &1).unwrap();
    }
    assert_eq!(one.save().unwrap(), Saved::Stored);
    assert_eq!(two.save().unwrap(), Saved::Conflict(vec!["count".into()]), "of two counts");
}

fn a_caller_can_decide<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let cookie = start(&sessions);
    let mut one = sessions.open([&*cookie]).unwrap();
    let mut two = sessions.open([&*cookie]).unwrap();
    one.set("color", "blue").unwrap();
    two.set("color", "green").unwrap();
    assert_eq!(one.save().unwrap(), Saved::Stored);
    let saved = two.save_with(|clash| {
        assert_eq!(clash.key(), "color");
        assert_eq!(clash.base::<String>()?.as_deref(), Some("red"));
        assert_eq!(clash.theirs::<String>()?.as_deref(), Some("blue"));
        assert_eq!(clash.mine::<String>()?.as_deref(), Some("green"));
        Choice::value("blue-green")
    });
    assert_eq!(saved.unwrap(), Saved::Merged);
    assert_eq!(kit::color(&sessions, &cookie).as_deref(), Some("blue-green"));
}

fn no_increment_is_lost<S: Store>(store: S) {
    const THREADS: u32 = 4;
    const EACH: u32 = 10;
    let (sessions, _) = sessions(store);
    let cookie = start(&sessions);
    let count_on = || {
        for _ in 0..EACH {
            let mut session = sessions.open([&*cookie]).unwrap();
            let now = session.get::<u32>("count").unwrap().unwrap_or(0);
            session.set("count", &(now + 1)).unwrap();
            let saved = session.save_with(|clash| {
                let of = |value: Option<u32>| value.unwrap_or(0);
                Choice::value(&(of(clash.theirs()?) + of(clash.mine()?) - of(clash.base()?)))
            });
            assert!(matches!(saved.unwrap(), Saved::Stored | Saved::Merged));
        }
    };
    thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(count_on))));
    assert_eq!(sessions.peek([&*cookie], "count").unwrap(), Some(THREADS * EACH));
}

/// Each thread has its key: all are merged, without anybody to decide.
fn no_key_is_lost<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let mut session = sessions.open(None).unwrap();
    session.set("base", &0).unwrap();
    assert_eq!(session.save().unwrap(), Saved::Stored);
    let cookie = cookie(&session);
    thread::scope(|scope| {
        for nth in 0..4 {
            let (sessions, cookie) = (&sessions, &cookie);
            scope.spawn(move || {
                for count in 1..=10 {
                    let mut session = sessions.open([&**cookie]).unwrap();
                    session.set(&format!("key {nth}"), &count).unwrap();
                    let saved = session.save().unwrap();
                    assert!(matches!(saved, Saved::Stored | Saved::Merged), "{saved:?}");
                }
            });
        }
    });
    let last = sessions.open([&*cookie]).unwrap();
    (0..4).for_each(|nth| assert_eq!(last.get(&format!("key {nth}")).unwrap(), Some(10)));
}
