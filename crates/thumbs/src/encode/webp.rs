//! Lossy WebP, by libwebp: what there is in Rust encodes without loss only.

use webp::Encoder;

use super::Finished;
use crate::Error;

pub(super) fn encode(finished: &Finished, quality: u8) -> Result<Vec<u8>, Error> {
    let (width, height) = (finished.width, finished.height);
    let pixels = finished.coloured();
    let encoder = match finished.has_alpha() {
        true => Encoder::from_rgba(&pixels, width, height),
        false => Encoder::from_rgb(&pixels, width, height),
    };
    // The format ends at 16,383 pixels.
    let encoded = encoder.encode_simple(false, quality.into());
    encoded.map(|webp| webp.to_vec()).map_err(|e| Error::damaged(format_args!("WebP: {e:?}")))
}
