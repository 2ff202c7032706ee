//! A number for each slot of names, which says whether a copy in memory is still what is on disk.
//!
//! ```text
//! even ──begin, under the slot's lock──> odd: somebody is writing ──end──> even, and larger
//! ```
//! A reader takes the number and then reads the disk: if the number is even, what it read is good
//! for as long as the number stays, since who writes changes it first, and never back. A writer that
//! died in between leaves an odd number: readers then use no
//! copy, and the next writer of the slot passes on to the next even one.
//!
//! Between processes the numbers are in a file, read and written by eight bytes at a time: a check
//! is one `pread`, and no process is ever behind. The disk's room for them is taken when it is
//! opened, so that a full one has no say in a revocation. Alone on a directory, they are in memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::FallocateFlags;

use crate::error::Error;
use crate::file::private::open_private;

use crate::sync::{AtomicU64, Ordering};

pub(crate) enum Generations {
    Shared(File),
    /// Written under the slot's lock; all accesses are SeqCst, each other's partners: a check after
    /// a revocation has to see it, whichever thread it is on.
    Alone(Box<[AtomicU64]>),
}

impl Generations {
    pub(crate) fn alone(slots: usize) -> Generations {
        Generations::Alone((0..slots).map(|_| AtomicU64::new(0)).collect())
    }

    pub(crate) fn shared(path: &Path, slots: usize) -> Result<Generations, Error> {
        let file = open_private(path).map_err(|e| Error::io("open", path, e))?;
        // It changes nothing that is there. Not every file system can, and then it is as before.
        let _ = rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, 8 * slots as u64);
        Ok(Generations::Shared(file))
    }

    /// Returns the number of a slot; one that was never written is 0.
    pub(crate) fn read(&self, slot: usize) -> io::Result<u64> {
        match self {
            Generations::Alone(numbers) => Ok(numbers[slot].load(Ordering::SeqCst)),
            Generations::Shared(file) => {
                let mut bytes = [0; 8];
                match file.read_at(&mut bytes, 8 * slot as u64)? {
                    8 => Ok(u64::from_le_bytes(bytes)),
                    _ => Ok(0),
                }
            }
        }
    }

    fn write(&self, slot: usize, number: u64) -> io::Result<()> {
        match self {
            Generations::Alone(numbers) => {
                numbers[slot].store(number, Ordering::SeqCst);
                Ok(())
            }
            Generations::Shared(file) => file.write_all_at(&number.to_le_bytes(), 8 * slot as u64),
        }
    }

    /// Says that a write begins. The caller has the slot's lock.
    pub(crate) fn begin(&self, slot: usize) -> io::Result<()> {
        let number = self.read(slot)?;
        let odd = if is_settled(number) { number + 1 } else { number + 2 };
        self.write(slot, odd)
    }

    /// Says that the write is over, and returns the number that is good for what it left. The
    /// caller has the slot's lock still.
    pub(crate) fn end(&self, slot: usize) -> io::Result<u64> {
        let number = self.read(slot)? + 1;
        self.write(slot, number)?;
        Ok(number)
    }
}

/// Is nobody writing?
pub(crate) fn is_settled(number: u64) -> bool {
    number.is_multiple_of(2)
}
