//! The thread that writes the access log.

use std::io::{self, Write};

use super::sink::{Sink, Work};
use super::{Target, append};
use crate::guard::guarded;

/// Writes until the sink is closed; a writer that panics drops what it was given.
pub(super) fn run(mut target: Target, sink: &Sink) {
    let mut room = Vec::new();
    loop {
        let Work { lines, reopen, last } = sink.work(room);
        let written = guarded(|| write(&mut target, &lines).is_ok());
        if written != Some(true) {
            // Perhaps the disk is full. Some may have been written, but none is written twice.
            sink.count_dropped(memchr::memchr_iter(b'\n', &lines).count() as u64);
        }
        if reopen {
            reopen_file(&mut target);
        }
        if last {
            return sink.finished();
        }
        room = lines;
    }
}

fn write(target: &mut Target, lines: &[u8]) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let writer: &mut dyn Write = match target {
        Target::File { file, .. } => file,
        Target::Writer(writer) => writer,
    };
    writer.write_all(lines)?;
    writer.flush()
}

fn reopen_file(target: &mut Target) {
    let Target::File { file, path } = target else { return };
    match append(path) {
        Ok(opened) => *file = opened,
        Err(error) => ::log::warn!("cannot reopen the log {}: {error}", path.display()),
    }
}
