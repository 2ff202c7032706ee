//! Threads that bring cold parts of files into memory, so that `sendfile` on an I/O thread never
//! waits for a disk. At most one request a connection is under way, so the channel is bounded by
//! the connections.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Weak, mpsc};
use std::thread;

use parking_lot::Mutex;

use crate::io::mailbox::{ExchangeId, Message};
use crate::os;
use crate::server::Shared;

/// One slow disk must not hold up the files of another; two threads are enough to overlap.
const THREADS: usize = 2;

/// A part of a file that an I/O thread wants to send but found cold.
pub(crate) struct Prefetch {
    pub(crate) id: ExchangeId,
    pub(crate) file: Arc<File>,
    pub(crate) part: Range<u64>,
}

/// Starts the threads; they end when the server is gone, and hold nothing of it alive.
pub(crate) fn start(shared: &Arc<Shared>, wanted: mpsc::Receiver<Prefetch>) -> io::Result<()> {
    let wanted = Arc::new(Mutex::new(wanted));
    for index in 0..THREADS {
        let (shared, wanted) = (Arc::downgrade(shared), Arc::clone(&wanted));
        let name = format!("larder-prefetch-{index}");
        thread::Builder::new().name(name).spawn(move || run(&shared, &wanted))?;
    }
    Ok(())
}

fn run(shared: &Weak<Shared>, wanted: &Mutex<mpsc::Receiver<Prefetch>>) {
    loop {
        // The lock is held while waiting for work: whoever waits next waits for the lock instead.
        let Ok(Prefetch { id, file, part }) = wanted.lock().recv() else { return };
        let until = part.end;
        os::warm(&file, part);
        let Some(shared) = shared.upgrade() else { return };
        shared.mailboxes[id.thread as usize].push(Message::Warm { id, until });
    }
}
