//! When descriptors run out, accepting pauses and idle connections give way; nothing spins.
//! In a process of its own, since the limit is the process's; and one test after the other.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use larder_serve::{Reply, Request, Server};
use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Held while the limit is changed, and processor time counted.
static LIMIT: Mutex<()> = Mutex::new(());

/// The limit as it was before, which dropping this restores.
struct Lowered(Rlimit);

impl Lowered {
    /// Takes all descriptors that are left, but for one: the client's end of a new connection.
    fn to_one_more() -> Self {
        let first = File::open("/dev/null").unwrap();
        let before = getrlimit(Resource::Nofile);
        let current = Some(first.as_raw_fd() as u64 + 1);
        setrlimit(Resource::Nofile, Rlimit { current, ..before }).unwrap();
        Lowered(before)
    }
}

impl Drop for Lowered {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.0).unwrap();
    }
}

fn get(socket: &mut TcpStream) -> std::io::Result<()> {
    ask(socket, "/")?;
    answer(socket)
}

fn ask(socket: &mut TcpStream, path: &str) -> std::io::Result<()> {
    write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

fn answer(socket: &mut TcpStream) -> std::io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let n = socket.read(&mut [0; 1024])?;
    if n == 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn accepting_pauses_and_idle_connections_give_way() {
    let _alone = LIMIT.lock();
    let server = Server::builder().io_threads(2).workers(1);
    let server = server.bind("127.0.0.1:0").unwrap().start(|_: Request| Reply::text("hi")).unwrap();
    let addr = server.local_addr();
    // Served connections, idle; their clients' ends live in this process too.
    let mut idle: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(addr).unwrap()).collect();
    for socket in &mut idle {
        get(socket).unwrap();
    }
    let lowered = Lowered::to_one_more();
    let mut late = TcpStream::connect(addr).unwrap();
    let begun = cpu();
    get(&mut late).expect("an idle connection made room");
    assert!(server.stats().shed >= 1);
    thread::sleep(Duration::from_millis(300));
    assert!(cpu() - begun < Duration::from_millis(150), "the server spins");
    drop(lowered);
    get(&mut TcpStream::connect(addr).unwrap()).unwrap();
}

/// Nobody can give way, so accepting fails until a handler ends; that it pauses meanwhile is seen by
/// the processor time, which a loaded machine makes less and never more.
#[test]
fn accepting_pauses_while_all_connections_are_busy() {
    const BUSY: usize = 3;
    let _alone = LIMIT.lock();
    let (started, has_started) = channel();
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let server = Server::builder().io_threads(2).workers(BUSY).bind("127.0.0.1:0").unwrap();
    let server = server.start(move |request: Request| {
        if request.path() == "/busy" {
            started.send(()).unwrap();
            let _ = released.lock().recv();
        }
        Reply::text("hi")
    });
    let server = server.unwrap();
    // Dropped before the server, which waits for its handlers: so a failed assertion ends them.
    let release = release;
    let mut busy: Vec<TcpStream> =
        (0..BUSY).map(|_| TcpStream::connect(server.local_addr()).unwrap()).collect();
    for socket in &mut busy {
        ask(socket, "/busy").unwrap();
        has_started.recv().unwrap();
    }
    let _lowered = Lowered::to_one_more();
    let mut late = TcpStream::connect(server.local_addr()).unwrap();
    ask(&mut late, "/").unwrap();
    let (begun, spent) = (Instant::now(), cpu());
    thread::sleep(Duration::from_secs(1));
    let (spent, window) = (cpu() - spent, begun.elapsed());
    assert!(spent < window / 4, "the server spins: {spent:?} of {window:?}");
    let stats = server.stats();
    assert_eq!((stats.accepted, stats.shed), (BUSY as u64, 0), "the late one is still to come");
    release.send(()).unwrap();
    answer(&mut late).expect("the handler that ended made room");
}
