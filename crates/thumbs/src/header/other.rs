//! Headers of the formats that the `image` crate decodes.

use image::{ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::{Coding, Header, MAX_PROFILE_BYTES, tiff};
use crate::exif::{self, Told};
use crate::watch::Input;
use crate::{Error, Format};

/// For what a decoder keeps while it looks for the pixels: compressed profiles, text chunks,
/// directories.
fn max_header_alloc(format: Format) -> u64 {
    if format == Format::Tiff { 8 << 20 } else { MAX_PROFILE_BYTES }
}

pub(crate) fn read(format: Format, name: ImageFormat, mut input: Input) -> Result<Header, Error> {
    let tiff_profile = if format == Format::Tiff { tiff::profile(&mut input)? } else { None };
    let mut decoder = open(name, input, max_header_alloc(format))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(Error::damaged(format_args!("picture of {width}x{height} pixels")));
    }
    // Metadata that cannot be read is as good as absent: the picture is what was asked for.
    let exif_block = decoder.exif_metadata().ok().flatten();
    let mut told = exif_block.map(exif::read).unwrap_or_default();
    if told.orientation.is_none() {
        told = Told { orientation: decoder.orientation().ok().map(|o| o.to_exif()), ..told };
    }
    let icc = match format {
        Format::Tiff => tiff_profile,
        _ => decoder.icc_profile().ok().flatten(),
    };
    let icc = icc.filter(|icc| icc.len() as u64 <= MAX_PROFILE_BYTES);
    let coding = Coding::Other { total_bytes: decoder.total_bytes() };
    Ok(Header { format, width, height, told, icc, icc_put_off: false, coding })
}

/// Opens a decoder that may allocate `max_alloc` bytes.
pub(crate) fn open(
    name: ImageFormat,
    mut input: Input,
    max_alloc: u64,
) -> Result<impl ImageDecoder, Error> {
    if name == ImageFormat::Tiff {
        tiff::check(&mut input)?;
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(max_alloc);
    let mut reader = ImageReader::with_format(input, name);
    reader.limits(limits);
    reader.into_decoder().map_err(failure)
}

pub(crate) fn failure(error: ImageError) -> Error {
    match error {
        ImageError::Unsupported(e) => Error::unsupported(e),
        ImageError::Limits(e) => Error::over_limits(e),
        other => Error::damaged(other),
    }
}
