//! The thread that does what no I/O thread may wait for: it closes files that nobody else holds,
//! frees large memory, drops leases, and calls back.
//!
//! An I/O thread collects its chores and hands them over at the end of its turn. The channel is
//! bounded; when it is full, since a chore blocks, the I/O thread does its own: then it is slow,
//! but memory does not grow.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::{io, thread};

use crate::guard::guarded;

/// Something to be done elsewhere, once.
pub(crate) type Chore = Box<dyn FnOnce() + Send>;

/// Turns whose chores may wait.
const PLACES: usize = 1024;

/// Hands chores to the thread, which ends when this is dropped.
pub(crate) struct Reaper {
    chores: SyncSender<Vec<Chore>>,
}

impl Reaper {
    pub(crate) fn new() -> (Self, Receiver<Vec<Chore>>) {
        let (chores, receiver) = sync_channel(PLACES);
        (Self { chores }, receiver)
    }

    /// Hands over all of `chores`, and leaves it empty.
    pub(crate) fn take(&self, chores: &mut Vec<Chore>) {
        match self.chores.try_send(std::mem::take(chores)) {
            Ok(()) => {}
            Err(TrySendError::Full(chores) | TrySendError::Disconnected(chores)) => run(chores),
        }
    }
}

/// Starts the thread; it holds nothing of the server alive.
pub(crate) fn start(chores: Receiver<Vec<Chore>>) -> io::Result<()> {
    let work = move || chores.into_iter().for_each(run);
    thread::Builder::new().name("larder-reaper".into()).spawn(work)?;
    Ok(())
}

/// A chore may run code of the user's, which may panic; the next is done all the same.
fn run(chores: Vec<Chore>) {
    for chore in chores {
        let _ = guarded(chore);
    }
}
