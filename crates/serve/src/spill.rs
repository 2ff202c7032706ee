//! The thread that writes long request bodies to files without a name.
//!
//! Writing to a file may wait for a disk, also where the page cache takes it: the kernel slows
//! down who dirties pages faster than they are cleaned. So an I/O thread hands over a chunk of a
//! body and reads no more of that connection until the chunk is written: the client waits in its
//! socket, and at most one chunk of a connection is in memory. The share of the memory budget
//! travels with the chunk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Weak, mpsc};
use std::thread;

use crate::budget::Reserved;
use crate::io::mailbox::{ExchangeId, Message};
use crate::server::Shared;

/// Chunks that may wait; a body whose chunk finds no place is refused.
pub(crate) const PLACES: usize = 1024;

/// Bytes of a body that was begun to be written that are collected before they are written.
pub(crate) const CHUNK: usize = 128 * 1024;

/// The file of one body, and how much of it is written.
pub(crate) struct Spilled {
    pub(crate) file: File,
    pub(crate) len: u64,
}

/// The next chunk of a body.
pub(crate) struct Chunk {
    pub(crate) id: ExchangeId,
    /// `None` before the first chunk.
    pub(crate) spilled: Option<Spilled>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) reserved: Reserved,
}

/// Starts the thread; it ends when the server is gone, and holds nothing of it alive.
pub(crate) fn start(
    shared: &Arc<Shared>,
    dir: PathBuf,
    chunks: mpsc::Receiver<Chunk>,
) -> io::Result<()> {
    let shared = Arc::downgrade(shared);
    let work = move || run(&shared, &dir, &chunks);
    thread::Builder::new().name("larder-spill".into()).spawn(work)?;
    Ok(())
}

fn run(shared: &Weak<Shared>, dir: &PathBuf, chunks: &mpsc::Receiver<Chunk>) {
    for Chunk { id, spilled, bytes, reserved } in chunks {
        let written = write(dir, spilled, &bytes);
        drop(bytes);
        drop(reserved);
        let Some(shared) = shared.upgrade() else { return };
        if let Err(error) = &written {
            log::warn!("cannot keep a request body in {}: {error}", dir.display());
        }
        shared.mailboxes[id.thread as usize].push(Message::Spilled { id, spilled: written.ok() });
    }
}

fn write(dir: &PathBuf, spilled: Option<Spilled>, bytes: &[u8]) -> io::Result<Spilled> {
    let mut spilled = match spilled {
        Some(spilled) => spilled,
        None => Spilled { file: tempfile::tempfile_in(dir)?, len: 0 },
    };
    spilled.file.write_all_at(bytes, spilled.len)?;
    spilled.len += bytes.len() as u64;
    Ok(spilled)
}
