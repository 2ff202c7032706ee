//! Change feeds: a hook that is a closure, one that is a type, and scopes that are no concern.
#![cfg(not(loom))]

use larder_memo::{Bumps, ChangeFeed, Memo, Tables};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

type Hook = Box<dyn Fn(&[&str]) + Send + Sync>;

/// A database that tells of its commits and knows nothing of memos.
#[derive(Default)]
struct Database {
    hooks: Mutex<Vec<Hook>>,
}

impl Database {
    fn on_commit(&self, hook: impl Fn(&[&str]) + Send + Sync + 'static) {
        self.hooks.lock().unwrap().push(Box::new(hook));
    }

    fn commit(&self, tables: &[&str]) {
        self.hooks.lock().unwrap().iter().for_each(|hook| hook(tables));
    }
}

fn memo_of(tables: &Tables, name: &str) -> Memo<u8, u32> {
    let memo = Memo::builder(8).depends_on(tables, [name]).build();
    memo.insert(1, 1);
    memo
}

#[test]
fn by_the_memos_of_its_tables() {
    let (database, tables) = (Database::default(), Tables::new());
    let (rows, users) = (memo_of(&tables, "rows"), memo_of(&tables, "users"));
    tables.follow(|bumps: Bumps| database.on_commit(move |changed| bumps.bump_all(changed)));
    thread::scope(|scope| {
        scope.spawn(|| database.commit(&["rows", "unheard of"]));
    });
    assert_eq!((rows.get(&1), users.get(&1)), (None, Some(1)));
}

/// The writer's own scope is rolled back: what another has committed is committed all the same.
#[test]
fn inside_a_scope_that_is_rolled_back() {
    let (database, tables) = (Database::default(), Tables::new());
    let memo = memo_of(&tables, "rows");
    tables.follow(|bumps: Bumps| database.on_commit(move |changed| bumps.bump(changed[0])));
    let open = tables.transaction();
    database.commit(&["rows"]);
    open.rollback();
    assert_eq!(memo.get(&1), None);
}

/// The usual order of a writer: its database commits and reports, then its scope commits. The
/// report is heard once: what was loaded after it is as good after the scope.
#[test]
fn or_is_heard_of_twice() {
    let (database, tables) = (Database::default(), Tables::new());
    let memo = memo_of(&tables, "rows");
    tables.follow(|bumps: Bumps| database.on_commit(move |changed| bumps.bump_all(changed)));
    let open = tables.transaction();
    database.commit(&["rows"]);
    thread::scope(|scope| scope.spawn(|| memo.get_or_load(&1, || 2)).join().unwrap());
    open.commit();
    assert_eq!(memo.get(&1), Some(2));
}

/// A feed with a connection that can be lost; the subscription is what keeps it.
struct Notifications {
    lines: Arc<Mutex<Vec<Weak<Bumps>>>>,
}

impl ChangeFeed for Notifications {
    type Subscription = Arc<Bumps>;

    fn subscribe(self, bumps: Bumps) -> Arc<Bumps> {
        let bumps = Arc::new(bumps);
        self.lines.lock().unwrap().push(Arc::downgrade(&bumps));
        bumps
    }
}

#[test]
fn while_the_subscription_is_kept() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let tables = Tables::new();
    let memo = memo_of(&tables, "rows");
    let notify = || {
        let live: Vec<Arc<Bumps>> =
            lines.lock().unwrap().iter().filter_map(Weak::upgrade).collect();
        live.iter().for_each(|bumps| bumps.bump_every());
    };
    let kept = tables.follow(Notifications { lines: lines.clone() });
    notify();
    assert_eq!(memo.get(&1), None);
    memo.insert(1, 1);
    drop(kept);
    notify();
    assert_eq!(memo.get(&1), Some(1), "it was given up");
}
