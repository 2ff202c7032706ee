//! loom's models of the row: nobody is left sitting, and no connection is handed to nobody.

use loom::model::Builder;
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::admission::{Admission, Admitted, Applicant, Place, bring_back};
use crate::bag::Bag;
use crate::breaker::Attempt;
use crate::slot::{self, Resident, Slot};

type Row = Arc<Admission<u32>>;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn admit<T>(row: &Admission<T>, spare: impl Fn() -> Option<Box<T>>) -> Admitted<T> {
    let applicant =
        Applicant { clock: || 0, deadline: None, refusable: true, holds: false, paused: || false };
    row.admit(&applicant, &mut Place::default(), spare)
}

/// A row whose breaker allows one attempt at a time, which somebody makes.
fn busy_row() -> (Row, Attempt) {
    let row = Arc::new(Admission::new(4));
    let Admitted::Go(attempt) = admit(&row, || None) else { panic!("the first may try") };
    (row, attempt)
}

fn sit_and_cancel(row: &Row) -> thread::JoinHandle<()> {
    let row = Arc::clone(row);
    thread::spawn(move || match admit(&row, || None) {
        Admitted::Go(attempt) => row.cancel(attempt, 0),
        _ => panic!("there is nothing else to get"),
    })
}

#[test]
fn an_attempt_not_made_is_passed_on() {
    explore(|| {
        let (row, attempt) = busy_row();
        let others = [sit_and_cancel(&row), sit_and_cancel(&row)];
        row.cancel(attempt, 0);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(!row.has_seated());
    });
}

#[test]
fn a_success_admits_all_that_it_allows() {
    explore(|| {
        let (row, attempt) = busy_row();
        let others = [sit_and_cancel(&row), sit_and_cancel(&row)];
        assert!(row.succeed(attempt, 0).is_none());
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

#[test]
fn a_failure_admits_one_and_the_next_sends_the_row_away() {
    explore(|| {
        let (row, attempt) = busy_row();
        let others: Vec<_> = (0..2)
            .map(|_| {
                let row = Arc::clone(&row);
                thread::spawn(move || match admit(&row, || None) {
                    Admitted::Go(attempt) => {
                        row.fail(attempt, 0, "refused".into(), true);
                        true
                    }
                    Admitted::Refused(_) => false,
                    _ => panic!("there is nothing else to get"),
                })
            })
            .collect();
        row.fail(attempt, 0, "refused".into(), true);
        let tried = others.into_iter().map(|other| other.join().unwrap());
        assert_eq!(tried.filter(|&tried| tried).count(), 1);
        assert!(!row.has_seated());
    });
}

#[test]
fn what_is_returned_is_lent_or_lies_in_its_slot() {
    explore(|| {
        let (row, attempt) = busy_row();
        let slot = Arc::new(Mutex::new(None));
        let (their_row, their_slot) = (Arc::clone(&row), Arc::clone(&slot));
        let other =
            thread::spawn(move || match admit(&their_row, || their_slot.lock().unwrap().take()) {
                Admitted::Instead(_) => 1,
                Admitted::Go(attempt) => {
                    their_row.cancel(attempt, 0);
                    0
                }
                _ => panic!("there is nothing else to get"),
            });
        let content = Box::new(7);
        let left = if row.has_seated() { row.offer(content) } else { Some(content) };
        *slot.lock().unwrap() = left;
        row.cancel(attempt, 0);
        let lent = other.join().unwrap();
        assert_eq!(lent + usize::from(slot.lock().unwrap().is_some()), 1);
    });
}

/// Stands for a connection.
struct Thing(Arc<Bag<Thing>>);

// SAFETY: it keeps the bag alive, whose slots stay where they are.
#[allow(unsafe_code)]
unsafe impl Resident for Thing {
    fn home(&self) -> &Slot<Self> {
        self.0.slot(0)
    }
}

/// As a pool returns a connection.
fn give_back(bag: &Bag<Thing>, row: &Admission<Thing>, thing: Box<Thing>) {
    let thing = if row.has_seated() { row.offer(thing) } else { Some(thing) };
    let Some(Err(thing)) = thing.map(slot::put) else { return };
    assert!(bring_back(bag, row, 0, thing).is_none(), "there is no surplus");
}

/// The attempt that is under way never ends: only the connection can end the wait, and loom reports
/// a deadlock when it lies in its slot while somebody sits.
#[test]
fn nobody_sits_while_a_connection_lies_idle() {
    explore(|| {
        let bag = Arc::new(Bag::new(1, 1, 4));
        let row = Arc::new(Admission::new(4));
        let Admitted::Go(_hangs) = admit(&row, || None) else { panic!("the first may try") };
        assert!(bag.take_free(0).is_some());
        let thing = Box::new(Thing(Arc::clone(&bag)));
        let (their_bag, their_row) = (Arc::clone(&bag), Arc::clone(&row));
        let other =
            thread::spawn(move || match admit(&their_row, || their_bag.take_idle_or_mark(0)) {
                Admitted::Instead(thing) => drop(thing),
                _ => panic!("there is nothing else to get"),
            });
        give_back(&bag, &row, thing);
        other.join().unwrap();
    });
}

#[test]
fn closing_leaves_nobody_sitting() {
    explore(|| {
        let (row, attempt) = busy_row();
        let others: Vec<_> = (0..2)
            .map(|_| {
                let row = Arc::clone(&row);
                thread::spawn(move || assert!(matches!(admit(&row, || None), Admitted::Closed)))
            })
            .collect();
        row.close();
        others.into_iter().for_each(|other| other.join().unwrap());
        row.cancel(attempt, 0);
        assert!(!row.has_seated());
    });
}
