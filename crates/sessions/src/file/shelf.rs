//! Small files by name, in directories by the time at which they expire.
//!
//! ```text
//! shelf/<end>/<name>         published: 32 hexadecimal digits
//! shelf/<end>/.<draft>       being written; goes with its bucket if its writer died
//! shelf/generations          see `generations`
//! shelf/locks/<stripe>       see `stripes`
//! ```
//! An end is even; odd ones are of buckets of what only names the session that it went on as. A name
//! is in one bucket at any time, unless somebody copies files: then whichever is found first counts,
//! and a removal is of all of them. A write is a draft in the bucket to be, and then, between
//! [`begin`](Generations::begin) and [`end`](Generations::end), a rename of what there is into that
//! bucket (unless it is there) and an exchange of it and the draft, which is then unlinked. Who dies
//! before the exchange leaves the old content for longer, and has told nobody that it was replaced.
//!
//! A reader looks through the buckets, the latest first, since what is in use was put off last; but
//! those that are further ahead than a session of this store can be, last of all. What it finds was
//! there at some moment of the call; a copy of it is good while the slot's generation is what it was
//! before the look, if that was even. To know that there is nothing it has to be sure that nothing
//! moved past it: that the slot's generation was even and stayed, and the table's too. Bytes that
//! are no file of ours, and names that are no bucket's, are passed over: see `is_foreign`.
//!
//! A bounded number of buckets is kept open. If there are more, these are the ones near this time,
//! for which the shelf notes what it was told of it; who revokes looks into the others too.
//!
//! Removing what has expired takes no lock: the rename or the exchange of a write that comes too late
//! fails, and then there was nothing to write onto any more. (Where the file system can't exchange,
//! the write looks whether the file is there and renames over it: one that is cleaned up in between,
//! by a process whose clock is ahead, is there again.)

use std::cmp::Reverse;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::error::Error;
use crate::file::bucket::{Bucket, Listing, Look, Table, is_foreign, make_dir, open_dir};
use crate::file::generations::{Generations, is_settled};
use crate::file::held::Held;
use crate::file::pass::Pass;
use crate::file::private::make_private;
use crate::file::stripes::Stripes;

/// Names with one generation: few enough to be 32 KiB, and so many that a write elsewhere costs
/// few others their copies.
const SLOTS: usize = 4096;
/// The generation of the set of buckets.
const TABLE: usize = SLOTS;
/// Readers that meet a writer at each of so many looks take a turn with them.
const LOOKS: usize = 8;
/// Buckets that are kept open. Some twenty are live, and more only for as long as other time-outs
/// were in force, or where a clock is wrong.
const MAX_BUCKETS: usize = 256;
/// Of these so many may be over already, however many are not: for another process they are not.
const MAX_OVER: usize = 64;
/// A session ends within some eighteen widths of its last use. What is further ahead than so many is
/// of another clock, or of longer time-outs, and is looked at last.
const NEAR_WIDTHS: u64 = 32;
/// Names that may be somebody else's in a row, where a bucket is to be.
const SIDE_STEPS: u64 = 8;
/// What else there is of ours.
const OTHER_NAMES: [&str; 2] = ["generations", "locks"];

pub(crate) struct Shelf {
    pub(crate) path: PathBuf,
    pub(crate) root: OwnedFd,
    pub(crate) generations: Generations,
    pub(crate) stripes: Stripes,
    /// Replaced under `reloading`, or under the turn of the table.
    table: ArcSwap<Table>,
    reloading: Mutex<()>,
    /// Set once, by `prepare`.
    width_s: AtomicU64,
    /// What tells the drafts of this shelf from those of other processes.
    nonce: u64,
    next_draft: AtomicU64,
    /// What time it was, when that was last of interest; 0 until somebody has said so.
    told_s: AtomicU64,
    /// Does the frame of a file say that it is one of this shelf, and whole?
    is_ours: fn(&[u8]) -> bool,
    /// Where the clean-up is; one at a time.
    pub(crate) pass: Mutex<Pass>,
}

/// A file.
pub(crate) struct Found {
    pub(crate) bytes: Vec<u8>,
    pub(crate) bucket: Arc<Bucket>,
    /// For how long a copy is good; `None` if it was being written.
    pub(crate) generation: Option<u64>,
}

/// What a file holds, and where it was.
type Hit = (Vec<u8>, Arc<Bucket>);

impl Shelf {
    /// Opens a shelf, or makes it. Looks at the names of its buckets, and into none.
    pub(crate) fn open(
        path: PathBuf,
        is_ours: fn(&[u8]) -> bool,
        is_alone: bool,
        wait: Duration,
    ) -> Result<Shelf, Error> {
        let locks = path.join("locks");
        make_private(&locks).map_err(|e| Error::io("create", &locks, e))?;
        let root = open_dir(&path).map_err(|e| Error::io("open", &path, e))?;
        let generations = match is_alone {
            true => Generations::alone(SLOTS + 1),
            false => Generations::shared(&path.join("generations"), SLOTS + 1)?,
        };
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce).map_err(Error::random)?;
        let shelf = Shelf {
            root,
            generations,
            stripes: Stripes::new(locks, is_alone, wait),
            table: ArcSwap::from_pointee(Table {
                generation: u64::MAX,
                buckets: Vec::new(),
                taken: Vec::new(),
                foreign: 0,
                cut_at_s: None,
            }),
            reloading: Mutex::new(()),
            width_s: AtomicU64::new(60),
            nonce: u64::from_ne_bytes(nonce),
            next_draft: AtomicU64::new(0),
            told_s: AtomicU64::new(0),
            is_ours,
            pass: Mutex::default(),
            path,
        };
        shelf.reload(None)?;
        Ok(shelf)
    }

    /// Makes buckets of a sixteenth of this time, in even seconds.
    pub(crate) fn prepare(&self, longest: Duration) {
        self.width_s.store(((longest.as_secs() / 16) & !1).max(2), Ordering::Relaxed);
    }

    /// The end of the bucket for what expires then. It is even.
    pub(crate) fn end_s(&self, expires_ms: u64) -> u64 {
        let width_s = self.width_s.load(Ordering::Relaxed);
        let end_s = expires_ms.div_ceil(width_s.saturating_mul(1000)).saturating_mul(width_s);
        end_s & !1
    }

    pub(crate) fn generation(&self, name: u128) -> Option<u64> {
        self.generations.read(slot_of(name)).ok().filter(|number| is_settled(*number))
    }

    pub(crate) fn failed(&self, what: &str, e: io::Error) -> Error {
        Error::io(what, &self.path, e)
    }

    pub(crate) fn draft_name(&self) -> String {
        let nth = self.next_draft.fetch_add(1, Ordering::Relaxed);
        format!(".{:x}.{nth:x}", self.nonce)
    }

    /// Notes what time it is, at most once a second: there is nothing to be shared here.
    pub(crate) fn tell(&self, now_ms: u64) {
        let now_s = now_ms / 1000;
        if now_s > 0 && self.told_s.load(Ordering::Relaxed) != now_s {
            self.told_s.store(now_s, Ordering::Relaxed);
        }
    }

    /// Reads a file. Takes a lock only when writers of its slot are met at every look.
    pub(crate) fn read(&self, name: u128, now_ms: u64) -> Result<Option<Found>, Error> {
        let slot = slot_of(name);
        let number = || self.generations.read(slot).map_err(|e| self.failed("read", e));
        for _ in 0..LOOKS {
            let before = number()?;
            let table = self.table.load();
            if let Some((bytes, bucket)) = self.probe(&table, name, now_ms)? {
                // If somebody began to write meanwhile, nobody will find this number again.
                let generation = Some(before).filter(|before| is_settled(*before));
                return Ok(Some(Found { bytes, bucket, generation }));
            }
            let is_good = number()? == before && is_settled(before);
            if is_good && self.is_current(&table)? {
                return Ok(None);
            }
            if is_good {
                self.tell(now_ms);
                self.reload(None)?;
            }
        }
        let held = self.lock(name)?;
        held.settle()?;
        held.find(now_ms)
    }

    /// Reads a file of which no copy will be kept: no number is needed for what is found.
    pub(crate) fn read_once(&self, name: u128, now_ms: u64) -> Result<Option<Found>, Error> {
        match self.probe(&self.table.load(), name, now_ms)? {
            Some((bytes, bucket)) => Ok(Some(Found { bytes, bucket, generation: None })),
            None => self.read(name, now_ms),
        }
    }

    /// Looks through the buckets that are not over. What is none of ours hides nothing: the file may
    /// be in another one.
    fn probe(&self, table: &Table, name: u128, now_ms: u64) -> Result<Option<Hit>, Error> {
        let text = name_text(name);
        for bucket in table.buckets.iter().filter(|bucket| !bucket.is_over(now_ms)) {
            match bucket.look(&text).map_err(|e| self.failed("read", e))? {
                Look::Bytes(bytes) if (self.is_ours)(&bytes) => {
                    return Ok(Some((bytes, Arc::clone(bucket))));
                }
                Look::Nothing => {}
                Look::Bytes(_) | Look::Foreign => bucket.note_spoiled(name),
            }
        }
        Ok(None)
    }

    /// Looks for a file under its lock, where nothing moves.
    pub(crate) fn find(&self, name: u128, now_ms: u64) -> Result<Option<Found>, Error> {
        if !self.is_current(&self.table.load())? {
            self.tell(now_ms);
            self.reload(None)?;
        }
        let found = self.probe(&self.table.load(), name, now_ms)?;
        let generation = self.generation(name);
        Ok(found.map(|(bytes, bucket)| Found { bytes, bucket, generation }))
    }

    /// As [`find`](Shelf::find), but whatever any clock says: in buckets that are over here, and in
    /// those that are not kept open.
    pub(crate) fn find_anywhere(&self, name: u128) -> Result<Option<Found>, Error> {
        let found = self.find(name, 0)?;
        if found.is_some() {
            return Ok(found);
        }
        for end_s in self.beyond(&self.table.load())? {
            let Some(bucket) = self.open_beyond(end_s)? else { continue };
            let look = bucket.look(&name_text(name)).map_err(|e| self.failed("read", e))?;
            if let Look::Bytes(bytes) = look
                && (self.is_ours)(&bytes)
            {
                return Ok(Some(Found { bytes, bucket: Arc::new(bucket), generation: None }));
            }
        }
        Ok(None)
    }

    /// The ends of the buckets that are not kept open, since there are too many.
    pub(crate) fn beyond(&self, table: &Table) -> Result<Vec<u64>, Error> {
        if table.cut_at_s.is_none() {
            return Ok(Vec::new());
        }
        let mut ends = self.list()?.ends;
        ends.retain(|&end_s| !table.knows(end_s));
        Ok(ends)
    }

    /// Opens a bucket for one look; `None` if it is none, or gone.
    pub(crate) fn open_beyond(&self, end_s: u64) -> Result<Option<Bucket>, Error> {
        match Bucket::open(&self.root, end_s) {
            Ok(bucket) => Ok(Some(bucket)),
            Err(e) if e.kind() == io::ErrorKind::NotFound || is_foreign(&e) => Ok(None),
            Err(e) => Err(self.failed("open a bucket in", e)),
        }
    }

    pub(crate) fn list(&self) -> Result<Listing, Error> {
        Listing::of(&self.path, &OTHER_NAMES).map_err(|e| self.failed("list", e))
    }

    /// Takes the turn to write a file.
    pub(crate) fn lock(&self, name: u128) -> Result<Held<'_>, Error> {
        let slot = slot_of(name);
        Ok(Held { shelf: self, name, slot, _turn: self.stripes.lock(slot)? })
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    fn table_generation(&self) -> Result<u64, Error> {
        self.generations.read(TABLE).map_err(|e| self.failed("read", e))
    }

    /// Are these all buckets there are? Nobody can say while one is being made, or after its maker
    /// died.
    fn is_current(&self, table: &Table) -> Result<bool, Error> {
        let generation = self.table_generation()?;
        let is_same = generation == table.generation && is_settled(generation);
        Ok(is_same && table.cut_at_s.is_none_or(|cut_at_s| self.is_still(cut_at_s)))
    }

    /// Are the buckets that were near at this time near still?
    fn is_still(&self, cut_at_s: u64) -> bool {
        let away_s = self.told_s.load(Ordering::Relaxed).abs_diff(cut_at_s);
        cut_at_s > 0 && away_s < self.width_s.load(Ordering::Relaxed).saturating_mul(8)
    }

    /// Opens a bucket, unless it is open: as what is under its name by now, since another process
    /// whose clock is ahead may have removed it, and one whose clock is not made it anew.
    pub(crate) fn open_bucket(&self, table: &Table, end_s: u64) -> io::Result<Arc<Bucket>> {
        match table.bucket(end_s) {
            Some(bucket) if bucket.is_in(&self.root)? => Ok(Arc::clone(bucket)),
            _ => Bucket::open(&self.root, end_s).map(Arc::new),
        }
    }

    /// Lists the buckets, and keeps those open that are open; `wanted` is one of them in any case.
    pub(crate) fn reload(&self, wanted: Option<u64>) -> Result<(), Error> {
        let _one = self.reloading.lock();
        let before = self.table.load();
        if self.is_current(&before)? && wanted.is_none_or(|end_s| before.knows(end_s)) {
            return Ok(());
        }
        // Taken before the listing: what is added after it has changed the number.
        let generation = self.table_generation()?;
        let told_s = self.told_s.load(Ordering::Relaxed);
        let Listing { ends, foreign } = self.list()?;
        let mut ranked = rank(ends, told_s);
        // First, and a bucket once only.
        ranked.sort_by_key(|&end_s| Some(end_s) != wanted);
        let (mut buckets, mut taken) = (Vec::with_capacity(ranked.len().min(MAX_BUCKETS)), vec![]);
        let mut rest = ranked.into_iter();
        for end_s in rest.by_ref() {
            match self.open_bucket(&before, end_s) {
                Ok(bucket) => buckets.push(bucket),
                // Removed since the listing.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) if is_foreign(&e) => taken.push(end_s),
                Err(e) => return Err(self.failed("open a bucket in", e)),
            }
            if buckets.len() == MAX_BUCKETS {
                break;
            }
        }
        let cut_at_s = rest.next().map(|_| told_s);
        self.sort(&mut buckets, told_s);
        self.table.store(Arc::new(Table { generation, buckets, taken, foreign, cut_at_s }));
        Ok(())
    }

    /// Sorts buckets in the order of the looks.
    fn sort(&self, buckets: &mut [Arc<Bucket>], told_s: u64) {
        let near_s = self.width_s.load(Ordering::Relaxed).saturating_mul(NEAR_WIDTHS);
        let far_s = if told_s == 0 { u64::MAX } else { told_s.saturating_add(near_s) };
        buckets.sort_by_key(|bucket| (bucket.end_s > far_s, Reverse(bucket.end_s)));
    }

    /// Returns a bucket, and makes it if it is not there; or one of the next seconds, if there is
    /// something else under its name.
    pub(crate) fn bucket(&self, end_s: u64) -> Result<Arc<Bucket>, Error> {
        for step in 0..SIDE_STEPS {
            // By twos: see `is_passed`.
            let end_s = end_s.saturating_add(2 * step);
            let table = self.table.load();
            if let Some(bucket) = table.bucket(end_s) {
                return Ok(Arc::clone(bucket));
            }
            if table.taken.contains(&end_s) {
                continue;
            }
            if let Some(made) = self.make(end_s)? {
                return Ok(made);
            }
        }
        let e = io::Error::new(io::ErrorKind::NotADirectory, "other files have its name");
        Err(self.failed("make a bucket in", e))
    }

    /// Makes a bucket, even if the table has it: it may have been removed since. Of threads that
    /// find it missing at once, one makes it and the others take that: a second one for the same
    /// directory would not know what was counted in the first.
    ///
    /// The number is odd before there is a directory: who lists it may store in it at once, and by
    /// then nobody may believe that the buckets known before are all there are. If the maker dies,
    /// the number stays odd, and everybody lists at each miss until another bucket is made.
    ///
    /// `None`: there is something else under its name.
    pub(crate) fn make(&self, end_s: u64) -> Result<Option<Arc<Bucket>>, Error> {
        let fail = |e| self.failed("make a bucket in", e);
        let _turn = self.stripes.lock_table()?;
        if let Some(made) = self.table.load().bucket(end_s)
            && made.is_in(&self.root).map_err(fail)?
            && is_settled(self.table_generation()?)
        {
            return Ok(Some(Arc::clone(made)));
        }
        self.generations.begin(TABLE).map_err(fail)?;
        let made = make_dir(&self.root, end_s);
        self.generations.end(TABLE).map_err(fail)?;
        let is_new = made.map_err(fail)?;
        self.reload(Some(end_s))?;
        let table = self.table.load();
        if table.taken.contains(&end_s) {
            return Ok(None);
        }
        let bucket = table.bucket(end_s).ok_or_else(|| fail(io::ErrorKind::NotFound.into()))?;
        // An empty one needs no counting.
        bucket.is_counted.fetch_or(is_new, Ordering::Relaxed);
        Ok(Some(Arc::clone(bucket)))
    }

    /// Tells everybody that the buckets have changed.
    pub(crate) fn announce(&self) -> Result<(), Error> {
        let fail = |e| self.failed("write", e);
        let _turn = self.stripes.lock_table()?;
        self.generations.begin(TABLE).map_err(fail)?;
        self.generations.end(TABLE).map_err(fail)?;
        self.reload(None)
    }
}

/// Which buckets to keep open rather than others, if there are too many: of those that are not over
/// the ones that end first, since a clock that is ahead may have made any number after them, and of
/// those that are over the last ones.
fn rank(mut ends: Vec<u64>, told_s: u64) -> Vec<u64> {
    ends.sort_unstable_by_key(|&end_s| Reverse(end_s));
    if told_s == 0 || ends.len() <= MAX_BUCKETS {
        return ends;
    }
    let mut over = ends.split_off(ends.partition_point(|&end_s| end_s > told_s));
    ends.reverse();
    let later = ends.split_off(ends.len().min(MAX_BUCKETS - MAX_OVER));
    let earlier = over.split_off(over.len().min(MAX_OVER));
    [ends, over, later, earlier].concat()
}

pub(crate) fn slot_of(name: u128) -> usize {
    name as usize % SLOTS
}

/// A name as 32 digits.
pub(crate) fn name_text(name: u128) -> [u8; 32] {
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(name.to_be_bytes()) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    text
}
