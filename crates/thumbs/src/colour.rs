//! From the picture's colour space to sRGB, on the few pixels of a thumbnail.

use moxcms::{ColorProfile, DataColorSpace, Layout, RenderingIntent, TransformOptions};

use crate::Error;
use crate::decode::{Channels, Raster, contained};

/// A conversion to sRGB, settled once a picture.
pub(crate) struct ToSrgb {
    profile: Option<ColorProfile>,
}

impl ToSrgb {
    /// Reads the embedded profile. One that is broken, not of these channels, or as good as sRGB is
    /// left out: the pixels are then taken as sRGB, as browsers do.
    pub(crate) fn new(icc: Option<&[u8]>, channels: Channels) -> ToSrgb {
        let space = match channels {
            Channels::Grey | Channels::GreyAlpha => DataColorSpace::Gray,
            Channels::Rgb | Channels::Rgba => DataColorSpace::Rgb,
            Channels::Cmyk => DataColorSpace::Cmyk,
        };
        let profile = icc
            .and_then(|icc| contained(|| parse(icc)).ok())
            .filter(|profile| profile.color_space == space && !is_srgb(profile));
        ToSrgb { profile }
    }

    /// Converts to sRGB; grey stays grey when it needs no profile. Alpha is not here any more.
    pub(crate) fn apply(&self, raster: Raster) -> Raster {
        let profile = self.profile.as_ref();
        let converted = profile.and_then(|profile| contained(|| convert(profile, &raster)).ok());
        let (pixels, channels) = match (converted, raster.channels) {
            (Some(pixels), _) => (pixels, Channels::Rgb),
            (None, Channels::Cmyk) => (plain_cmyk(&raster.pixels), Channels::Rgb),
            (None, _) => return raster,
        };
        Raster { pixels, channels, ..raster }
    }
}

fn parse(icc: &[u8]) -> Result<ColorProfile, Error> {
    ColorProfile::new_from_slice(icc).map_err(Error::damaged)
}

fn convert(profile: &ColorProfile, raster: &Raster) -> Result<Vec<u8>, Error> {
    let layout = match raster.channels {
        Channels::Grey => Layout::Gray,
        Channels::Rgb => Layout::Rgb,
        // Four channels; the profile's own space says that they are inks.
        Channels::Cmyk => Layout::Rgba,
        Channels::GreyAlpha | Channels::Rgba => return Err(Error::damaged("alpha has no profile")),
    };
    let options = TransformOptions {
        rendering_intent: RenderingIntent::RelativeColorimetric,
        ..TransformOptions::default()
    };
    let transform = profile
        .create_transform_8bit(layout, &ColorProfile::new_srgb(), Layout::Rgb, options)
        .map_err(Error::damaged)?;
    let mut pixels = vec![0; raster.width as usize * raster.height as usize * 3];
    transform.transform(&raster.pixels, &mut pixels).map_err(Error::damaged)?;
    Ok(pixels)
}

/// How far a profile's primaries may be from sRGB's: profiles differ in the fourth digit, P3 in the
/// first.
const PRIMARIES_TOLERANCE: f64 = 0.003;

/// Most pictures carry one of the many sRGB profiles; converting from them only costs time.
fn is_srgb(profile: &ColorProfile) -> bool {
    if !profile.is_matrix_shaper() {
        return false;
    }
    let (ours, srgb) = (profile.colorant_matrix(), ColorProfile::new_srgb().colorant_matrix());
    let same_primaries = ours
        .v
        .iter()
        .flatten()
        .zip(srgb.v.iter().flatten())
        .all(|(a, b)| (a - b).abs() <= PRIMARIES_TOLERANCE);
    same_primaries && contained(|| middle_grey(profile)).is_ok_and(|grey| grey)
}

/// With equal primaries only the curves are left to compare: true when greys come out within a
/// level or two.
fn middle_grey(profile: &ColorProfile) -> Result<bool, Error> {
    const GREYS: [u8; 5] = [16, 48, 96, 160, 224];
    let pixels = GREYS.into_iter().flat_map(|grey| [grey; 3]).collect();
    let strip = Raster {
        pixels,
        width: GREYS.len() as u32,
        height: 1,
        channels: Channels::Rgb,
        covers: (0.0, 0.0),
        partial: false,
    };
    let converted = convert(profile, &strip)?;
    Ok(converted.iter().zip(&strip.pixels).all(|(a, b)| a.abs_diff(*b) <= 2))
}

/// Inks without a profile: what every viewer does that has none either.
fn plain_cmyk(pixels: &[u8]) -> Vec<u8> {
    let rgb = |cmyk: &[u8]| {
        let paper = |ink: u8| u32::from(255 - ink);
        let black = paper(cmyk[3]);
        [0, 1, 2].map(|i| ((paper(cmyk[i]) * black + 127) / 255) as u8)
    };
    pixels.chunks_exact(4).flat_map(rgb).collect()
}
