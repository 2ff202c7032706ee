//! Jobs that are not worth running, and those for which there is no place: of each class its own.

use std::sync::Arc;
use std::time::Duration;

use larder_serve::{Class, Reply, Request};
use parking_lot::Mutex;

use crate::client::{Client, Gate, Keeper, builder, eventually};

/// Sends a request and does not wait for its answer.
fn ask(client: &mut Client, target: &str) {
    client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
}

/// The thread that would answer it 503 is held up, so that only the worker can see it.
#[test]
fn worker_drops_what_is_late_though_nobody_has_said_so() {
    const DEADLINE: Duration = Duration::from_millis(300);
    let ((busy, busy_keeper), (held, held_keeper)) = (Gate::new(), Gate::new());
    let ran: Arc<Mutex<Vec<String>>> = Arc::default();
    let runs = Arc::clone(&ran);
    let settings = builder().workers(1).handler_deadline(DEADLINE);
    let bound = settings.bind("127.0.0.1:0").unwrap().fast(move |peek| {
        (peek.path() == "/held").then(|| {
            held.pass();
            Reply::text("held")
        })
    });
    let server = bound.start(move |request: Request| {
        runs.lock().push(request.path().to_owned());
        if request.path() == "/busy" {
            busy.pass();
        }
        Reply::text("done")
    });
    let server = server.unwrap();
    let [mut first, mut late, mut holder] = [(); 3].map(|()| Client::connect(server.local_addr()));
    ask(&mut first, "/busy");
    busy_keeper.wait();
    ask(&mut late, "/late");
    eventually("queued", || server.stats().queued == 1);
    ask(&mut holder, "/held");
    held_keeper.wait();
    // From here on the I/O thread sees no deadline; this one passes.
    std::thread::sleep(DEADLINE);
    busy_keeper.let_go();
    eventually("dropped", || server.stats().dropped_jobs == 1);
    assert_eq!(*ran.lock(), ["/busy"]);
    held_keeper.let_go();
    let late = late.answer();
    assert_eq!((late.status, late.header("retry-after")), (503, Some("1")));
    assert_eq!(holder.answer().text(), "held");
}

/// Fills the workers and the queue of one class: one runs, one waits.
fn fill(clients: &mut [Client], target: &str, keeper: &Keeper, queued: impl Fn() -> u64) {
    ask(&mut clients[0], target);
    keeper.wait();
    ask(&mut clients[1], target);
    eventually("queued", || queued() == 1);
}

#[test]
fn full_class_is_answered_503_and_no_other() {
    let (gate, keeper) = Gate::new();
    let bound = builder().workers(4).queue(1).bind("127.0.0.1:0").unwrap();
    let class = |name: &'static str| {
        Class::new(name, move |peek| &peek.path()[1..] == name).queue(1).workers(1)
    };
    let server = bound.class(class("a")).class(class("b")).start(move |_: Request| {
        gate.pass();
        Reply::text("done")
    });
    let server = server.unwrap();
    let classes = || server.meter().classes();
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(server.local_addr())).collect();
    let (of_a, of_b) = clients.split_at_mut(2);
    let mut surplus = Client::connect(server.local_addr());
    fill(of_a, "/a", &keeper, || classes()[0].queued);
    for refused in 1..=3 {
        let answer = surplus.get("/a");
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert_eq!(classes()[0].refused, refused);
    }
    // The other class, and what belongs to none, are taken in as if nothing were.
    fill(of_b, "/b", &keeper, || classes()[1].queued);
    let answer = surplus.get("/b");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    ask(&mut surplus, "/c");
    keeper.wait();
    assert_eq!(classes().iter().map(|c| c.refused).collect::<Vec<_>>(), [3, 1, 0]);
    assert_eq!(server.stats().unavailable, 4);
    (0..5).for_each(|_| keeper.let_go());
    for client in clients.iter_mut().chain([&mut surplus]) {
        assert_eq!(client.answer().text(), "done");
    }
    // And once there is room, that class answers again.
    keeper.let_go();
    assert_eq!(surplus.get("/a").text(), "done");
}
