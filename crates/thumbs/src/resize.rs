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

/// Resizes to exactly `width` x `height`.
pub(crate) fn resize(raster: &Raster, width: u32, height: u32) -> Result<Raster, Error> {
    let pixel_type = match raster.channels {
        Channels::Grey => PixelType::U8,
        Channels::Rgb => PixelType::U8x3,
        Channels::Cmyk => PixelType::U8x4,
    };
    let from = ImageRef::new(raster.width, raster.height, &raster.pixels, pixel_type)
        .map_err(Error::damaged)?;
    let mut to = Image::new(width, height, pixel_type);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .crop(0.0, 0.0, raster.covers.0, raster.covers.1)
        // The fourth channel of CMYK is ink.
        .use_alpha(false);
    Resizer::new().resize(&from, &mut to, &options).map_err(Error::damaged)?;
    let covers = (width.into(), height.into());
    let (channels, partial) = (raster.channels, raster.partial);
    Ok(Raster { pixels: to.into_vec(), width, height, channels, covers, partial })
}
