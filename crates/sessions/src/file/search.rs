//! A look at all files of a shelf, for when no list says which are meant.
//!
//! It takes no lock. A file that is put off meanwhile moves to a bucket of a later time, and the
//! buckets are looked through from the earliest to the latest: what is there from the beginning of the
//! search to its end is found, and may be found twice.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;

use crate::error::Error;
use crate::file::bucket::{Bucket, Look, is_foreign, parse_end};
use crate::file::shelf::{Shelf, name_text};
use crate::id::parse_name;

/// What a read has passed over.
pub(crate) enum Beneath {
    Nothing,
    /// Something that is no file of ours, in the bucket of this end.
    Spoiled(u64),
    /// A file of ours: it was written since the read, perhaps over what was spoiled.
    File,
}

impl Shelf {
    /// Shows the name and the content of each file to `look`: of those that have expired too, since
    /// another process's clock may be behind.
    pub(crate) fn search(&self, mut look: impl FnMut(u128, &[u8])) -> Result<(), Error> {
        let mut done = BTreeSet::new();
        // Listed anew each time: a bucket may be made while another one is looked through.
        while let Some(end_s) = self.first_but(&done).map_err(|e| self.failed("list", e))? {
            let searched = self.search_bucket(end_s, &mut look);
            searched.map_err(|e| self.failed("search", e))?;
            done.insert(end_s);
        }
        Ok(())
    }

    /// What is under a name of which a read has found no file.
    pub(crate) fn spoiled(
        &self,
        name: u128,
        now_ms: u64,
        is_ours: fn(&[u8]) -> bool,
    ) -> Result<Beneath, Error> {
        let (table, text) = (self.table(), name_text(name));
        for bucket in table.buckets.iter().filter(|bucket| !bucket.is_over(now_ms)) {
            match bucket.look(&text).map_err(|e| self.failed("read", e))? {
                Look::Nothing => {}
                Look::Bytes(bytes) if is_ours(&bytes) => return Ok(Beneath::File),
                Look::Bytes(_) | Look::Foreign => return Ok(Beneath::Spoiled(bucket.end_s)),
            }
        }
        Ok(Beneath::Nothing)
    }

    fn first_but(&self, done: &BTreeSet<u64>) -> io::Result<Option<u64>> {
        let mut first = None;
        for entry in fs::read_dir(&self.path)? {
            let end_s = entry?.file_name().to_str().and_then(parse_end);
            let end_s = end_s.filter(|end_s| !done.contains(end_s));
            first = first.into_iter().chain(end_s).min();
        }
        Ok(first)
    }

    fn search_bucket(&self, end_s: u64, look: &mut impl FnMut(u128, &[u8])) -> io::Result<()> {
        let listed = Bucket::open(&self.root, end_s)
            .and_then(|bucket| Ok((fs::read_dir(self.path.join(end_s.to_string()))?, bucket)));
        let (names, bucket) = match listed {
            Ok(listed) => listed,
            // Removed since it was listed, or none of ours.
            Err(e) if e.kind() == io::ErrorKind::NotFound || is_foreign(&e) => return Ok(()),
            Err(e) => return Err(e),
        };
        for entry in names {
            let Some(name) = parse_name(entry?.file_name().as_bytes()) else { continue };
            // What is not there has ended, or is in a later bucket by now.
            if let Look::Bytes(bytes) = bucket.look(&name_text(name))? {
                look(name, &bytes);
            }
        }
        Ok(())
    }
}
