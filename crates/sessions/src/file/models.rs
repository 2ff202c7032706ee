//! Models of the copies' protocol: a check beside a revocation and a save, in every order.
//!
//! Disk and copies are plain cells here; what is modelled is that a copy is put and trusted by the
//! [generations](super::generations) as [`FileStore`](super::FileStore) does it.

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::generations::{Generations, is_settled};

struct Model {
    generations: Generations,
    turn: Mutex<()>,
    file: Mutex<Option<u32>>,
    copy: Mutex<Option<(u64, u32)>>,
    /// Set after the revocation has returned. Release: pairs with the look before a check.
    is_revoked: AtomicBool,
}

impl Model {
    fn new() -> Arc<Model> {
        Arc::new(Model {
            generations: Generations::alone(1),
            turn: Mutex::new(()),
            file: Mutex::new(Some(1)),
            copy: Mutex::new(None),
            is_revoked: AtomicBool::new(false),
        })
    }

    fn number(&self) -> u64 {
        self.generations.read(0).unwrap()
    }

    fn check(&self) -> Option<u32> {
        let copy = *self.copy.lock().unwrap();
        if let Some((generation, value)) = copy
            && self.number() == generation
        {
            return Some(value);
        }
        let before = self.number();
        let found = *self.file.lock().unwrap();
        if let Some(value) = found
            && is_settled(before)
        {
            *self.copy.lock().unwrap() = Some((before, value));
        }
        found
    }

    fn write(&self, change: impl FnOnce(&mut Option<u32>)) {
        let _turn = self.turn.lock().unwrap();
        self.generations.begin(0).unwrap();
        change(&mut self.file.lock().unwrap());
        let generation = self.generations.end(0).unwrap();
        let now = *self.file.lock().unwrap();
        *self.copy.lock().unwrap() = now.map(|value| (generation, value));
    }

    fn revoke(&self) {
        self.write(|file| *file = None);
        self.is_revoked.store(true, Ordering::Release);
    }

    fn save(&self, value: u32) {
        // Onto what is not there it is refused.
        self.write(|file| *file = file.map(|_| value));
    }
}

fn model(work: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(work);
}

#[test]
fn nothing_is_there_once_a_revocation_has_returned() {
    model(|| {
        let model = Model::new();
        let revoker = thread::spawn({
            let model = Arc::clone(&model);
            move || model.revoke()
        });
        for _ in 0..2 {
            let is_revoked = model.is_revoked.load(Ordering::Acquire);
            let found = model.check();
            assert!(!is_revoked || found.is_none(), "{found:?} after the revocation");
        }
        revoker.join().unwrap();
        assert_eq!(model.check(), None);
    });
}

#[test]
fn a_save_beside_a_revocation_brings_nothing_back() {
    model(|| {
        let model = Model::new();
        let saver = thread::spawn({
            let model = Arc::clone(&model);
            move || model.save(2)
        });
        let reader = thread::spawn({
            let model = Arc::clone(&model);
            move || model.check()
        });
        model.revoke();
        assert_eq!(model.check(), None);
        saver.join().unwrap();
        reader.join().unwrap();
        assert_eq!(model.check(), None);
    });
}

#[test]
fn a_check_after_a_save_is_not_behind() {
    model(|| {
        let model = Model::new();
        let reader = thread::spawn({
            let model = Arc::clone(&model);
            move || model.check()
        });
        model.save(2);
        assert_eq!(model.check(), Some(2));
        assert!(reader.join().unwrap().is_some());
        assert_eq!(model.check(), Some(2));
    });
}
