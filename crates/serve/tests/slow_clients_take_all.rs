//! slowhttptest against a server: heads, bodies and reads that take for ever. Meanwhile others are
//! answered, and in the end each slow connection is cut, by the server. Needs `slowhttptest`; run
//! by `.ci/slow`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use larder_serve::{Reply, Request, Router, Running, Server};

const CONNECTIONS: u64 = 300;
const PATIENCE: Duration = Duration::from_secs(40);

/// Short time-outs, so that the test is short; a body larger than what kernels keep for a client.
fn server() -> Running {
    let large = vec![b'x'; 16 * 1024 * 1024];
    let large = bytes::Bytes::from(large);
    let router = Router::new()
        .get("/", |_: Request| Reply::text("fine"))
        .post("/", |_: Request| Reply::text("posted"))
        .get("/large", move |_: Request| Reply::bytes("x/y", large.clone()));
    Server::builder()
        .io_threads(1)
        .workers(2)
        .header_timeout(Duration::from_secs(3))
        .body_timeout(Duration::from_secs(3))
        .write_timeout(Duration::from_secs(2))
        .idle_timeout(Duration::from_secs(3))
        .min_rate(200_000)
        .bind("127.0.0.1:0")
        .unwrap()
        .start(router)
        .unwrap()
}

/// Ended with the test, however that ends.
struct Attack(Child);

impl Drop for Attack {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn attack(server: &Running, target: &str, how: &[&str]) -> Attack {
    let connections = CONNECTIONS.to_string();
    let url = format!("http://{}{target}", server.local_addr());
    let common = ["-c", &connections, "-r", &connections, "-l", "60", "-p", "30", "-u", &url];
    let child = Command::new("slowhttptest").args(how).args(common).stdout(Stdio::null()).spawn();
    Attack(child.expect("slowhttptest is installed"))
}

/// A fresh connection that is in no way slow.
fn is_answered(server: &Running) -> bool {
    let mut socket = TcpStream::connect(server.local_addr()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).is_ok() && answer.ends_with("fine")
}

fn survive(target: &str, how: &[&str]) {
    let server = server();
    let mut attack = attack(&server, target, how);
    let deadline = Instant::now() + PATIENCE;
    let mut answered = 0;
    // All of them have come, and all of them are gone, but for what we hold ourselves.
    loop {
        assert!(is_answered(&server), "{how:?}: a fresh request was not answered");
        answered += 1;
        let stats = server.stats();
        if stats.timed_out >= CONNECTIONS && stats.connections <= 1 {
            break;
        }
        let state = attack.0.try_wait().unwrap();
        assert!(state.is_none(), "{how:?}: the attack ended by itself: {state:?} {stats:?}");
        assert!(Instant::now() < deadline, "{how:?}: slow connections hold on: {stats:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(answered >= 10, "{how:?}: only {answered} fresh requests");
}

#[test]
#[ignore = "needs slowhttptest"]
fn slow_heads() {
    survive("/", &["-H", "-i", "1", "-x", "10"]);
}

#[test]
#[ignore = "needs slowhttptest"]
fn slow_bodies() {
    survive("/", &["-B", "-i", "1", "-x", "10", "-s", "8192"]);
}

#[test]
#[ignore = "needs slowhttptest"]
fn slow_reads() {
    survive("/large", &["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "1"]);
}
