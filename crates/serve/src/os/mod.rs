//! What differs between systems: sending a head that more follows, sending a file, telling whether
//! that would wait for a disk, how much the kernel takes that it cannot send yet, and files in
//! memory; and a clock that costs nothing. With `--cfg larder_portable`, Linux is treated as any
//! other system.

#[cfg(all(target_os = "linux", not(larder_portable)))]
mod linux;
#[cfg(all(target_os = "linux", not(larder_portable)))]
use linux as system;

#[cfg(any(not(target_os = "linux"), larder_portable))]
mod portable;
#[cfg(any(not(target_os = "linux"), larder_portable))]
use portable as system;

pub(crate) use system::{coarse_clock, hold_back, is_warm, pages, read_warm, send_file, send_more};

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Descriptors that this process may have open.
pub(crate) fn descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Reads a part of a file for no other purpose than to have it in memory.
pub(crate) fn warm(file: &File, part: Range<u64>) {
    let mut sink = vec![0; 128 * 1024];
    let mut at = part.start;
    while at < part.end {
        let n = sink.len().min((part.end - at) as usize);
        match file.read_at(&mut sink[..n], at) {
            Ok(n) if n > 0 => at += n as u64,
            // Whoever sends the part will meet the same error, or the end of the file.
            _ => return,
        }
    }
}
