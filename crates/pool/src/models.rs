//! loom's models of the bag: every interleaving of a few threads, each ending in a whole bag.
//!
//! The content of a slot keeps the bag alive, as a connection keeps its pool, so that the models
//! also see a return free the very memory that it returned to.

use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::bag::{Bag, Landed};
use crate::slot::{self, Resident, Slot};
use crate::waiter::{Grant, Refusal};

/// Stands for a connection: knows its slot, and whether somebody else has it at the same time.
struct Thing {
    bag: Arc<Bag<Thing>>,
    slot: usize,
    /// A plain cell: loom reports two holders at once, and a holder that missed a release.
    uses: loom::cell::Cell<usize>,
}

// SAFETY: it keeps the bag alive, whose slots stay where they are.
#[allow(unsafe_code)]
unsafe impl Resident for Thing {
    fn home(&self) -> &Slot<Self> {
        self.bag.slot(self.slot)
    }
}

fn give_back(thing: Box<Thing>) {
    thing.uses.set(thing.uses.get() + 1);
    if let Err(thing) = slot::put(thing) {
        let bag = Arc::clone(&thing.bag);
        let slot = thing.slot;
        if let Landed::Surplus(refused) = bag.put_marked(slot, thing, || false) {
            drop(refused);
            bag.vacate(slot);
        }
    }
}

fn fill(bag: &Arc<Bag<Thing>>, grant: Grant<Thing>) -> Box<Thing> {
    let Grant { slot, content } = grant;
    content.unwrap_or_else(|| {
        Box::new(Thing { bag: Arc::clone(bag), slot, uses: loom::cell::Cell::new(0) })
    })
}

/// A bag with all its slots idle.
fn stocked(slots: usize) -> Arc<Bag<Thing>> {
    let bag = Arc::new(Bag::new(slots, slots, 8));
    let all: Vec<_> = (0..slots).map(|_| bag.take_free(0).expect("a free slot")).collect();
    all.into_iter().for_each(|grant| give_back(fill(&bag, grant)));
    bag
}

/// Empties the bag, counting: content keeps the bag alive, and loom reports what is never freed.
fn drain(bag: &Bag<Thing>) -> usize {
    let count = close(bag);
    assert_eq!((bag.census().busy, bag.census().idle), (0, 0));
    count
}

/// Closes the bag as the pool does, and counts what was idle.
fn close(bag: &Bag<Thing>) -> usize {
    let idle = bag.close();
    let count = idle.len();
    dispose(bag, idle);
    count
}

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn a_slot_has_one_holder() {
    explore(|| {
        let bag = stocked(1);
        let other = Arc::clone(&bag);
        let thread = thread::spawn(move || {
            if let Some((_, thing)) = other.take_idle(0) {
                give_back(thing);
            }
        });
        if let Some((_, thing)) = bag.take_idle(0) {
            give_back(thing);
        }
        thread.join().unwrap();
        assert_eq!(drain(&bag), 1);
    });
}

#[test]
fn no_waiter_is_forgotten() {
    explore(|| {
        let bag = stocked(1);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let bag = Arc::clone(&bag);
                thread::spawn(move || {
                    let grant = bag.claim(0, None).expect("sooner or later");
                    give_back(fill(&bag, grant));
                })
            })
            .collect();
        let grant = bag.claim(0, None).expect("sooner or later");
        give_back(fill(&bag, grant));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(drain(&bag), 1);
    });
}

#[test]
fn no_waiter_is_forgotten_with_two_slots() {
    explore(|| {
        let bag = stocked(2);
        let threads: Vec<_> = (0..2)
            .map(|nth| {
                let bag = Arc::clone(&bag);
                thread::spawn(move || {
                    let grant = bag.claim(nth, None).expect("sooner or later");
                    give_back(fill(&bag, grant));
                })
            })
            .collect();
        let grant = bag.claim(0, None).expect("sooner or later");
        give_back(fill(&bag, grant));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(drain(&bag), 2);
    });
}

#[test]
fn a_vacated_slot_wakes_a_waiter() {
    explore(|| {
        let bag = stocked(1);
        let (slot, thing) = bag.take_idle(0).expect("stocked");
        let other = Arc::clone(&bag);
        let thread = thread::spawn(move || {
            let grant = other.claim(0, None).expect("sooner or later");
            assert!(grant.content.is_none(), "it was closed");
            give_back(fill(&other, grant));
        });
        drop(thing);
        bag.vacate(slot);
        thread.join().unwrap();
        assert_eq!(drain(&bag), 1);
    });
}

#[test]
fn a_waiter_that_gives_up_takes_nothing_along() {
    explore(|| {
        let bag = stocked(1);
        let (_, thing) = bag.take_idle(0).expect("stocked");
        let other = Arc::clone(&bag);
        let thread = thread::spawn(move || {
            // A deadline in a model has always come already.
            match other.claim(0, Some(std::time::Instant::now())) {
                Ok(grant) => give_back(fill(&other, grant)),
                Err(refusal) => assert_eq!(refusal, Refusal::Timeout),
            }
        });
        give_back(thing);
        thread.join().unwrap();
        assert_eq!(bag.census().waiting, 0);
        assert_eq!(drain(&bag), 1);
    });
}

#[test]
fn closing_refuses_waiters_and_retires_all() {
    explore(|| {
        let bag = stocked(1);
        let served = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (bag, served) = (Arc::clone(&bag), Arc::clone(&served));
                thread::spawn(move || match bag.claim(0, None) {
                    Ok(grant) => {
                        served.fetch_add(1, Ordering::Relaxed);
                        give_back(fill(&bag, grant));
                    }
                    Err(refusal) => assert_eq!(refusal, Refusal::Closed),
                })
            })
            .collect();
        close(&bag);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((bag.census().busy, bag.census().idle), (0, 0));
        assert!(bag.claim(0, None).is_err());
    });
}

#[test]
fn closing_retires_what_is_vacant() {
    explore(|| {
        let bag: Arc<Bag<Thing>> = Arc::new(Bag::new(1, 1, 8));
        let other = Arc::clone(&bag);
        let thread = thread::spawn(move || {
            if let Some(grant) = other.take_free(0) {
                give_back(fill(&other, grant));
            }
        });
        close(&bag);
        thread.join().unwrap();
        assert!(bag.take_free(0).is_none(), "there is nothing to claim after closing");
        assert_eq!((bag.census().busy, bag.census().idle), (0, 0));
    });
}

#[test]
fn a_return_may_free_the_bag() {
    explore(|| {
        let bag = stocked(1);
        let (_, thing) = bag.take_idle(0).expect("stocked");
        let thread = thread::spawn(move || give_back(thing));
        close(&bag);
        drop(bag);
        thread.join().unwrap();
    });
}

/// What a pool does with what a bag hands out: closes it, and vacates its slot.
fn dispose(bag: &Bag<Thing>, surplus: Vec<Box<Thing>>) {
    for thing in surplus {
        let slot = thing.slot;
        drop(thing);
        bag.vacate(slot);
    }
}

/// Claims as many as `count`, and gives them back.
fn use_many(bag: &Arc<Bag<Thing>>, count: usize) -> Result<(), Refusal> {
    let (first, rest) = bag.claim_many(count, None)?;
    assert_eq!(rest.len() + 1, count, "all or none");
    give_back(fill(bag, first));
    rest.into_iter().for_each(|grant| give_back(fill(bag, grant)));
    Ok(())
}

#[test]
fn two_that_want_all_do_not_deadlock() {
    explore(|| {
        let bag = stocked(2);
        let other = Arc::clone(&bag);
        let thread = thread::spawn(move || use_many(&other, 2).expect("sooner or later"));
        use_many(&bag, 2).expect("sooner or later");
        thread.join().unwrap();
        assert_eq!(drain(&bag), 2);
    });
}

#[test]
fn one_that_wants_all_and_two_that_want_one_are_all_served() {
    explore(|| {
        let bag = stocked(2);
        let threads: Vec<_> = (0..2)
            .map(|nth| {
                let bag = Arc::clone(&bag);
                thread::spawn(move || {
                    let grant = bag.claim(nth, None).expect("sooner or later");
                    give_back(fill(&bag, grant));
                })
            })
            .collect();
        use_many(&bag, 2).expect("sooner or later");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(drain(&bag), 2);
    });
}

#[test]
fn what_was_gathered_in_vain_goes_to_the_next() {
    explore(|| {
        let bag = stocked(2);
        let (_, held) = bag.take_idle(0).expect("stocked");
        let other = Arc::clone(&bag);
        let hasty = thread::spawn(move || {
            // A deadline in a model has always come already.
            match other.claim_many(2, Some(std::time::Instant::now())) {
                Ok((first, rest)) => {
                    give_back(fill(&other, first));
                    rest.into_iter().for_each(|grant| give_back(fill(&other, grant)));
                }
                Err(refusal) => assert_eq!(refusal, Refusal::Timeout),
            }
        });
        let other = Arc::clone(&bag);
        let patient = thread::spawn(move || {
            let grant = other.claim(0, None).expect("one is never out");
            give_back(fill(&other, grant));
        });
        hasty.join().unwrap();
        patient.join().unwrap();
        give_back(held);
        assert_eq!(bag.census().waiting, 0);
        assert_eq!(drain(&bag), 2);
    });
}

#[test]
fn a_grown_bag_serves_who_waits() {
    explore(|| {
        let bag = Arc::new(Bag::new(1, 2, 8));
        let held = bag.claim(0, None).expect("it is free");
        let other = Arc::clone(&bag);
        let thread = thread::spawn(move || {
            let grant = other.claim(0, None).expect("by growing: the other slot stays out");
            give_back(fill(&other, grant));
        });
        dispose(&bag, bag.resize(2).expect("within its capacity"));
        thread.join().unwrap();
        give_back(fill(&bag, held));
        assert_eq!(drain(&bag), 2);
    });
}

#[test]
fn a_shrunk_bag_keeps_as_many_as_it_should() {
    explore(|| {
        let bag = stocked(2);
        let threads: Vec<_> = (0..2)
            .map(|nth| {
                let bag = Arc::clone(&bag);
                thread::spawn(move || {
                    let grant = bag.claim(nth, None).expect("sooner or later");
                    give_back(fill(&bag, grant));
                })
            })
            .collect();
        dispose(&bag, bag.resize(1).expect("smaller"));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let one = bag.take_free(0).expect("one is left");
        assert!(bag.take_free(0).is_none(), "and no more");
        give_back(fill(&bag, one));
        assert_eq!(drain(&bag), 1);
    });
}

#[test]
fn a_bag_shrunk_and_grown_again_has_all_its_slots() {
    explore(|| {
        let bag = stocked(2);
        let (_, held) = bag.take_idle(0).expect("stocked");
        let (_, also_held) = bag.take_idle(1).expect("stocked");
        let thread = thread::spawn(move || {
            give_back(held);
            give_back(also_held);
        });
        dispose(&bag, bag.resize(1).expect("smaller"));
        dispose(&bag, bag.resize(2).expect("as before"));
        thread.join().unwrap();
        let both = [bag.take_free(0).expect("the first"), bag.take_free(0).expect("the second")];
        both.into_iter().for_each(|grant| give_back(fill(&bag, grant)));
        assert_eq!(drain(&bag), 2);
    });
}

#[test]
fn nothing_is_lent_in_a_pause_and_everything_after_it() {
    explore(|| {
        let bag = stocked(1);
        let theirs = Arc::clone(&bag);
        let thread = thread::spawn(move || {
            let grant = theirs.claim(0, None).expect("sooner or later");
            give_back(fill(&theirs, grant));
        });
        bag.pause();
        assert_eq!(bag.rest(None), 0, "whoever has it gives it back");
        assert!(bag.take_free(0).is_none(), "nothing is lent in a pause");
        assert_eq!(bag.census().idle, 1, "and yet it is idle");
        bag.resume();
        thread.join().unwrap();
        assert_eq!(drain(&bag), 1);
    });
}

#[test]
fn what_comes_back_in_a_pause_is_kept_until_its_end() {
    explore(|| {
        let bag = stocked(1);
        let (_, held) = bag.take_idle(0).expect("stocked");
        let served = Arc::new(AtomicUsize::new(0));
        let (theirs, count) = (Arc::clone(&bag), Arc::clone(&served));
        let thread = thread::spawn(move || {
            let grant = theirs.claim(0, None).expect("after the pause");
            count.fetch_add(1, Ordering::SeqCst);
            give_back(fill(&theirs, grant));
        });
        bag.pause();
        give_back(held);
        assert_eq!(bag.rest(None), 0);
        assert_eq!(served.load(Ordering::SeqCst), 0, "lent in a pause");
        bag.resume();
        thread.join().unwrap();
        assert_eq!(drain(&bag), 1);
    });
}

#[test]
fn a_drain_ends_with_the_last_return() {
    explore(|| {
        let bag = stocked(2);
        let (_, held) = bag.take_idle(0).expect("stocked");
        let thread = thread::spawn(move || give_back(held));
        close(&bag);
        assert_eq!(bag.rest(None), 0);
        assert_eq!((bag.census().busy, bag.census().idle), (0, 0));
        thread.join().unwrap();
    });
}

#[test]
fn closing_a_paused_bag_refuses_who_waits() {
    explore(|| {
        let bag = stocked(1);
        bag.pause();
        let other = Arc::clone(&bag);
        let thread = thread::spawn(move || other.claim(0, None).map(drop));
        close(&bag);
        assert_eq!(thread.join().unwrap(), Err(Refusal::Closed));
        assert_eq!((bag.census().busy, bag.census().idle), (0, 0));
    });
}

#[test]
fn a_shrunk_bag_refuses_who_wants_more() {
    explore(|| {
        let bag = stocked(2);
        let other = Arc::clone(&bag);
        let thread = thread::spawn(move || use_many(&other, 2));
        dispose(&bag, bag.resize(1).expect("smaller"));
        let served = thread.join().unwrap();
        assert!(served.is_ok() || served == Err(Refusal::TooMany));
        assert_eq!(drain(&bag), 1);
    });
}
