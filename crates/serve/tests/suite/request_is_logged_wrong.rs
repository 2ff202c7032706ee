//! The access log and the times: one true line for each request, whatever becomes of it.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, thread};

use larder_serve::http::StatusCode;
use larder_serve::{AccessLog, Bound, Builder, LogFormat, Peek, Reply, Request, Running};
use parking_lot::Mutex;

use crate::client::{Client, Gate, builder, eventually, start_with};

/// A log that the test can read.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().clone()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    }
}

fn bind(builder: Builder) -> Bound {
    builder.bind("127.0.0.1:0").unwrap()
}

fn fast(peek: &Peek<'_>) -> Option<Reply> {
    (peek.path() == "/fast").then(|| Reply::text("fast"))
}

fn handle(request: Request) -> Reply {
    match request.path() {
        "/hot" => Reply::text("hot!!").etag("v").hot(),
        "/big" => Reply::bytes("x/y", vec![0; 32 << 20]),
        "/stream" => Reply::stream(b"123".as_slice()),
        "/short" => Reply::stream_sized(b"123".as_slice(), 4),
        "/none" => Reply::status(StatusCode::NO_CONTENT),
        _ => Reply::status(StatusCode::NOT_FOUND),
    }
}

/// Runs `ask` against a server that logs, stops it, and gives back the lines.
fn logged(format: LogFormat, ask: impl FnOnce(&Running)) -> Vec<String> {
    let paper = Paper::default();
    let log = AccessLog::writer(paper.clone(), format);
    let server = bind(builder().max_body_bytes(10)).fast(fast).access_log(log).start(handle);
    let server = server.unwrap();
    ask(&server);
    server.stopper().stop();
    server.join();
    paper.lines()
}

/// A number in a line of JSON.
fn number(line: &str, name: &str) -> u64 {
    let at = line.find(&format!("\"{name}\":")).unwrap() + name.len() + 3;
    let end = line[at..].find([',', '}']).unwrap();
    line[at..at + end].parse().unwrap()
}

#[test]
fn each_answer_has_one_line() {
    let lines = logged(LogFormat::Combined, |server| {
        let mut client = Client::connect(server.local_addr());
        client.ask("GET", "/hot?a=b", "User-Agent: u\x01\r\n");
    });
    // A control character in a field is refused before there is a request to speak of.
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("\"-\" 400 ") && lines[0].ends_with("\"-\" \"-\""), "{lines:?}");

    let fields = "Referer: http://x/\"\r\nUser-Agent: u \u{e9}\\\r\n";
    let lines = logged(LogFormat::Combined, |server| {
        let mut client = Client::connect(server.local_addr());
        for target in ["/hot", "/hot", "/fast", "/missing", "/none"] {
            client.ask("GET", target, fields);
        }
        client.ask("HEAD", "/hot", "");
        client.ask("GET", "/hot", "Range: bytes=1-2\r\n");
        client.ask("GET", "/hot", "If-None-Match: \"v\"\r\n");
        client.ask("POST", "/missing", "Content-Length: 11\r\n");
        let mut client = Client::connect(server.local_addr());
        client.send("GET /stream HTTP/1.0\r\n\r\n");
        client.rest();
    });
    let agent = "\"http://x/\\x22\" \"u \\xc3\\xa9\\x5c\"";
    let expected = [
        ("GET /hot HTTP/1.1", 200, 5, agent),
        ("GET /hot HTTP/1.1", 200, 5, agent),
        ("GET /fast HTTP/1.1", 200, 4, agent),
        ("GET /missing HTTP/1.1", 404, 14, agent),
        ("GET /none HTTP/1.1", 204, 0, agent),
        ("HEAD /hot HTTP/1.1", 200, 0, "\"-\" \"-\""),
        ("GET /hot HTTP/1.1", 206, 2, "\"-\" \"-\""),
        ("GET /hot HTTP/1.1", 304, 0, "\"-\" \"-\""),
        ("POST /missing HTTP/1.1", 413, 15, "\"-\" \"-\""),
        ("GET /stream HTTP/1.0", 200, 3, "\"-\" \"-\""),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, (request, status, bytes, rest)) in lines.iter().zip(expected) {
        assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
        let end = format!(" +0000] \"{request}\" {status} {bytes} {rest}");
        assert!(line.ends_with(&end), "{line}\n{end}");
    }
}

#[test]
fn deliveries_that_were_cut_say_so() {
    let lines = logged(LogFormat::Json, |server| {
        let mut client = Client::connect(server.local_addr());
        client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
        client.socket.read_exact(&mut [0; 1000]).unwrap();
        client.reset();
        eventually("cut", || server.stats().aborted == 1);
        let mut client = Client::connect(server.local_addr());
        client.send("GET /short HTTP/1.1\r\nHost: x\r\n\r\n");
        client.rest();
        eventually("cut", || server.stats().aborted == 2);
        assert_eq!(server.stats().short, 1);
        let mut client = Client::connect(server.local_addr());
        client.get("/missing");
    });
    assert_eq!(lines.len(), 3);
    for (line, target, aborted) in
        [(&lines[0], "/big", true), (&lines[1], "/short", true), (&lines[2], "/missing", false)]
    {
        assert!(line.starts_with("{\"time\":\"20") && line.ends_with('}'), "{line}");
        assert!(line.contains(&format!("\"target\":\"{target}\"")), "{line}");
        assert!(line.contains(&format!("\"aborted\":{aborted}")), "{line}");
    }
    let sent = number(&lines[0], "bytes");
    assert!((900..32 << 20).contains(&sent), "{sent}");
    assert_eq!(number(&lines[1], "bytes"), 3);
    assert_eq!(number(&lines[2], "status"), 404);
}

#[test]
fn client_that_left_before_its_answer_is_499() {
    let (gate, keeper) = Gate::new();
    let paper = Paper::default();
    let log = AccessLog::writer(paper.clone(), LogFormat::Common);
    let server = bind(builder()).access_log(log).start(move |_: Request| {
        gate.pass();
        Reply::text("done")
    });
    let server = server.unwrap();
    let mut client = Client::connect(server.local_addr());
    client.send("GET /left HTTP/1.1\r\nHost: x\r\n\r\n");
    keeper.wait();
    client.reset();
    eventually("seen", || server.stats().connections == 0);
    keeper.let_go();
    server.stopper().stop();
    server.join();
    let lines = paper.lines();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].ends_with("\"GET /left HTTP/1.1\" 499 0"), "{lines:?}");
}

#[test]
fn client_that_left_in_its_body_is_499() {
    let lines = logged(LogFormat::Json, |server| {
        let mut client = Client::connect(server.local_addr());
        client.send("POST /left HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
        eventually("asked", || server.stats().requests == 1);
        client.half_close();
        client.rest();
    });
    assert_eq!(lines.len(), 1);
    for part in ["\"target\":\"/left\"", "\"status\":499", "\"aborted\":true"] {
        assert!(lines[0].contains(part), "{lines:?}");
    }
}

#[test]
fn answer_at_the_deadline_has_its_times() {
    const DEADLINE: Duration = Duration::from_millis(200);
    let (gate, keeper) = Gate::new();
    let paper = Paper::default();
    let log = AccessLog::writer(paper.clone(), LogFormat::Json);
    let settings = builder().workers(1).handler_deadline(DEADLINE);
    let server = bind(settings).access_log(log).start(move |_: Request| {
        gate.pass();
        Reply::text("done")
    });
    let server = server.unwrap();
    let mut running = Client::connect(server.local_addr());
    running.send("GET /running HTTP/1.1\r\nHost: x\r\n\r\n");
    keeper.wait();
    let mut queued = Client::connect(server.local_addr());
    queued.send("GET /queued HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((running.answer().status, queued.answer().status), (504, 503));
    keeper.let_go();
    server.stopper().stop();
    server.join();
    let lines = paper.lines();
    let least = DEADLINE.as_micros() as u64 * 9 / 10;
    for (target, time) in [("/running", "handler_us"), ("/queued", "queue_us")] {
        let line = lines.iter().find(|line| line.contains(target)).unwrap();
        assert!(number(line, time) >= least, "{line}");
    }
}

/// A log whose disk hangs until the test lets go.
struct Stuck(Gate, Paper, bool);

impl Write for Stuck {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.2, true) {
            self.0.pass();
        }
        self.1.write(lines)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn log_that_hangs_holds_up_no_delivery() {
    const REQUESTS: u64 = 500;
    let (gate, keeper) = Gate::new();
    let paper = Paper::default();
    let log = AccessLog::writer(Stuck(gate, paper.clone(), false), LogFormat::Common);
    let server = bind(builder()).access_log(log.buffer_bytes(4096)).fast(fast).start(handle);
    let server = server.unwrap();
    let mut client = Client::connect(server.local_addr());
    client.get("/fast");
    keeper.wait();
    for _ in 1..REQUESTS {
        assert_eq!(client.get("/fast").status, 200);
    }
    eventually("lines are dropped", || server.stats().log_dropped > REQUESTS / 2);
    keeper.let_go();
    drop(client);
    let meter = server.meter();
    server.stopper().stop();
    server.join();
    let written = paper.lines().len() as u64;
    assert_eq!(written + meter.stats().log_dropped, REQUESTS);
    assert!(written >= 2);
}

#[test]
fn failing_log_is_counted_and_nothing_else() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let log = AccessLog::writer(Full, LogFormat::Common);
    let server = bind(builder()).access_log(log).fast(fast).start(handle).unwrap();
    let mut client = Client::connect(server.local_addr());
    for _ in 0..10 {
        assert_eq!(client.get("/fast").status, 200);
    }
    eventually("counted", || server.stats().log_dropped == 10);
}

#[test]
fn moved_log_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let log = AccessLog::file(&path, LogFormat::Common).unwrap();
    let handle_of_log = log.handle();
    let server = bind(builder()).access_log(log).fast(fast).start(handle).unwrap();
    let mut client = Client::connect(server.local_addr());
    let lines = |path| fs::read_to_string(path).unwrap_or_default().lines().count();
    client.get("/fast");
    eventually("written", || lines(&path) == 1);
    fs::rename(&path, &moved).unwrap();
    client.get("/fast");
    eventually("written to the moved one", || lines(&moved) == 2);
    handle_of_log.reopen();
    eventually("opened anew", || path.exists());
    client.get("/fast");
    eventually("written to the new one", || lines(&path) == 1);
    assert_eq!(lines(&moved), 2);
    server.stopper().stop();
    server.join();
    let error = AccessLog::file(folder.path().join("no/such"), LogFormat::Common).unwrap_err();
    assert!(error.to_string().contains("no/such"), "{error}");
}

#[test]
fn times_are_split_into_queue_handler_and_delivery() {
    const STEP: Duration = Duration::from_millis(40);
    let (gate, keeper) = Gate::new();
    let server = start_with(builder().workers(1), move |request: Request| {
        if request.path() == "/wait" {
            gate.pass();
        }
        Reply::bytes("x/y", vec![0; if request.path() == "/big" { 32 << 20 } else { 1 }])
    });
    let mut first = Client::connect(server.local_addr());
    first.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    keeper.wait();
    let mut second = Client::connect(server.local_addr());
    second.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    eventually("queued", || server.stats().queued == 1);
    thread::sleep(STEP);
    keeper.let_go();
    first.answer();
    second.answer();
    eventually("noted", || server.latency().delivery.count() == 2);
    let latency = server.latency();
    assert!(latency.handler.quantile(1.0) >= STEP && latency.queue.quantile(1.0) >= STEP);
    assert_eq!((latency.queue.count(), latency.handler.count()), (2, 2));
    first.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    first.socket.read_exact(&mut [0; 1]).unwrap();
    thread::sleep(STEP);
    first.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    first.rest();
    eventually("noted", || server.latency().delivery.count() == 4);
    assert!(server.latency().delivery.quantile(1.0) >= STEP);
}
