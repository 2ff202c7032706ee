//! Single flight, for both memos: one load a key, and no key in another's way.
#![cfg(not(loom))]

use larder_memo::{Memo, StaticMemo};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const THREADS: usize = 64;

/// What the two memos have in common, so that each test runs on both.
trait Shape: Sync {
    fn load(&self, key: u64, loader: &mut dyn FnMut() -> u64) -> u64;
}

impl Shape for StaticMemo<u64, u64> {
    fn load(&self, key: u64, loader: &mut dyn FnMut() -> u64) -> u64 {
        *self.get_or_load(&key, loader)
    }
}

impl Shape for Memo<u64, u64> {
    fn load(&self, key: u64, loader: &mut dyn FnMut() -> u64) -> u64 {
        self.get_or_load(&key, loader)
    }
}

fn on_both(test: impl Fn(&dyn Shape)) {
    test(&StaticMemo::<u64, u64>::new());
    test(&Memo::<u64, u64>::builder(1000).build());
}

/// The load does not end before all threads are on their way to the key.
#[test]
fn sixty_four_threads_make_one_load() {
    on_both(|memo| {
        let (loads, asking, start) =
            (AtomicUsize::new(0), AtomicUsize::new(0), Barrier::new(THREADS));
        let ask = || {
            start.wait();
            asking.fetch_add(1, Ordering::SeqCst);
            let got = memo.load(1, &mut || {
                loads.fetch_add(1, Ordering::SeqCst);
                while asking.load(Ordering::SeqCst) < THREADS {
                    thread::yield_now();
                }
                10
            });
            assert_eq!(got, 10);
        };
        thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(ask))));
        assert_eq!(loads.load(Ordering::SeqCst), 1);
    });
}

/// The loader of key 0 ends only when 99 other keys have been loaded by another thread: more
/// keys than there are shards, so some share one with key 0.
#[test]
fn distinct_keys_do_not_wait_for_each_other() {
    on_both(|memo| {
        let got = memo.load(0, &mut || {
            let others = || (1..100).map(|key| memo.load(key, &mut || key)).sum();
            thread::scope(|scope| scope.spawn(others).join().unwrap())
        });
        assert_eq!(got, 4950);
    });
}

/// The table grows many times while all ask for the same keys in another order each.
#[test]
fn growth_does_not_repeat_a_load() {
    on_both(|memo| {
        let loads: Vec<AtomicUsize> = (0..1000).map(|_| AtomicUsize::new(0)).collect();
        let ask = |from: usize| {
            for step in 0..1000 {
                let key = (from + step * 7) % 1000;
                let got = memo.load(key as u64, &mut || {
                    loads[key].fetch_add(1, Ordering::SeqCst);
                    key as u64 * 3
                });
                assert_eq!(got, key as u64 * 3);
            }
        };
        let ask = &ask;
        thread::scope(|scope| (0..8).for_each(|from| drop(scope.spawn(move || ask(from * 131)))));
        assert!(loads.iter().all(|loads| loads.load(Ordering::SeqCst) == 1));
    });
}
