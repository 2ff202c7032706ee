//! What one thread does: a random program, made from a seed.

use crate::history::{Event, Keys, UNCOMMITTED, What};
use crate::world::{ALL, KEYS, Kind, Loaded, TABLE, World};
use larder_memo::{Load, LoadError};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::thread;

pub struct Worker<'w> {
    world: &'w World,
    random: Cell<u64>,
    events: RefCell<Vec<Event>>,
}

impl<'w> Worker<'w> {
    pub fn new(world: &'w World, seed: u64) -> Self {
        Worker { world, random: Cell::new(seed), events: RefCell::default() }
    }

    pub fn into_events(self) -> Vec<Event> {
        self.events.into_inner()
    }

    /// Does one thing.
    pub fn step(&mut self) {
        let key = self.below(u64::from(KEYS)) as u8;
        let (memo, tables) = (&self.world.memo, &self.world.tables);
        self.pause();
        if self.world.kind == Kind::Aging {
            self.world.seconds.fetch_add(self.below(3), Ordering::SeqCst);
        }
        if self.world.kind == Kind::Whole {
            return self.step_of_whole(key);
        }
        match self.below(50) {
            0..6 => self.look(key),
            6..18 => self.load(key),
            18..22 => self.try_load(key),
            22..24 => self.fail_to_load(key),
            24..26 => self.panic_in_load(key),
            26..29 => self.write_through(key),
            29..32 => self.change_and(key, 1 << key, || memo.invalidate(&key)),
            32 => self.change_and(key, ALL, || memo.invalidate_all()),
            33..35 => self.change_and(key, ALL, || tables.bump(TABLE)),
            35 => self.change_and(key, ALL, || tables.bump_every()),
            36 => self.forget(1 << key, || memo.invalidate(&key)),
            37 => {
                self.change(key);
                self.forget_touching(1 << key, ALL, || memo.invalidate_if(|of, _| *of == key));
            }
            38..40 => self.find(key),
            40..46 => self.load_many(key),
            _ => self.transact(key),
        }
    }

    /// Does one thing with a table that is loaded as a whole.
    fn step_of_whole(&self, key: u8) {
        let tables = &self.world.tables;
        match self.below(20) {
            0..9 => self.look_up(key),
            9..12 => self.snapshot(),
            12..16 => {
                self.change(key);
                self.pause();
                self.reload();
            }
            16 => self.reload(),
            17 => self.change_and(key, ALL, || tables.bump(TABLE)),
            _ => {
                let open = tables.transaction();
                open.bump(TABLE);
                self.change_and(key, ALL, || open.commit());
            }
        }
    }

    /// Reads every key once.
    pub fn read_all(&mut self) {
        match self.world.kind {
            // Of two loads one succeeds.
            Kind::Whole => (0..2).for_each(|_| self.snapshot()),
            _ => (0..KEYS).for_each(|key| self.load(key)),
        }
    }

    /// Notes nothing where the table's load failed.
    fn look_up(&self, key: u8) {
        let from = self.world.ticks.next();
        if let Ok(row) = self.world.table.get(&key) {
            let Loaded { load, version } = row.expect("every key has a row");
            self.note(from, What::Read { key, version });
            self.note(from, What::Whole { load });
        }
    }

    fn snapshot(&self) {
        let from = self.world.ticks.next();
        let Ok(whole) = self.world.table.snapshot() else { return };
        let rows = (0..KEYS).map(|key| *whole.get(&key).expect("every key has a row"));
        let rows: Vec<Loaded> = rows.collect();
        assert!(rows.iter().all(|row| row.load == rows[0].load), "of several loads: {rows:?}");
        for (key, row) in (0..KEYS).zip(&rows) {
            self.note(from, What::Read { key, version: row.version });
        }
        self.note(from, What::Whole { load: rows[0].load });
    }

    fn reload(&self) {
        let from = self.world.ticks.next();
        if self.world.table.reload().is_ok() {
            self.note(from, What::Forget { keys: ALL, touched: ALL });
        }
    }

    fn look(&self, key: u8) {
        self.read(key, || self.world.memo.get(&key));
    }

    fn load(&self, key: u8) {
        let asked = self.world.ticks.next();
        let load = |load: &Load<'_>| self.select(load, &[key], asked)[0].1;
        self.read(key, || Some(self.world.memo.get_or_load_with(&key, load)));
    }

    fn try_load(&self, key: u8) {
        let asked = self.world.ticks.next();
        let load = |load: &Load<'_>| Ok::<_, ()>(self.select(load, &[key], asked)[0].1);
        self.read(key, || self.world.memo.get_or_try_load_with(&key, load).ok());
    }

    fn find(&self, key: u8) {
        let asked = self.world.ticks.next();
        let load = |load: &Load<'_>| Ok::<_, ()>(Some(self.select(load, &[key], asked)[0].1));
        self.read(key, || self.world.memo.get_or_find_with(&key, load).unwrap());
    }

    /// Two keys or all of them in one load, in some order; it may fail.
    fn load_many(&self, first: u8) {
        let step = 1 + self.below(2) as u8;
        let keys = [0, step, 2 * step].map(|ahead| (first + ahead) % KEYS);
        let keys = &keys[..2 + self.below(2) as usize];
        let asked = self.world.ticks.next();
        let load = |missing: &[u8], load: &Load<'_>| {
            let rows = self.select(load, missing, asked);
            if self.below(5) == 0 { Err("no") } else { Ok(rows) }
        };
        if let Ok(values) = self.world.memo.try_get_many_with(keys, load) {
            for (key, version) in keys.iter().zip(values) {
                let (key, version) = (*key, version.expect("every key has a row"));
                self.note(asked, What::Read { key, version });
            }
        }
    }

    fn fail_to_load(&self, key: u8) {
        let asked = self.world.ticks.next();
        let load = |load: &Load<'_>| {
            self.select(load, &[key], asked);
            Err("no")
        };
        self.read(key, || match self.world.memo.get_or_try_load_with(&key, load) {
            Ok(version) => Some(version),
            Err(LoadError::Loader(_)) => None,
            Err(LoadError::Memo(error)) => panic!("{error}"),
        });
    }

    fn panic_in_load(&self, key: u8) {
        let asked = self.world.ticks.next();
        let load = |load: &Load<'_>| -> u64 {
            self.select(load, &[key], asked);
            resume_unwind(Box::new("no"))
        };
        let call = AssertUnwindSafe(|| self.world.memo.get_or_load_with(&key, load));
        self.read(key, || catch_unwind(call).ok());
    }

    /// Changes a row and puts it into the memo before anybody else changes it. What is inserted
    /// names no table, so that it is not done where loads have to.
    fn write_through(&self, key: u8) {
        if self.world.kind == Kind::Named {
            return;
        }
        let from = self.world.ticks.next();
        self.world.update(key, |version| {
            self.note(from, What::Write { key, version });
            self.pause();
            self.forget(1 << key, || self.world.memo.insert(key, version));
        });
    }

    fn change_and(&self, key: u8, keys: Keys, forget: impl FnOnce()) {
        self.change(key);
        self.pause();
        self.forget(keys, forget);
    }

    /// A transaction that sees its own rows, and commits or not.
    fn transact(&self, key: u8) {
        let open = self.world.tables.transaction();
        for _ in 0..self.below(3) {
            self.pause();
            self.stay_apart((key + self.below(2) as u8) % KEYS);
        }
        open.bump(TABLE);
        match self.below(3) {
            0 => open.rollback(),
            _ => self.change_and(key, ALL, || open.commit()),
        }
    }

    /// Inside a transaction nothing comes from the memo, and nothing goes into it.
    fn stay_apart(&self, key: u8) {
        let memo = &self.world.memo;
        let own = UNCOMMITTED + self.below(1000);
        match self.below(4) {
            0 => assert_eq!(memo.get(&key), None),
            1 => assert_eq!(memo.get_many(&[key], |_| [(key, own)]), [Some(own)]),
            2 => assert_eq!(memo.get_or_load(&key, || own), own),
            _ => self.forget(1 << key, || memo.insert(key, own)),
        }
    }

    /// The loader: reads the rows between two pauses.
    fn select(&self, load: &Load<'_>, keys: &[u8], asked: u64) -> Vec<(u8, u64)> {
        let from = self.world.ticks.next();
        self.pause();
        let rows = keys.iter().map(|key| (*key, self.world.select(*key))).collect();
        self.pause();
        self.world.name(load);
        keys.iter().for_each(|key| self.note(from, What::Load { key: *key, asked }));
        rows
    }

    fn change(&self, key: u8) {
        let from = self.world.ticks.next();
        self.world.update(key, |version| self.note(from, What::Write { key, version }));
    }

    fn forget(&self, keys: Keys, forget: impl FnOnce()) {
        self.forget_touching(keys, keys, forget);
    }

    fn forget_touching(&self, keys: Keys, touched: Keys, forget: impl FnOnce()) {
        let from = self.world.ticks.next();
        forget();
        self.note(from, What::Forget { keys, touched });
    }

    fn read(&self, key: u8, read: impl FnOnce() -> Option<u64>) {
        let from = self.world.ticks.next();
        if let Some(version) = read() {
            self.note(from, What::Read { key, version });
        }
    }

    fn note(&self, from: u64, what: What) {
        let to = self.world.ticks.next();
        self.events.borrow_mut().push(Event { from, to, what });
    }

    /// Lets others run, or not, for a random while.
    fn pause(&self) {
        match self.below(4) {
            0 => thread::yield_now(),
            1 => (0..self.below(300)).for_each(|_| std::hint::spin_loop()),
            _ => {}
        }
    }

    /// A random number (SplitMix64).
    fn below(&self, bound: u64) -> u64 {
        let state = self.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}
