//! The first directory of a TIFF, looked at before its decoder does.
//!
//! The decoder allocates 32 bytes for each value that a tag claims to have, before it has read one:
//! 128 MiB for a file of thirty bytes. So the claims are checked here; and the profile, which may
//! be long, is read here.

use std::io::{self, Read, Seek, SeekFrom};

use super::MAX_PROFILE_BYTES;
use crate::Error;
use crate::watch::Input;

/// Values of a tag that the decoder asks for. Strips of one row each of the tallest picture are no
/// more.
const MAX_VALUES: u64 = 1 << 16;
/// Entries of a directory that anybody writes.
const MAX_ENTRIES: u64 = 4096;

/// The tags of TIFF 6, which decoders ask for, are below this; those of programs, of which some are
/// long and nobody here asks for them, above.
const FIRST_PRIVATE: u16 = 0x8000;
/// An XMP packet: below, and not asked for.
const XMP: u16 = 700;
const PROFILE: u16 = 34_675;

/// Where a profile is.
type Place = (u64, u64);

/// Leaves `input` at its start; a claim of too many values is an error.
pub(super) fn check(input: &mut Input) -> Result<(), Error> {
    first_directory(input).map(drop)
}

/// Reads the profile, if there is one.
pub(super) fn profile(input: &mut Input) -> Result<Option<Vec<u8>>, Error> {
    let Some((at, bytes)) = first_directory(input)? else { return Ok(None) };
    let mut profile = Vec::new();
    let mut read = || {
        input.seek(SeekFrom::Start(at))?;
        input.take(bytes).read_to_end(&mut profile)
    };
    let whole = read().is_ok_and(|read| read as u64 == bytes);
    Ok(whole.then_some(profile))
}

fn first_directory(input: &mut Input) -> Result<Option<Place>, Error> {
    let failed = |e| Error::damaged(format_args!("TIFF directory: {e}"));
    input.rewind().map_err(failed)?;
    let place = walk(input).map_err(failed)??;
    input.rewind().map_err(failed)?;
    Ok(place)
}

/// The outer error is of reading, the inner one of what was read.
fn walk(input: &mut Input) -> io::Result<Result<Option<Place>, Error>> {
    let mut first = [0; 4];
    input.read_exact(&mut first)?;
    let (little, big) = (first[0] == b'I', first.contains(&43));
    let number = |input: &mut Input, bytes: usize| -> io::Result<u64> {
        let mut read = [0; 8];
        input.read_exact(&mut read[..bytes])?;
        let big_endian = u64::from_be_bytes(read) >> (64 - 8 * bytes);
        Ok(if little { u64::from_le_bytes(read) } else { big_endian })
    };
    // Of BigTIFF the numbers are longer, and two words say how long.
    let (wide, count_bytes) = if big { (8, 8) } else { (4, 2) };
    if big {
        number(input, 4)?;
    }
    let directory = number(input, wide)?;
    input.seek(SeekFrom::Start(directory))?;
    let entries = number(input, count_bytes)?;
    if entries > MAX_ENTRIES {
        return Ok(Err(Error::damaged(format_args!("TIFF directory of {entries} entries"))));
    }
    let mut profile = None;
    for _ in 0..entries {
        let tag = number(input, 2)? as u16;
        let kind = number(input, 2)?;
        let count = number(input, wide)?;
        let value = number(input, wide)?;
        if tag < FIRST_PRIVATE && tag != XMP && count > MAX_VALUES {
            return Ok(Err(Error::damaged(format_args!("TIFF tag {tag} of {count} values"))));
        }
        // Of bytes, or of what nobody has defined.
        if tag == PROFILE && matches!(kind, 1 | 7) && count <= MAX_PROFILE_BYTES {
            profile = Some((value, count)).filter(|_| count > wide as u64);
        }
    }
    Ok(Ok(profile))
}
