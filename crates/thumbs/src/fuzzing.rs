//! The way to what is private for the fuzz targets; no part of the public surface.

use crate::header::{Coding, Header};
use crate::{Source, decode};

/// Tells whether this is a JPEG that the decoders of this crate take, rather than others'.
pub fn is_own_jpeg(bytes: &[u8]) -> bool {
    let opened = Source::bytes(bytes).open();
    let header = opened.and_then(|o| Header::read(&o, std::time::Duration::from_secs(20)));
    matches!(header, Ok(Header { coding: Coding::Jpeg(frame), .. }) if decode::jpeg::is_own(&frame))
}
