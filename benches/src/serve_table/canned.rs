//! The floor: an epoll loop that reads something and answers the same bytes, whatever was asked.
//!
//! It parses nothing, times nothing out and bounds nothing. What a server costs above it is what
//! HTTP costs.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::thread;

use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

/// Starts a loop for each file of `root`; the port of a file is told by its order.
pub fn start(root: &Path, name: &str) -> io::Result<SocketAddr> {
    let body = std::fs::read(root.join(name))?;
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: Fri, 20 Nov 2026 12:00:00 GMT\r\nETag: \"1\"\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\
         Accept-Ranges: bytes\r\n\r\n",
        body.len()
    );
    let answer = [head.into_bytes(), body].concat();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    thread::spawn(move || serve(&listener, &answer));
    Ok(addr)
}

const LISTENER: u64 = u64::MAX;

fn serve(listener: &TcpListener, answer: &[u8]) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let listens = epoll::EventData::new_u64(LISTENER);
    epoll::add(&epoll, listener, listens, epoll::EventFlags::IN)?;
    let mut events: Vec<epoll::Event> = Vec::with_capacity(512);
    let mut clients: Vec<Option<TcpStream>> = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            if event.data.u64() == LISTENER {
                let Ok((client, _)) = listener.accept() else { continue };
                client.set_nonblocking(true)?;
                client.set_nodelay(true)?;
                let nth = client.as_raw_fd() as usize;
                let data = epoll::EventData::new_u64(nth as u64);
                epoll::add(&epoll, &client, data, epoll::EventFlags::IN | epoll::EventFlags::ET)?;
                clients.resize_with(clients.len().max(nth + 1), || None);
                clients[nth] = Some(client);
                continue;
            }
            let place = &mut clients[event.data.u64() as usize];
            if place.as_ref().is_some_and(|client| !exchange(client, &mut buffer, answer)) {
                *place = None;
            }
        }
    }
}

/// Answers what has come; false if the connection is over, or cannot take the answer at once.
fn exchange(client: &TcpStream, buffer: &mut [u8], answer: &[u8]) -> bool {
    match recv(client, buffer, RecvFlags::empty()) {
        Ok((_, 0)) => false,
        Ok(_) => send(client, answer, SendFlags::NOSIGNAL) == Ok(answer.len()),
        Err(error) => error == Errno::AGAIN,
    }
}
