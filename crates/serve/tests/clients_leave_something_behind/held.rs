//! What replies own, and how much of it is still there.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use larder_serve::Bytes;

use crate::client::Gate;

/// More than the sockets of both sides hold, so that a delivery is under way until it is read.
pub const LEN: u64 = 32 << 20;

/// Counts what is alive of what replies own: leases, readers, memory of the user's.
#[derive(Clone, Default)]
pub struct Held {
    alive: Arc<AtomicUsize>,
    /// Bytes given by readers.
    pub given: Arc<AtomicU64>,
}

/// Something that a reply owns.
pub struct Hold(Held);

impl Held {
    pub fn hold(&self) -> Hold {
        self.alive.fetch_add(1, SeqCst);
        Hold(self.clone())
    }

    pub fn count(&self) -> usize {
        self.alive.load(SeqCst)
    }

    /// `LEN` bytes of memory that tell when they are dropped.
    pub fn bytes(&self) -> Bytes {
        Bytes::from_owner(Owned(vec![b'b'; LEN as usize], self.hold()))
    }

    /// A reader of `LEN` bytes.
    pub fn reader(&self) -> Reader {
        Reader { left: LEN, stop: None, hold: self.hold() }
    }

    /// A reader that gives 4 KiB, then one more for each time that the gate lets it go.
    pub fn blocking(&self, gate: &Arc<Gate>) -> Reader {
        Reader { left: LEN, stop: Some(Arc::clone(gate)), hold: self.hold() }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, SeqCst);
    }
}

struct Owned(Vec<u8>, #[expect(dead_code, reason = "dropped with the bytes")] Hold);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

pub struct Reader {
    left: u64,
    stop: Option<Arc<Gate>>,
    hold: Hold,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut n = buffer.len().min(self.left as usize);
        if let Some(gate) = &self.stop {
            if self.left < LEN {
                gate.pass();
            }
            n = n.min(4096);
        }
        buffer[..n].fill(b's');
        self.left -= n as u64;
        self.hold.0.given.fetch_add(n as u64, SeqCst);
        Ok(n)
    }
}
