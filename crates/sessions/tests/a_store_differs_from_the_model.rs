//! Histories of calls against a model that is plain enough to be read, on every store.

mod kit;

use std::collections::BTreeMap;
use std::time::Duration;

use kit::{IDLE, sessions};
use larder_sessions::{ManualClock, Saved, Sessions, Store};
use proptest::prelude::*;

/// What a browser and its requests may do to one of four sessions.
#[derive(Clone, Debug)]
enum Step {
    Start(usize),
    Open(usize),
    Set(usize, u8, u32),
    Remove(usize, u8),
    Save(usize),
    Peek(usize, u8),
    Logout(usize),
    Renew(usize),
    Wait(u32),
    Clean(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (who, key) = (0..4_usize, 0..3_u8);
    let step = prop_oneof![
        2 => who.clone().prop_map(Step::Start),
        2 => who.clone().prop_map(Step::Open),
        4 => (who.clone(), key.clone(), 0..9_u32).prop_map(|(w, k, v)| Step::Set(w, k, v)),
        1 => (who.clone(), key.clone()).prop_map(|(w, k)| Step::Remove(w, k)),
        4 => who.clone().prop_map(Step::Save),
        3 => (who.clone(), key).prop_map(|(w, k)| Step::Peek(w, k)),
        1 => who.clone().prop_map(Step::Logout),
        1 => who.prop_map(Step::Renew),
        2 => (1..40_u32).prop_map(Step::Wait),
        1 => (1..4_usize).prop_map(Step::Clean),
    ];
    proptest::collection::vec(step, 1..60)
}

type Values = BTreeMap<u8, u32>;

/// A session: its values, and when it was last used, in minutes.
#[derive(Clone, Default)]
struct Model {
    values: Values,
    is_over: bool,
    used_min: u32,
}

/// A request that was opened: what it read, and what it changed.
struct Request<'a, S> {
    session: larder_sessions::Session<'a, S>,
    of: usize,
    read: Values,
    changes: BTreeMap<u8, Option<u32>>,
}

struct World<'a, S> {
    sessions: &'a Sessions<S>,
    clock: ManualClock,
    now_min: u32,
    models: Vec<Model>,
    cookies: Vec<String>,
    /// By seat: which session its browser has, and its request under way.
    seats: [Option<usize>; 4],
    requests: [Option<Request<'a, S>>; 4],
}

fn run<S: Store>(store: S, steps: Vec<Step>) {
    let (sessions, clock) = sessions(store);
    let mut world = World {
        sessions: &sessions,
        clock,
        now_min: 0,
        models: Vec::new(),
        cookies: Vec::new(),
        seats: [None; 4],
        requests: [const { None }; 4],
    };
    steps.into_iter().for_each(|step| world.step(step));
}

const IDLE_MIN: u32 = (IDLE.as_secs() / 60) as u32;

impl<S: Store> World<'_, S> {
    /// What the model knows of a session: `None` in the time in which a store may do either.
    fn is_live(&self, of: usize) -> Option<bool> {
        let (model, idle_min) = (&self.models[of], self.now_min - self.models[of].used_min);
        match idle_min {
            _ if model.is_over => Some(false),
            _ if idle_min < IDLE_MIN => Some(true),
            _ if idle_min > IDLE_MIN + IDLE_MIN / 4 => Some(false),
            _ => None,
        }
    }

    /// Notes what a store did where it may do either.
    fn note(&mut self, of: usize, was_there: bool) {
        if let Some(expected) = self.is_live(of) {
            assert_eq!(was_there, expected, "session {of} at minute {}", self.now_min);
        }
        match was_there {
            true => self.models[of].used_min = self.now_min,
            false => self.models[of].is_over = true,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Start(who) => self.start(who),
            Step::Open(who) => self.open(who),
            Step::Set(who, key, value) => self.change(who, key, Some(value)),
            Step::Remove(who, key) => self.change(who, key, None),
            Step::Save(who) => self.save(who),
            Step::Peek(who, key) => self.peek(who, key),
            Step::Logout(who) => self.logout(who),
            Step::Renew(who) => self.renew(who),
            Step::Wait(minutes) => {
                self.clock.advance(Duration::from_secs(u64::from(minutes) * 60));
                self.now_min += minutes;
            }
            Step::Clean(budget) => assert!(self.sessions.clean(budget).unwrap().removed <= budget),
        }
    }

    fn start(&mut self, who: usize) {
        let mut session = self.sessions.open(None).unwrap();
        session.set("0", &0).unwrap();
        assert_eq!(session.save().unwrap(), Saved::Stored);
        let values = Values::from([(0, 0)]);
        self.models.push(Model { values, is_over: false, used_min: self.now_min });
        self.cookies.push(kit::cookie(&session));
        self.seats[who] = Some(self.models.len() - 1);
        // The next seat has the same browser, now and then.
        if self.models.len().is_multiple_of(2) {
            self.seats[(who + 1) % 4] = self.seats[who];
        }
    }

    fn open(&mut self, who: usize) {
        let Some(of) = self.seats[who] else { return };
        let session = self.sessions.open([&*self.cookies[of]]).unwrap();
        self.note(of, !session.is_empty());
        if session.is_empty() {
            self.requests[who] = None;
            return;
        }
        let read = self.models[of].values.clone();
        for key in 0..3 {
            let value = session.get::<u32>(&key.to_string()).unwrap();
            assert_eq!(value, read.get(&key).copied());
        }
        self.requests[who] = Some(Request { session, of, read, changes: BTreeMap::new() });
    }

    fn change(&mut self, who: usize, key: u8, value: Option<u32>) {
        let Some(request) = &mut self.requests[who] else { return };
        match value {
            Some(value) => request.session.set(&key.to_string(), &value).unwrap(),
            None => request.session.remove(&key.to_string()),
        }
        request.changes.insert(key, value);
    }

    fn save(&mut self, who: usize) {
        let Some(mut request) = self.requests[who].take() else { return };
        let of = request.of;
        let saved = request.session.save().unwrap();
        if request.changes.is_empty() {
            assert_eq!(saved, Saved::Unchanged);
            return;
        }
        let theirs = self.models[of].values.clone();
        let is_clash = |key: &&u8| request.read.get(key) != theirs.get(key);
        let clashes: Vec<_> =
            request.changes.keys().filter(is_clash).map(ToString::to_string).collect();
        // A conflict is found out from what was read, before it is known that all is over.
        if let Saved::Conflict(keys) = saved {
            assert_eq!(keys, clashes);
            assert_ne!(self.is_live(of), Some(false));
            return;
        }
        self.note(of, saved != Saved::Gone);
        if saved == Saved::Gone {
            return;
        }
        assert_eq!(clashes, Vec::<String>::new(), "{saved:?}");
        for (&key, value) in &request.changes {
            match value {
                Some(value) => self.models[of].values.insert(key, *value),
                None => self.models[of].values.remove(&key),
            };
        }
    }

    fn peek(&mut self, who: usize, key: u8) {
        let Some(of) = self.seats[who] else { return };
        let value = self.sessions.peek::<u32>([&*self.cookies[of]], &key.to_string()).unwrap();
        let is_there = !self.sessions.open([&*self.cookies[of]]).unwrap().is_empty();
        self.note(of, is_there);
        let expected = self.models[of].values.get(&key).copied().filter(|_| is_there);
        assert_eq!(value, expected);
    }

    fn logout(&mut self, who: usize) {
        let Some(mut request) = self.requests[who].take() else { return };
        let was_there = request.session.logout().unwrap();
        self.note(request.of, was_there);
        self.models[request.of].is_over = true;
    }

    fn renew(&mut self, who: usize) {
        let Some(mut request) = self.requests[who].take() else { return };
        let is_new = request.session.renew().unwrap();
        let was_there = !request.session.is_gone();
        self.note(request.of, was_there);
        if !is_new {
            return;
        }
        // Renewal stores what was changed, but onto what others have changed nothing.
        let theirs = self.models[request.of].values.clone();
        let is_clash = |key: &u8| request.read.get(key) != theirs.get(key);
        let clashes = request.changes.keys().filter(|key| is_clash(key));
        let told = match clashes.map(ToString::to_string).collect::<Vec<_>>() {
            none if none.is_empty() => Saved::Unchanged,
            clashes => Saved::Conflict(clashes),
        };
        assert_eq!(request.session.save().unwrap(), told);
        for (&key, value) in request.changes.iter().filter(|(key, _)| !is_clash(key)) {
            match value {
                Some(value) => self.models[request.of].values.insert(key, *value),
                None => self.models[request.of].values.remove(&key),
            };
        }
        self.cookies[request.of] = kit::cookie(&request.session);
        // Requests with the old id go on for a moment, which is less than a minute.
        for other in &mut self.requests {
            if other.as_ref().is_some_and(|other| other.of == request.of) {
                *other = None;
            }
        }
    }
}

/// Fewer cases where each costs system calls.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

proptest! {
    #![proptest_config(cases(200))]
    #[test]
    fn memory_is_as_the_model(steps in steps()) {
        run(kit::memory().store, steps);
    }
}

proptest! {
    #![proptest_config(cases(40))]
    #[test]
    fn files_are_as_the_model(steps in steps()) {
        let held = kit::file();
        run(held.store, steps);
    }

    #[test]
    fn files_alone_are_as_the_model(steps in steps()) {
        let held = kit::file_alone();
        run(held.store, steps);
    }

    #[test]
    fn files_without_copies_are_as_the_model(steps in steps()) {
        let held = kit::file_cold();
        run(held.store, steps);
    }
}

#[cfg(feature = "sqlite")]
proptest! {
    #![proptest_config(cases(25))]
    #[test]
    fn sqlite_is_as_the_model(steps in steps()) {
        let held = kit::sqlite();
        run(held.store, steps);
    }
}
