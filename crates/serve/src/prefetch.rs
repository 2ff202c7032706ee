//! Threads that bring cold parts of files into memory, so that `sendfile` on an I/O thread never
//! waits for a disk.
//!
//! A connection has one request under way at a time, but those of connections that were closed
//! stay in the channel too, so that it is bounded by itself. A request whose delivery is over is
//! skipped, so that a crowd that came and went keeps no disk busy.

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

/// Requests that may wait; a delivery that finds no place is cut. So many parts of 2 MiB are 8 GiB,
/// which no disk that lets them pile up reads before their deliveries time out.
pub(crate) const PLACES: usize = 4096;

/// A part of a file that an I/O thread wants to send but found cold.
pub(crate) struct Prefetch {
    pub(crate) id: ExchangeId,
    pub(crate) file: Arc<File>,
    pub(crate) part: Range<u64>,
    /// Held by the delivery, as long as it waits for this.
    pub(crate) waiting: Weak<()>,
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
        let Ok(Prefetch { id, file, part, waiting }) = wanted.lock().recv() else { return };
        if waiting.strong_count() == 0 {
            continue;
        }
        let until = part.end;
        os::warm(&file, part);
        let Some(shared) = shared.upgrade() else { return };
        shared.mailboxes[id.thread as usize].push(Message::Warm { id, until });
    }
}
