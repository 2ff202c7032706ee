//! The few pixels of a thumbnail, encoded.

#[cfg(feature = "avif")]
mod avif;
mod jpeg;
mod png;
#[cfg(feature = "webp")]
mod webp;

use crate::{Error, Output};

/// A finished picture: upright, sRGB, rows packed.
pub(crate) struct Finished {
    pub pixels: Vec<u8>,
    pub width: u32,
    pub height: u32,
    pub samples: Samples,
    /// Written into the file where there is a place for it.
    pub exif: Option<Vec<u8>>,
}

/// What the bytes of a finished pixel are. Alpha is straight, not premultiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Samples {
    Grey,
    GreyAlpha,
    Rgb,
    Rgba,
}

impl Finished {
    /// The pixels as RGB or RGBA, for encoders that know nothing else.
    #[cfg(any(feature = "webp", feature = "avif"))]
    fn coloured(&self) -> std::borrow::Cow<'_, [u8]> {
        match self.samples {
            Samples::Rgb | Samples::Rgba => self.pixels.as_slice().into(),
            Samples::Grey => self.pixels.iter().flat_map(|&grey| [grey; 3]).collect(),
            Samples::GreyAlpha => {
                self.pixels.chunks_exact(2).flat_map(|p| [p[0], p[0], p[0], p[1]]).collect()
            }
        }
    }

    #[cfg(any(feature = "webp", feature = "avif"))]
    fn has_alpha(&self) -> bool {
        matches!(self.samples, Samples::GreyAlpha | Samples::Rgba)
    }
}

pub(crate) fn encode(finished: Finished, output: Output, quality: u8) -> Result<Vec<u8>, Error> {
    match output {
        Output::Jpeg => jpeg::encode(&finished, quality),
        Output::Png => png::encode(finished),
        #[cfg(feature = "webp")]
        Output::WebP => webp::encode(&finished, quality),
        #[cfg(feature = "avif")]
        Output::Avif => avif::encode(&finished, quality),
    }
}
