//! loom's models of the row: nobody is left sitting, and no connection is handed to nobody.

use loom::model::Builder;
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::admission::{Admission, Admitted, Applicant};
use crate::breaker::Attempt;

type Row = Arc<Admission<u32>>;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn admit(row: &Admission<u32>, spare: impl Fn() -> Option<Box<u32>>) -> Admitted<u32> {
    let applicant = Applicant { clock: || 0, deadline: None, refusable: true, again: false };
    row.admit(&applicant, spare)
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
