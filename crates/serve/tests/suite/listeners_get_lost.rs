//! Unix sockets, inherited sockets, several sockets of a server, several servers in a process.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use larder_serve::{Handler, Listener, Reply, Request, Running};

use crate::client::{Client, builder, eventually, start};

fn connect(path: &Path) -> Client {
    Client::over(UnixStream::connect(path).unwrap())
}

fn start_at(path: &Path, handler: impl Handler) -> Running {
    builder().listener(Listener::unix(path).unwrap()).unwrap().start(handler).unwrap()
}

#[test]
fn everything_goes_over_a_unix_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("http.sock");
    let content: Vec<u8> = (0..3_000_000u32).map(|i| (i ^ (i >> 8)) as u8).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&content).unwrap();
    let file = Arc::new(file);
    let server = start_at(&path, move |request: Request| match request.path() {
        "/file" => Reply::file(Arc::clone(&file), 0, 3_000_000),
        "/hot" => Reply::text("hot").hot(),
        "/peer" => Reply::text(request.peer().to_string()),
        _ => Reply::bytes("x/y", request.body().bytes().unwrap().clone()),
    });
    assert_eq!(server.local_addr().to_string(), "0.0.0.0:0");
    let mut client = connect(&path);
    assert_eq!(client.get("/peer").text(), "0.0.0.0:0");
    for _ in 0..3 {
        assert_eq!(client.get("/hot").text(), "hot");
        assert!(client.get("/file").body == content);
    }
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /hot HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((client.answer().text(), client.answer().text()), ("hello", "hot"));
    client.send("GET /hot HTTP/1.1\r\nHost: x\r\n\r\n");
    client.half_close();
    assert_eq!(client.answer().text(), "hot");
    assert_eq!(client.rest(), b"");
    let many: Vec<_> = (0..50).map(|_| connect(&path)).collect();
    for mut client in many {
        assert_eq!(client.get("/hot").text(), "hot");
    }
}

#[test]
fn socket_has_the_mode_that_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("http.sock");
    for mode in [0o600, 0o660, 0o666] {
        // A stale name, of another mode, is replaced.
        drop(UnixListener::bind(&path).unwrap());
        let listener = Listener::unix_with_mode(&path, mode).unwrap();
        let server = builder().listener(listener).unwrap();
        let server = server.start(|_: Request| Reply::text("here")).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, mode);
        assert_eq!(connect(&path).get("/").text(), "here");
        drop(server);
        assert!(!path.exists());
    }
    let missing = dir.path().join("no/such.sock");
    let error = Listener::unix_with_mode(missing, 0o600).unwrap_err();
    assert!(error.to_string().contains("no/such.sock"), "{error}");
}

#[test]
fn a_server_listens_on_all_of_its_sockets() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let server = builder().io_threads(2).listener(Listener::unix(&first).unwrap()).unwrap();
    let server = server.and(tcp).unwrap().and(UnixListener::bind(&second).unwrap()).unwrap();
    assert_eq!(server.local_addr().port(), port);
    let server = server.start(|_: Request| Reply::text("here")).unwrap();
    for _ in 0..5 {
        for path in [&first, &second] {
            assert_eq!(connect(path).get("/").text(), "here");
        }
        assert_eq!(Client::connect(server.local_addr()).get("/").text(), "here");
    }
    drop(server);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(UnixStream::connect(&second).is_err());
    // The name that was made elsewhere is not ours to remove.
    assert!(!first.exists() && second.exists());
}

#[test]
fn names_of_sockets_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("http.sock");
    // Left behind by a process that was killed.
    drop(UnixListener::bind(&path).unwrap());
    let server = start_at(&path, |_: Request| Reply::text("first"));
    let error = Listener::unix(&path).unwrap_err();
    assert!(error.is_in_use() && error.to_string().contains("http.sock"), "{error}");
    assert_eq!(connect(&path).get("/").text(), "first");
    // Moved over by the next one, whose name must stay.
    let next = dir.path().join("next.sock");
    let other = UnixListener::bind(&next).unwrap();
    std::fs::rename(&next, &path).unwrap();
    drop(server);
    assert!(path.exists());
    drop(other);
    // What is no socket is left alone.
    let file = dir.path().join("file");
    std::fs::write(&file, "text").unwrap();
    assert!(Listener::unix(&file).is_err());
    assert_eq!(std::fs::read(&file).unwrap(), b"text");
    assert!(Listener::unix(dir.path().join("missing/http.sock")).is_err());
}

#[test]
fn what_does_not_listen_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let fake = TcpListener::from(OwnedFd::from(connected));
    let error = builder().listener(fake).unwrap_err();
    assert!(error.to_string().contains("does not listen"), "{error}");
    let (one, _other) = UnixStream::pair().unwrap();
    assert!(builder().listener(UnixListener::from(OwnedFd::from(one))).is_err());
}

#[test]
fn servers_of_one_process_do_not_meet() {
    let servers: Vec<_> =
        (0..3).map(|n| start(move |_: Request| Reply::text(format!("server {n}")).hot())).collect();
    let mut clients: Vec<_> = servers.iter().map(|s| Client::connect(s.local_addr())).collect();
    for round in 1..=3 {
        for (n, (client, server)) in clients.iter_mut().zip(&servers).enumerate() {
            assert_eq!(client.get("/").text(), format!("server {n}"));
            assert_eq!(server.stats().requests, round);
            assert_eq!(server.stats().hot_entries, 1);
        }
    }
    servers[0].hot().clear();
    servers[1].stopper().stop();
    assert!(clients[1].is_closed());
    for n in [0, 2] {
        assert_eq!(clients[n].get("/").text(), format!("server {n}"));
    }
    eventually("only the first has forgotten", || {
        let hits = |n: usize| servers[n].stats().hot_hits;
        (hits(0), hits(2)) == (2, 3)
    });
}

/// Run as a process of its own by the next test; a test of nothing otherwise.
#[test]
fn inherit() {
    if std::env::var_os("LISTEN_FDS").is_none() {
        return;
    }
    let mut inherited = Listener::inherited().unwrap().into_iter();
    assert!(Listener::inherited().unwrap().is_empty());
    let server = builder().listener(inherited.next().unwrap()).unwrap();
    let server = inherited.fold(server, |server, listener| server.and(listener).unwrap());
    let server = server.start(|_: Request| Reply::text("inherited")).unwrap();
    // Until it is killed.
    server.join();
}

#[test]
fn inherited_sockets_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("http.sock");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = tcp.local_addr().unwrap();
    let unix = UnixListener::bind(&path).unwrap();
    let script = "exec 3<&0 4<&1 </dev/null >/dev/null; \
                  LISTEN_PID=$$ LISTEN_FDS=2 exec \"$0\" --exact listeners_get_lost::inherit";
    let mut child = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .stdin(Stdio::from(OwnedFd::from(tcp)))
        .stdout(Stdio::from(OwnedFd::from(unix)))
        .spawn()
        .unwrap();
    // The sockets listen already, so that nobody has to wait for the child.
    let tcp = std::panic::catch_unwind(|| Client::connect(addr).get("/").text().to_owned());
    let unix = std::panic::catch_unwind(|| connect(&path).get("/").text().to_owned());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((tcp.unwrap(), unix.unwrap()), ("inherited".into(), "inherited".into()));
}
