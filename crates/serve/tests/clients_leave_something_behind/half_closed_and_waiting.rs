//! Clients that have shut down their side and wait: an end of input that is there for good must not
//! keep an I/O thread turning.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use larder_serve::{Reply, Request};
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

use crate::client::{Client, Gate, PATIENCE, builder, eventually};
use crate::held::{Held, LEN};
use crate::scene::{Counts, Scene, alone};

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Processor time, which a loaded machine makes less and never more.
fn nothing_turns(what: &str) {
    let (begun, spent) = (Instant::now(), cpu());
    std::thread::sleep(Duration::from_millis(600));
    let (spent, window) = (cpu() - spent, begun.elapsed());
    assert!(spent < window / 4, "{what}: {spent:?} of {window:?}");
}

#[test]
fn no_turn_is_spent_on_them() {
    let _alone = alone();
    let held = Held::default();
    let (gate, keeper) = Gate::new();
    let (send, tickets) = mpsc::channel();
    let (send, holder, gate) = (Mutex::new(send), held.clone(), Arc::new(gate));
    let settings = builder().half_close(Duration::from_millis(50));
    let scene = Scene::with(settings, &held, move |request: Request| match request.path() {
        "/parked" => {
            let (ticket, reply) = Reply::later();
            send.lock().send(ticket).unwrap();
            reply
        }
        "/bytes" => Reply::bytes("x/y", holder.bytes()),
        "/stream" => Reply::stream(holder.reader()),
        _ => Reply::stream(holder.blocking(&gate)),
    });
    // All of them once they are being served: a job of theirs in the queue would not run.
    let mut parked = scene.asked("/parked");
    let ticket = tickets.recv_timeout(PATIENCE).unwrap();
    parked.half_close();
    eventually("counted as gone", || ticket.is_gone());
    nothing_turns("parked");
    // With the socket full.
    let mut full = ["/bytes", "/stream"].map(|target| scene.asked(target));
    eventually("begun", || held.count() == 2);
    full.iter_mut().for_each(Client::half_close);
    eventually("full", || {
        let before = scene.stats().bytes_sent;
        std::thread::sleep(Duration::from_millis(50));
        let stats = scene.stats();
        held.count() == 2 && stats.busy_workers == 0 && stats.bytes_sent == before
    });
    nothing_turns("with a full socket");
    // With a reader that blocks.
    let mut dry = scene.asked("/dry");
    dry.read_head().unwrap();
    dry.half_close();
    assert_eq!(dry.chunk().unwrap().len(), 4096);
    keeper.wait();
    nothing_turns("waiting for a reader");
    dry.reset();
    keeper.let_go();
    ticket.complete(Reply::text("after all"));
    assert_eq!(parked.answer().text(), "after all");
    assert_eq!(full[0].answer().body.len() as u64, LEN);
    assert_eq!(full[1].chunked_answer().unwrap().body.len() as u64, LEN);
    assert!(parked.is_closed() && full.iter_mut().all(Client::is_closed));
    drop((parked, full));
    scene.nothing_is_left(&Counts { requests: 4, handled: 4, aborted: 1, ..Counts::default() });
}

/// How often the I/O thread has gone to sleep.
fn sleeps() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let status = |task: std::path::PathBuf| std::fs::read_to_string(task.join("status")).ok();
    let of = |status: String| {
        let is_io = status.starts_with("Name:\tlarder-io-0\n");
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
        is_io.then(|| line.rsplit('\t').next()?.parse::<u64>().ok()).flatten()
    };
    tasks.filter_map(status).filter_map(of).sum()
}

/// An answer that its worker writes is noted when the I/O thread looks; while there can be one, it
/// looks, but ever less.
#[test]
fn a_parked_request_is_looked_at_ever_less() {
    let _alone = alone();
    let (send, tickets) = mpsc::channel();
    let send = Mutex::new(send);
    let held = Held::default();
    let scene = Scene::start(&held, move |_: Request| {
        let (ticket, reply) = Reply::later();
        send.lock().send(ticket).unwrap();
        reply
    });
    let mut parked = scene.asked("/parked");
    let ticket = tickets.recv_timeout(PATIENCE).unwrap();
    let before = sleeps();
    std::thread::sleep(Duration::from_millis(1500));
    // After 20, 40 ... 640 ms; the wheel's ticks and whoever asks come on top.
    let looked = sleeps() - before;
    assert!(looked < 20, "{looked} times");
    ticket.complete(Reply::text("after all"));
    assert_eq!(parked.answer().text(), "after all");
    drop(parked);
    scene.nothing_is_left(&Counts { requests: 1, handled: 1, ..Counts::default() });
}
