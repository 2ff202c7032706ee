//! What a picture says about itself, for an import.

use std::time::Duration;

use crate::header::Header;
use crate::{CivilDateTime, Error, Format, Source};

/// A picture's header.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// The format, found from the content.
    pub format: Format,
    /// Width in pixels as stored, before the orientation is applied.
    pub width: u32,
    /// Height in pixels as stored, before the orientation is applied.
    pub height: u32,
    /// EXIF orientation, 1 to 8; 1 (upright as stored) when the picture does not say.
    pub orientation: u8,
    /// When it was taken, by the camera's clock.
    pub taken_at: Option<CivilDateTime>,
    /// The camera's maker, one line.
    pub make: Option<String>,
    /// The camera's model, one line.
    pub model: Option<String>,
}

impl Info {
    /// Width in pixels as it is to be looked at.
    pub fn upright_width(&self) -> u32 {
        if self.lies_on_its_side() { self.height } else { self.width }
    }

    /// Height in pixels as it is to be looked at.
    pub fn upright_height(&self) -> u32 {
        if self.lies_on_its_side() { self.width } else { self.height }
    }

    fn lies_on_its_side(&self) -> bool {
        self.orientation >= 5
    }
}

/// A header takes well under a millisecond; this is for a file system that has gone away.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Reads a picture's header, and no pixels.
///
/// At most 4 MiB are read, and as many occupied (8 for a TIFF); usually it is a few kilobytes. No
/// budget bounds how many do so at once. Sizes are reported as they are written there,
/// however absurd: limits belong to [`Thumbnailer`](crate::Thumbnailer).
///
/// # Errors
///
/// When the source cannot be read, is no picture, or has a header that is damaged or not supported.
pub fn probe(source: &Source) -> Result<Info, Error> {
    let header = Header::read(&source.open()?, TIME_LIMIT)?;
    Ok(Info {
        format: header.format,
        width: header.width,
        height: header.height,
        orientation: header.orientation(),
        taken_at: header.told.taken_at,
        make: header.told.make,
        model: header.told.model,
    })
}
