//! Elsewhere: plain reads and writes. A cold file may hold up an I/O thread here for one read.

use std::fs::File;
use std::io::{self, Write};
use std::net::TcpListener;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use mio::net::TcpStream;

/// What is read and written at a time.
const CHUNK: usize = 64 * 1024;

/// There is nothing to gain: `send_file` copies.
pub(crate) fn pages(_: &[u8]) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn send_more(mut socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    socket.write(bytes)
}

pub(crate) fn send_file(
    mut socket: &TcpStream,
    file: &File,
    part: Range<u64>,
) -> io::Result<usize> {
    let mut chunk = vec![0; CHUNK.min((part.end - part.start) as usize)];
    let n = file.read_at(&mut chunk, part.start)?;
    if n == 0 { Ok(0) } else { socket.write(&chunk[..n]) }
}

/// Nobody can tell, so each window goes through a prefetch thread first.
pub(crate) fn is_warm(_: &File, _: Range<u64>) -> bool {
    false
}

/// Nobody can tell, so nothing is read on an I/O thread.
pub(crate) fn read_warm(_: &File, bytes: &mut [u8], _: u64) -> bool {
    bytes.is_empty()
}

/// The exact clock does as well.
pub(crate) fn coarse_clock() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// There is no such bound elsewhere.
pub(crate) fn hold_back(_: &TcpListener, _: u32) -> io::Result<()> {
    Ok(())
}
