//! Linux: `MSG_MORE`, `sendfile`, `RWF_NOWAIT`, files in memory.

use std::fs::File;
use std::io::{self, IoSliceMut, Write};
use std::net::TcpListener;
use std::ops::Range;
use std::time::Duration;

use mio::net::TcpStream;
use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use rustix::net::{SendFlags, send};
use rustix::time::{ClockId, clock_gettime};
use socket2::SockRef;

/// Pages between two probes. Read-ahead brings in runs of at least this length, and eviction
/// takes folios, so what lies between two pages in memory is nearly always there too.
const PROBE_BYTES: usize = 128 * 1024;

/// Sends bytes that more will follow at once, so that they share a packet with it.
pub(crate) fn send_more(socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(socket, bytes, SendFlags::MORE | SendFlags::NOSIGNAL)?)
}

/// Sends a part of a file straight from the page cache; zero at the end of the file.
pub(crate) fn send_file(socket: &TcpStream, file: &File, part: Range<u64>) -> io::Result<usize> {
    let mut at = part.start;
    Ok(sendfile(socket, file, Some(&mut at), (part.end - part.start) as usize)?)
}

/// Has the connections of a listener take no more bytes than so many that cannot be sent yet.
pub(crate) fn hold_back(listener: &TcpListener, bytes: u32) -> io::Result<()> {
    SockRef::from(listener).set_tcp_notsent_lowat(bytes)
}

/// Copies bytes into a file that exists in memory alone.
pub(crate) fn pages(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"larder", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}

/// Tells whether a part of a file is in memory, by probing single bytes without waiting.
///
/// A file system that cannot tell counts as cold: a prefetch thread then reads the part first,
/// which costs little if it was in memory after all.
pub(crate) fn is_warm(file: &File, part: Range<u64>) -> bool {
    let last = part.end.saturating_sub(1);
    let mut probes = part.step_by(PROBE_BYTES).chain([last]);
    probes.all(|at| {
        let mut byte = [0];
        let read = preadv2(file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT);
        !matches!(read, Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL))
    })
}

/// Fills `bytes` from a file without waiting for a disk; false if not all of them are in memory.
pub(crate) fn read_warm(file: &File, bytes: &mut [u8], at: u64) -> bool {
    let len = bytes.len();
    len == 0 || preadv2(file, &mut [IoSliceMut::new(bytes)], at, ReadWriteFlags::NOWAIT) == Ok(len)
}

/// A clock that moves with the kernel's ticks, of 1 to 10 ms; reading it is a load, where the exact
/// one may take a tenth of a microsecond on a virtual machine.
pub(crate) fn coarse_clock() -> Duration {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
