//! AVIF, by rav1e.

use ravif::{Encoder, Img, RGB8, RGBA8};

use super::Finished;
use crate::Error;

/// 1 is slowest, 10 is fastest; beyond 6 the files grow quickly.
const SPEED: u8 = 6;

pub(super) fn encode(finished: &Finished, quality: u8) -> Result<Vec<u8>, Error> {
    let (width, height) = (finished.width as usize, finished.height as usize);
    let pixels = finished.coloured();
    // The calling thread does the work: how many work at once is the caller's to say.
    let encoder = Encoder::new()
        .with_quality(quality.into())
        .with_alpha_quality(quality.into())
        .with_speed(SPEED)
        .with_num_threads(Some(1));
    let encoder = match &finished.exif {
        Some(exif) => encoder.with_exif(exif.clone()),
        None => encoder,
    };
    let encoded = if finished.has_alpha() {
        let pixels: Vec<RGBA8> =
            pixels.chunks_exact(4).map(|p| RGBA8::new(p[0], p[1], p[2], p[3])).collect();
        encoder.encode_rgba(Img::new(&pixels, width, height))
    } else {
        let pixels: Vec<RGB8> =
            pixels.chunks_exact(3).map(|p| RGB8::new(p[0], p[1], p[2])).collect();
        encoder.encode_rgb(Img::new(&pixels, width, height))
    };
    encoded.map(|avif| avif.avif_file).map_err(Error::damaged)
}
