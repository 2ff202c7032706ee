//! Which thumbnails a picture offers, and how wide each of them really is.
//!
//! A thumbnail's size is its longest edge, a `srcset` descriptor is a width: the two differ for
//! every portrait and for every picture smaller than the size asked for.

use super::Photo;
use crate::format::SUFFIX;

/// The sizes `/thumb/{size}/` knows, each the longest edge in pixels.
pub const SIZES: [u32; 4] = [160, 320, 640, 1280];

/// One thumbnail of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The size in its address.
    pub size: u32,
    /// Its width in pixels.
    pub width: u32,
}

/// Lists the thumbnails worth offering, smallest first; never empty.
///
/// Thumbnails are never enlarged, so the first size that reaches the original is the last one
/// listed, and its width is the original's.
pub fn candidates(photo: &Photo<'_>) -> Vec<Candidate> {
    let longest = photo.width.max(photo.height);
    let mut found = Vec::with_capacity(SIZES.len());
    for size in SIZES {
        found.push(Candidate { size, width: width_at(photo, size) });
        if size >= longest {
            break;
        }
    }
    found
}

fn width_at(photo: &Photo<'_>, size: u32) -> u32 {
    if photo.width.max(photo.height) <= size {
        return photo.width;
    }
    if photo.width >= photo.height {
        return size;
    }
    let width = f64::from(size) * f64::from(photo.width) / f64::from(photo.height);
    // A float to integer cast saturates; the value is at most `size`.
    (width.round() as u32).max(1)
}

/// The address of one thumbnail.
pub fn thumb_url(photo: &Photo<'_>, size: u32) -> String {
    format!("/thumb/{size}/{}{SUFFIX}?v={}", photo.id, photo.version)
}

/// The `srcset` attribute, or `None` where there is only one thumbnail to choose.
pub fn srcset(photo: &Photo<'_>) -> Option<String> {
    let candidates = candidates(photo);
    if candidates.len() < 2 {
        return None;
    }
    let listed: Vec<String> =
        candidates.iter().map(|c| format!("{} {}w", thumb_url(photo, c.size), c.width)).collect();
    Some(listed.join(", "))
}

/// The `src` for browsers without `srcset`, and what the viewer shows first: the largest
/// thumbnail no larger than `most`.
pub fn src(photo: &Photo<'_>, most: u32) -> String {
    let best = candidates(photo).into_iter().rev().find(|c| c.size <= most);
    thumb_url(photo, best.map_or(SIZES[0], |c| c.size))
}
