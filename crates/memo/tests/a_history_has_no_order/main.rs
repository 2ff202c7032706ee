//! Random histories of a `Memo` or a `StaticTable` under threads, and whether any order explains
//! them.
//!
//! Each round runs small random programs on a few threads against a database that they change.
//! Every call notes a tick of one counter before it begins and another when it has returned, so
//! that what came before what is known without a doubt. Then the rules are applied.
//!
//! # The specification
//!
//! A memo in front of a database is this sequential object. For each key it remembers a *floor*,
//! a version of the row:
//!
//! | call | does, in one step |
//! |---|---|
//! | `invalidate`, `bump`, `insert`, ... | raises the floor to the version that the database held when it was called |
//! | a read that returns a value | returns some version from the floor up to the present one |
//! | a read that returns nothing | is always allowed; rules 2 and 3 bound how often |
//!
//! A history is linearizable to it when each call can be given one instant between its ticks.
//! Usually that needs a search (Wing and Gong). Here it does not. Invalidations do not disturb
//! each other, so let each act at its last instant, and each read at the first instant at which
//! its value was there. A conflict that is left then is left in any order, and is this:
//!
//! 1. **Freshness.** *A read returned a version below what the database held when an invalidation
//!    was called that had returned before the read was called.* There must be none.
//!
//! A memo that never keeps anything would pass. Two further rules say that it does keep:
//!
//! 2. **Single flight.** Two loads of a key do not overlap, unless an invalidation of the key came
//!    between their callers.
//! 3. **No needless load.** A value that was returned is not loaded again by a later call, unless
//!    an invalidation came between. (Where something expires or is evicted, this is not asked.)
//!
//! A `StaticTable` keeps the rule of freshness, with `reload` among the calls that raise the floor,
//! of all keys, if it succeeds. A look-up after a failed load returns an error, and is no read. Its
//! rows change together, too:
//!
//! 4. **Whole.** *A read returned a row of an earlier load than a read that had returned before it
//!    was called, or a snapshot rows of two loads.* There must be none. (Its loader runs once at a
//!    time, so that loads have an order.)
//!
//! Inside a transaction other rules hold: a read returns what its own loader says, always; and no
//! version that it saw there may ever be seen outside.
//!
//! A failure names its seed: `HISTORY_SEED=<seed>` runs its programs again, and only those. The
//! schedule is the system's, so that it may take a few runs to fail again.
#![cfg(not(loom))]

mod history;
mod program;
mod rules;
mod world;

use history::Event;
use program::Worker;
use std::thread;
use std::time::{Duration, Instant};
use world::{Kind, World};

const THREADS: u64 = 3;
const STEPS: usize = 24;
/// Rounds at most, and the time after which no further one begins.
const ROUNDS: u64 = 3000;
const TIME: Duration = Duration::from_millis(1500);

fn run(seed: u64) -> Vec<Event> {
    let world = World::new(Kind::of(seed));
    let mut events = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|number| {
                let mut worker = Worker::new(&world, seed * THREADS + number);
                scope.spawn(move || {
                    (0..STEPS).for_each(|_| worker.step());
                    worker.into_events()
                })
            })
            .collect();
        let events = workers.into_iter().map(|worker| worker.join().unwrap());
        events.collect::<Vec<_>>().concat()
    });
    // When all is quiet, what is kept has to be as fresh as ever.
    let mut last = Worker::new(&world, seed);
    last.read_all();
    events.extend(last.into_events());
    events
}

#[test]
fn that_explains_what_the_threads_saw() {
    let only = std::env::var("HISTORY_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let seeds = only.map_or(1..ROUNDS, |seed| seed..seed + 1);
    let began = Instant::now();
    let mut seen = rules::Seen::default();
    for seed in seeds {
        let events = run(seed);
        if let Err(broken) = rules::check(Kind::of(seed), &events, &mut seen) {
            let kind = Kind::of(seed);
            panic!("{broken}\n{kind:?}, HISTORY_SEED={seed}\n{}", history::shown(&events));
        }
        if began.elapsed() > TIME {
            break;
        }
    }
    println!("{seen:?}");
    assert!(only.is_some() || seen.is_worth_something(), "the threads hardly met: {seen:?}");
}
