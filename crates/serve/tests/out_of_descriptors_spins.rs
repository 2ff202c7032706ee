//! When descriptors run out, accepting pauses and idle connections give way; nothing spins.
//! In a process of its own, since the limit is the process's.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use larder_serve::{Reply, Request, Server};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

fn get(socket: &mut TcpStream) -> std::io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    socket.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let n = socket.read(&mut [0; 1024])?;
    if n == 0 { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn accepting_pauses_and_idle_connections_give_way() {
    let server = Server::builder().io_threads(2).workers(1);
    let server = server.bind("127.0.0.1:0").unwrap().start(|_: Request| Reply::text("hi")).unwrap();
    let addr = server.local_addr();
    // Served connections, idle; their clients' ends live in this process too.
    let mut idle: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(addr).unwrap()).collect();
    for socket in &mut idle {
        get(socket).unwrap();
    }
    // All that are left are taken, but for one: the client's end of a new connection.
    let first = std::fs::File::open("/dev/null").unwrap();
    let lowest = std::os::fd::AsRawFd::as_raw_fd(&first) as u64;
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(lowest + 1), ..before }).unwrap();
    drop(first);
    let mut late = TcpStream::connect(addr).unwrap();
    let begun = cpu();
    get(&mut late).expect("an idle connection made room");
    assert!(server.stats().shed >= 1);
    std::thread::sleep(Duration::from_millis(300));
    assert!(cpu() - begun < Duration::from_millis(150), "the server spins");
    setrlimit(Resource::Nofile, before).unwrap();
    get(&mut TcpStream::connect(addr).unwrap()).unwrap();
}
