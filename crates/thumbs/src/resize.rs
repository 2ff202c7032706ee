//! From decoded pixels to the size asked for: Lanczos3 with SIMD.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::Error;
use crate::decode::{Channels, Raster};

/// Fits a picture into a square of `edge` pixels: aspect kept, at least one pixel, never enlarged.
pub(crate) fn fit(width: u32, height: u32, edge: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= edge {
        return (width, height);
    }
    let scaled = |n: u32| {
        let rounded =
            (u64::from(n) * u64::from(edge) + u64::from(longest) / 2) / u64::from(longest);
        (rounded as u32).max(1)
    };
    (scaled(width), scaled(height))
}

/// Resizes packed pixels to exactly `width` x `height`.
pub(crate) fn packed(raster: &Raster, width: u32, height: u32) -> Result<Raster, Error> {
    let kind = match raster.channels {
        Channels::Grey => PixelType::U8,
        Channels::Rgb => PixelType::U8x3,
        Channels::Cmyk => PixelType::U8x4,
    };
    let size = (raster.width, raster.height);
    let pixels = lanczos(&raster.pixels, kind, size, raster.covers, width, height)?;
    let covers = (width.into(), height.into());
    let (channels, partial) = (raster.channels, raster.partial);
    Ok(Raster { pixels, width, height, channels, covers, partial })
}

/// Resizes a plane of which the picture covers a part.
pub(crate) fn grey(
    samples: &[u8],
    size: (u32, u32),
    covers: (f64, f64),
    width: u32,
    height: u32,
) -> Result<Vec<u8>, Error> {
    lanczos(samples, PixelType::U8, size, covers, width, height)
}

fn lanczos(
    pixels: &[u8],
    kind: PixelType,
    size: (u32, u32),
    covers: (f64, f64),
    width: u32,
    height: u32,
) -> Result<Vec<u8>, Error> {
    let from = ImageRef::new(size.0, size.1, pixels, kind).map_err(Error::damaged)?;
    let mut to = Image::new(width, height, kind);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .crop(0.0, 0.0, covers.0, covers.1)
        // The fourth channel of CMYK is ink.
        .use_alpha(false);
    Resizer::new().resize(&from, &mut to, &options).map_err(Error::damaged)?;
    Ok(to.into_vec())
}
