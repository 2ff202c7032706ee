//! Several threads do random things to one array; what each of them was told must be explained by
//! some order of all calls, in which no call comes before one that had returned when it began.
//!
//! Reads key by key, reads of several keys, bulk updates and updates of one key are all in it. The
//! order is searched for (Wing and Gong's algorithm), against a `BTreeMap`.
#![cfg(not(loom))]

use larder_vars::{Array, Home, Vars};
use std::collections::{BTreeMap, HashSet};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

const KEYS: u64 = 3;
const THREADS: u64 = 3;
const CALLS: usize = 6;

type Map = BTreeMap<u64, u64>;

#[derive(Clone, Debug, PartialEq)]
enum Call {
    Get(u64),
    View(u64, u64),
    Len,
    Snapshot,
    Set(u64, u64),
    Swap(u64, u64),
    Take(u64),
    Incr(u64),
    GetOrSet(u64, u64),
    Merge(u64, u64, u64),
    Replace(u64, u64),
    Clear,
}

/// What a call was told: numbers, of which the first is 1 where something was set.
type Told = Vec<Option<u64>>;

#[derive(Debug)]
struct Event {
    from: u64,
    to: u64,
    call: Call,
    told: Told,
}

struct Random(u64);

impl Random {
    /// A random number (SplitMix64).
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn call(&mut self) -> Call {
        let (key, other, value) = (self.below(KEYS), self.below(KEYS), self.below(1000) + 10);
        match self.below(16) {
            0..=3 => Call::Get(key),
            4 | 5 => Call::View(key, other),
            6 => Call::Len,
            7 => Call::Snapshot,
            8 => Call::Set(key, value),
            9 => Call::Swap(key, value),
            10 => Call::Take(key),
            11 => Call::Incr(key),
            12 => Call::GetOrSet(key, value),
            13 => Call::Merge(key, other, value),
            14 => Call::Replace(key, value),
            _ => Call::Clear,
        }
    }
}

fn tell<H: Home<u64, u64>>(array: &Array<u64, u64, H>, call: &Call) -> Told {
    let refused = "nothing here is refused";
    match *call {
        Call::Get(key) => vec![array.get(&key)],
        Call::View(key, other) => {
            array.view(|view| Ok(vec![view.get(&key)?.copied(), view.get(&other)?.copied()]))
        }
        Call::Len => vec![Some(array.len() as u64)],
        Call::Snapshot => flat(array.snapshot().into_iter().collect()),
        Call::Set(key, value) => {
            array.set(&key, value).expect(refused);
            vec![]
        }
        Call::Swap(key, value) => vec![array.swap(&key, value).expect(refused)],
        Call::Take(key) => vec![array.take(&key).expect(refused)],
        Call::Incr(key) => vec![Some(array.incr(&key, 1).expect(refused))],
        Call::GetOrSet(key, value) => vec![Some(array.get_or_set(&key, value).expect(refused))],
        Call::Merge(key, other, value) => {
            array.merge([(key, value), (other, value + 1)]).expect(refused);
            vec![]
        }
        Call::Replace(key, value) => {
            array.replace([(key, value)]).expect(refused);
            vec![]
        }
        Call::Clear => {
            array.clear().expect(refused);
            vec![]
        }
    }
}

fn flat(map: Map) -> Told {
    map.into_iter().flat_map(|(key, value)| [Some(key), Some(value)]).collect()
}

/// What a map tells, and makes of itself.
fn expect(map: &mut Map, call: &Call) -> Told {
    match *call {
        Call::Get(key) => vec![map.get(&key).copied()],
        Call::View(key, other) => vec![map.get(&key).copied(), map.get(&other).copied()],
        Call::Len => vec![Some(map.len() as u64)],
        Call::Snapshot => flat(map.clone()),
        Call::Set(key, value) => {
            map.insert(key, value);
            vec![]
        }
        Call::Swap(key, value) => vec![map.insert(key, value)],
        Call::Take(key) => vec![map.remove(&key)],
        Call::Incr(key) => {
            let count = map.entry(key).or_default();
            *count += 1;
            vec![Some(*count)]
        }
        Call::GetOrSet(key, value) => vec![Some(*map.entry(key).or_insert(value))],
        Call::Merge(key, other, value) => {
            map.extend([(key, value), (other, value + 1)]);
            vec![]
        }
        Call::Replace(key, value) => {
            *map = Map::from([(key, value)]);
            vec![]
        }
        Call::Clear => {
            map.clear();
            vec![]
        }
    }
}

fn run<H: Home<u64, u64> + Sync>(array: &Array<u64, u64, H>, seed: u64) -> Vec<Event> {
    let ticks = AtomicU64::new(0);
    let start = Barrier::new(THREADS as usize);
    let one = |nth: u64| {
        let mut random = Random(seed * THREADS + nth);
        start.wait();
        let call = |_| {
            (0..random.below(200)).for_each(|_| std::hint::spin_loop());
            let call = random.call();
            let from = ticks.fetch_add(1, SeqCst);
            let told = tell(array, &call);
            Event { from, to: ticks.fetch_add(1, SeqCst), call, told }
        };
        (0..CALLS).map(call).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let one = &one;
        let threads: Vec<_> = (0..THREADS).map(|nth| scope.spawn(move || one(nth))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Searches for an order of the events that are not `done` yet.
fn has_order(events: &[Event], done: u32, map: &Map, dead: &mut HashSet<(u32, Map)>) -> bool {
    if done.count_ones() as usize == events.len() {
        return true;
    }
    if dead.contains(&(done, map.clone())) {
        return false;
    }
    let left = || events.iter().enumerate().filter(|(nth, _)| done & 1 << nth == 0);
    let first_end = left().map(|(_, event)| event.to).min().unwrap();
    for (nth, event) in left().filter(|(_, event)| event.from < first_end) {
        let mut next = map.clone();
        if expect(&mut next, &event.call) == event.told
            && has_order(events, done | 1 << nth, &next, dead)
        {
            return true;
        }
    }
    dead.insert((done, map.clone()));
    false
}

fn overlap(events: &[Event]) -> bool {
    events.iter().any(|one| events.iter().any(|two| one.from < two.from && two.from < one.to))
}

fn check<H: Home<u64, u64> + Sync>(histories: u64, array: impl Fn(u64) -> Array<u64, u64, H>) {
    let mut overlapping = 0;
    for seed in 0..histories {
        let events = run(&array(seed), seed);
        overlapping += u64::from(overlap(&events));
        let explained = has_order(&events, 0, &Map::new(), &mut HashSet::new());
        assert!(explained, "seed {seed}: no order explains\n{events:#?}");
    }
    assert!(overlapping > 0, "threads that never met prove nothing");
}

#[test]
fn that_explains_what_an_array_told() {
    check(1500, |_| Array::<u64, u64>::new());
}

#[test]
fn that_explains_what_a_named_array_told() {
    let vars: Vars<u64, u64> = Vars::new();
    let names: Vec<String> = (0..1500).map(|seed| format!("array {seed}")).collect();
    check(1500, |seed| vars.array(&names[seed as usize]));
}

#[test]
fn is_noticed() {
    let event = |from, to, call, told| Event { from, to, call, told };
    let torn = [
        event(0, 5, Call::Merge(0, 1, 10), vec![]),
        event(1, 2, Call::Get(0), vec![Some(10)]),
        event(3, 4, Call::Get(1), vec![None]),
    ];
    assert!(!has_order(&torn, 0, &Map::new(), &mut HashSet::new()));
    let lost =
        [event(0, 3, Call::Incr(0), vec![Some(1)]), event(1, 2, Call::Incr(0), vec![Some(1)])];
    assert!(!has_order(&lost, 0, &Map::new(), &mut HashSet::new()));
}
