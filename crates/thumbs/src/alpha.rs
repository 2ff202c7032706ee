//! Transparency: premultiplied from the decoder on, so that what is invisible weighs nothing in the
//! resizer, and then either laid over white or taken apart again.

use crate::decode::{Channels, Raster};

/// Multiplies straight pixels of `N` channels, the last of them alpha, in place.
pub(crate) fn premultiply<const N: usize>(pixels: &mut [u8]) {
    for pixel in pixels.chunks_exact_mut(N) {
        let alpha = u32::from(pixel[N - 1]);
        for sample in &mut pixel[..N - 1] {
            *sample = ((u32::from(*sample) * alpha + 127) / 255) as u8;
        }
    }
}

/// Lays a premultiplied raster over white; one without alpha comes back as it is.
pub(crate) fn over_white(raster: &Raster) -> Raster {
    let pixels = match raster.channels {
        Channels::GreyAlpha => over::<2>(&raster.pixels),
        Channels::Rgba => over::<4>(&raster.pixels),
        _ => raster.pixels.clone(),
    };
    Raster { pixels, channels: raster.channels.without_alpha(), ..*raster }
}

fn over<const N: usize>(pixels: &[u8]) -> Vec<u8> {
    let white = |pixel: &[u8]| 255 - pixel[N - 1];
    pixels
        .chunks_exact(N)
        .flat_map(|pixel| pixel[..N - 1].iter().map(move |s| s.saturating_add(white(pixel))))
        .collect()
}

/// Takes a premultiplied raster apart into straight colours and their alpha; `None` for the latter
/// when there is none, or nothing is transparent.
pub(crate) fn apart(raster: &Raster) -> (Raster, Option<Vec<u8>>) {
    match raster.channels {
        Channels::GreyAlpha => straight::<2>(raster),
        Channels::Rgba => straight::<4>(raster),
        _ => (over_white(raster), None),
    }
}

fn straight<const N: usize>(raster: &Raster) -> (Raster, Option<Vec<u8>>) {
    let alphas: Vec<u8> = raster.pixels.iter().skip(N - 1).step_by(N).copied().collect();
    if alphas.iter().all(|alpha| *alpha == 255) {
        return (over_white(raster), None);
    }
    let mut pixels = Vec::with_capacity(alphas.len() * (N - 1));
    for pixel in raster.pixels.chunks_exact(N) {
        let alpha = u32::from(pixel[N - 1]).max(1);
        let divided = |sample: u8| (u32::from(sample) * 255 + alpha / 2) / alpha;
        // The resizer overshoots at edges, in colour and alpha apart.
        pixels.extend(pixel[..N - 1].iter().map(|sample| divided(*sample).min(255) as u8));
    }
    (Raster { pixels, channels: raster.channels.without_alpha(), ..*raster }, Some(alphas))
}

/// Joins pixels of `N` samples with their alpha.
pub(crate) fn join<const N: usize>(pixels: &[u8], alphas: &[u8]) -> Vec<u8> {
    let pixels = pixels.chunks_exact(N).zip(alphas);
    pixels.flat_map(|(pixel, alpha)| pixel.iter().copied().chain([*alpha])).collect()
}
