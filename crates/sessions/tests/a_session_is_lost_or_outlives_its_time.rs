//! A session lives for its idle time after each use, never past its absolute end, and costs nothing
//! before it is written to.

mod kit;

use std::time::Duration;

use kit::{ABSOLUTE, IDLE, MINUTE, color, cookie, sessions, start};
use larder_sessions::{Login, Saved, Store};

on_each!(
    a_value_comes_back,
    a_visitor_who_writes_nothing_costs_nothing,
    an_unknown_id_is_not_adopted,
    idle_ends_it_and_use_puts_that_off,
    use_does_not_put_off_the_absolute_end,
    uses_are_written_at_most_sixteen_times_an_idle_time,
    a_save_onto_an_expired_session_is_refused,
    clean_up_removes_what_has_expired_and_nothing_else,
    values_and_sessions_are_bounded,
    a_key_of_the_next_release_is_kept,
    logout_ends_it,
    the_first_live_cookie_of_several_counts,
);

fn a_value_comes_back<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let cookie = start(&sessions);
    assert_eq!(color(&sessions, &cookie).as_deref(), Some("red"));
    let mut session = sessions.open([&*cookie]).unwrap();
    session.set("count", &7).unwrap();
    session.remove("color");
    assert_eq!(session.get::<String>("color").unwrap(), None, "as this request has changed it");
    assert_eq!(color(&sessions, &cookie).as_deref(), Some("red"), "not saved yet");
    assert_eq!(session.save().unwrap(), Saved::Stored);
    assert_eq!(session.set_cookie(), None, "the id is what it was");
    assert_eq!(color(&sessions, &cookie), None);
    assert_eq!(sessions.peek::<u32>([&*cookie], "count").unwrap(), Some(7));
    assert!(sessions.peek::<Vec<u8>>([&*cookie], "count").unwrap_err().is_value());
    assert_eq!(sessions.metrics().census.live, 1);
}

fn a_visitor_who_writes_nothing_costs_nothing<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let mut session = sessions.open(None).unwrap();
    assert!(session.is_empty());
    assert_eq!(session.get::<String>("color").unwrap(), None);
    session.remove("color");
    assert_eq!(session.save().unwrap(), Saved::Unchanged);
    assert_eq!(session.set_cookie(), None);
    assert!(!session.logout().unwrap());
    let metrics = sessions.metrics();
    assert_eq!((metrics.census.live, metrics.created), (0, 0));
}

fn an_unknown_id_is_not_adopted<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let planted = "__Host-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut session = sessions.open([planted]).unwrap();
    assert!(session.is_empty());
    assert_eq!(sessions.metrics().unknown, 1);
    session.set("color", "red").unwrap();
    assert_eq!(session.save().unwrap(), Saved::Stored);
    assert_ne!(cookie(&session), planted);
    assert_eq!(color(&sessions, planted), None);
}

fn idle_ends_it_and_use_puts_that_off<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    let cookie = start(&sessions);
    for _ in 0..20 {
        clock.advance(IDLE - Duration::from_millis(1));
        assert_eq!(color(&sessions, &cookie).as_deref(), Some("red"));
    }
    clock.advance(IDLE + IDLE / 8);
    assert_eq!(color(&sessions, &cookie), None);
    assert!(sessions.open([&*cookie]).unwrap().is_empty());
}

fn use_does_not_put_off_the_absolute_end<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    let cookie = start(&sessions);
    let uses = (ABSOLUTE.as_secs() / MINUTE.as_secs()) as u32;
    for _ in 0..uses - 1 {
        clock.advance(MINUTE);
        assert_eq!(color(&sessions, &cookie).as_deref(), Some("red"));
    }
    clock.advance(MINUTE);
    assert_eq!(color(&sessions, &cookie), None);
}

fn uses_are_written_at_most_sixteen_times_an_idle_time<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    let cookie = start(&sessions);
    for _ in 0..IDLE.as_secs() / 5 {
        clock.advance(Duration::from_secs(5));
        assert_eq!(color(&sessions, &cookie).as_deref(), Some("red"));
    }
    let touched = sessions.metrics().touched;
    assert!((8..=16).contains(&touched), "{touched} writes in one idle time");
}

fn a_save_onto_an_expired_session_is_refused<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    let cookie = start(&sessions);
    let mut session = sessions.open([&*cookie]).unwrap();
    session.set("color", "blue").unwrap();
    clock.advance(2 * IDLE);
    assert_eq!(session.save().unwrap(), Saved::Gone);
    assert!(session.is_gone());
    assert!(session.set_cookie().unwrap().contains("Max-Age=0"));
    session.set("color", "green").unwrap();
    assert_eq!(session.save().unwrap(), Saved::Gone, "and it does not start anew");
    assert_eq!(color(&sessions, &cookie), None);
}

fn clean_up_removes_what_has_expired_and_nothing_else<S: Store>(store: S) {
    let (sessions, clock) = sessions(store);
    let mut idle: Vec<_> = (0..40).map(|_| start(&sessions)).collect();
    let used = idle.split_off(10);
    assert_eq!(sessions.clean(1000).unwrap().removed, 0);
    clock.advance(IDLE * 3 / 4);
    used.iter().for_each(|cookie| assert!(color(&sessions, cookie).is_some()));
    clock.advance(IDLE / 2);
    assert!(sessions.clean(3).unwrap().removed <= 3);
    while sessions.clean(3).unwrap().is_more {}
    assert_eq!(sessions.metrics().expired, 10);
    used.iter().for_each(|cookie| assert!(color(&sessions, cookie).is_some()));
    idle.iter().for_each(|cookie| assert!(color(&sessions, cookie).is_none()));
    let census = sessions.metrics().census;
    assert_eq!((census.live, census.backlog), (30, 0));
    clock.advance(2 * IDLE);
    assert_eq!(sessions.metrics().census.live, 0);
    while sessions.clean(1000).unwrap().is_more {}
    assert_eq!(sessions.metrics().expired, 40);
    assert_eq!(sessions.clean(1000).unwrap().removed, 0);
}

fn values_and_sessions_are_bounded<S: Store>(store: S) {
    let builder = larder_sessions::Sessions::builder(store);
    let sessions = builder.max_value_bytes(100).max_session_bytes(250).build();
    let mut session = sessions.open(None).unwrap();
    let error = session.set("a", &"x".repeat(99)).unwrap_err();
    assert!(error.is_too_large());
    assert_eq!(error.to_string(), "the value of \"a\" takes 101 bytes, the limit is 100");
    assert_eq!(session.get::<String>("a").unwrap(), None);
    assert!(session.set(&"k".repeat(257), &1).unwrap_err().is_too_large());
    session.set("a", &"x".repeat(98)).unwrap();
    session.set("b", &"x".repeat(98)).unwrap();
    assert_eq!(session.save().unwrap(), Saved::Stored);
    session.set("c", &"x".repeat(98)).unwrap();
    assert!(session.save().unwrap_err().is_too_large());
    session.remove("a");
    assert_eq!(session.save().unwrap(), Saved::Stored, "the changes were kept");
    assert!(session.login(&"u".repeat(257), None).unwrap_err().is_too_large());
}

fn a_key_of_the_next_release_is_kept<S: Store>(store: S) {
    #[derive(serde::Serialize)]
    struct Next {
        name: String,
        theme: String,
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Now {
        name: String,
        #[serde(default)]
        visits: u32,
    }
    let (sessions, _) = sessions(store);
    let mut next = sessions.open(None).unwrap();
    next.set("who", &Next { name: "Ann".into(), theme: "dark".into() }).unwrap();
    next.set("unheard of", &[1, 2, 3]).unwrap();
    assert_eq!(next.save().unwrap(), Saved::Stored);
    let cookie = cookie(&next);
    let mut now = sessions.open([&*cookie]).unwrap();
    let who: Now = now.get("who").unwrap().unwrap();
    assert_eq!((&*who.name, who.visits), ("Ann", 0));
    now.set("who", &Now { visits: 1, ..who }).unwrap();
    assert_eq!(now.save().unwrap(), Saved::Stored);
    assert_eq!(sessions.peek([&*cookie], "unheard of").unwrap(), Some(vec![1, 2, 3]));
}

fn logout_ends_it<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let cookie = start(&sessions);
    let mut session = sessions.open([&*cookie]).unwrap();
    assert!(matches!(session.login("ann", None).unwrap(), Login::Admitted { ended: 0, .. }));
    let after = kit::cookie(&session);
    let mut session = sessions.open([&*after]).unwrap();
    assert_eq!(session.user(), Some("ann"));
    assert!(session.logout().unwrap());
    assert!(session.set_cookie().unwrap().starts_with("__Host-session=; "));
    assert!(sessions.open([&*after]).unwrap().is_empty());
    assert_eq!(color(&sessions, &after), None);
    assert!(sessions.list_user("ann").unwrap().is_empty());
}

fn the_first_live_cookie_of_several_counts<S: Store>(store: S) {
    let (sessions, _) = sessions(store);
    let cookie = start(&sessions);
    let planted = "__Host-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let header = format!("a=b; {planted};x; __Host-session=; {cookie}; c=d");
    assert_eq!(color(&sessions, &header).as_deref(), Some("red"));
    let many = format!("{}; {cookie}", vec![planted; 50].join("; "));
    assert_eq!(color(&sessions, &many), None, "a bounded number is tried");
    let headers = ["a=b", &*cookie];
    assert_eq!(sessions.peek(headers, "color").unwrap(), Some("red".to_string()));
    assert_eq!(color(&sessions, &cookie.replace("session", "Session")), None);
    assert_eq!(color(&sessions, &format!("{cookie}A")), None);
    assert_eq!(color(&sessions, &format!("{cookie}=")), None);
}
