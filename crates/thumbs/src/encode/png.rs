//! PNG, 8 bits a sample.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::{Finished, Samples};
use crate::Error;

pub(super) fn encode(finished: Finished) -> Result<Vec<u8>, Error> {
    let Finished { pixels, width, height, samples, exif } = finished;
    let mut png = Vec::with_capacity(pixels.len() / 2 + 1024);
    // A thumbnail is read far more often than it is made; the best level is not worth its time.
    let (compression, filter) = (CompressionType::Default, FilterType::Adaptive);
    let mut encoder = PngEncoder::new_with_quality(&mut png, compression, filter);
    if let Some(exif) = exif {
        encoder.set_exif_metadata(exif).map_err(Error::damaged)?;
    }
    let color = match samples {
        Samples::Grey => ExtendedColorType::L8,
        Samples::GreyAlpha => ExtendedColorType::La8,
        Samples::Rgb => ExtendedColorType::Rgb8,
        Samples::Rgba => ExtendedColorType::Rgba8,
    };
    encoder.write_image(&pixels, width, height, color).map_err(Error::damaged)?;
    Ok(png)
}
