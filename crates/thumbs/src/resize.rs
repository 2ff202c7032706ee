//! From decoded pixels to the size asked for: Lanczos3 with SIMD.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::Error;
use crate::decode::Raster;

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

/// Resizes packed pixels to exactly `width` x `height`, a channel at a time.
///
/// The resizer is generic over its pixels, and each kind costs ten seconds of compiling: one is
/// enough, at the price of one plane beside the picture.
pub(crate) fn packed(raster: &Raster, width: u32, height: u32) -> Result<Raster, Error> {
    let size = (raster.width, raster.height);
    let channels = raster.channels.count();
    let pixels = if channels == 1 {
        grey(&raster.pixels, size, raster.covers, width, height)?
    } else {
        let mut pixels = vec![0; width as usize * height as usize * channels];
        for channel in 0..channels {
            let plane: Vec<u8> =
                raster.pixels.iter().skip(channel).step_by(channels).copied().collect();
            let small = grey(&plane, size, raster.covers, width, height)?;
            for (pixel, sample) in pixels.chunks_exact_mut(channels).zip(small) {
                pixel[channel] = sample;
            }
        }
        pixels
    };
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
    let mut small = vec![0; width as usize * height as usize];
    convolve(samples, size, (0.0, 0.0, covers.0, covers.1), &mut small, (width, height))?;
    Ok(small)
}

/// Makes `height` rows from those of `samples` that `covers` (the first, and how many), at the same
/// width.
pub(crate) fn rows(
    samples: &[u8],
    stride: usize,
    covers: (f64, f64),
    small: &mut [u8],
    height: u32,
) -> Result<(), Error> {
    let size = (stride as u32, (samples.len() / stride) as u32);
    // Rounding must not reach below the last row.
    let covered = covers.1.min(f64::from(size.1) - covers.0);
    let crop = (0.0, covers.0, f64::from(size.0), covered);
    convolve(samples, size, crop, small, (size.0, height))
}

fn convolve(
    samples: &[u8],
    size: (u32, u32),
    (left, top, width, height): (f64, f64, f64, f64),
    small: &mut [u8],
    small_size: (u32, u32),
) -> Result<(), Error> {
    let from = TypedImageRef::<U8>::from_buffer(size.0, size.1, samples).map_err(Error::damaged)?;
    let mut to =
        TypedImage::<U8>::from_buffer(small_size.0, small_size.1, small).map_err(Error::damaged)?;
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .crop(left, top, width, height);
    Resizer::new().resize_typed(&from, &mut to, &options).map_err(Error::damaged)
}
