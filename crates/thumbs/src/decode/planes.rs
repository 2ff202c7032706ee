//! A picture whose components are apart and of different sizes, as a JPEG stores them, already at
//! the heights of its thumbnails.

use super::strips::Shrunk;
use super::{Channels, Raster};
use crate::{Error, resize};

pub(crate) struct Plane {
    /// One for each height asked for.
    pub shrunk: Vec<Shrunk>,
    pub stride: usize,
    /// How many samples of a row the picture covers.
    pub covers: f64,
}

pub(crate) struct Planes {
    pub planes: Vec<Plane>,
    /// True when three planes are red, green and blue rather than luminance and colour differences.
    pub rgb: bool,
    pub partial: bool,
}

impl Planes {
    /// Resizes each plane on its own and joins the small ones. The height is one of those that the
    /// decode was planned for.
    ///
    /// The conversion of colour is linear, so the order does not matter but for clipping; done last
    /// it handles the pixels of the thumbnail instead of the picture's.
    pub(crate) fn resize(&self, width: u32, height: u32) -> Result<Raster, Error> {
        let mut small = Vec::with_capacity(self.planes.len());
        for plane in &self.planes {
            let shrunk = plane.shrunk.iter().find(|shrunk| shrunk.height == height);
            let shrunk = shrunk.ok_or_else(|| Error::damaged("no such height was planned"))?;
            let size = (plane.stride as u32, height);
            let covers = (plane.covers, height.into());
            small.push(resize::grey(&shrunk.samples, size, covers, width, height)?);
        }
        let (pixels, channels) = match <[Vec<u8>; 3]>::try_from(small) {
            Ok([a, b, c]) if self.rgb => (join(&a, &b, &c, |r, g, b| [r, g, b]), Channels::Rgb),
            Ok([y, cb, cr]) => (join(&y, &cb, &cr, to_rgb), Channels::Rgb),
            Err(mut one) => (one.swap_remove(0), Channels::Grey),
        };
        let covers = (width.into(), height.into());
        Ok(Raster { pixels, width, height, channels, covers, partial: self.partial })
    }
}

fn join(a: &[u8], b: &[u8], c: &[u8], pixel: impl Fn(u8, u8, u8) -> [u8; 3]) -> Vec<u8> {
    a.iter().zip(b).zip(c).flat_map(|((&a, &b), &c)| pixel(a, b, c)).collect()
}

/// ITU-R BT.601 at full range, as JFIF has it, in 16-bit fixed point.
fn to_rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = ((i32::from(y) << 16) + (1 << 15), i32::from(cb) - 128, i32::from(cr) - 128);
    let sample = |value: i32| (value >> 16).clamp(0, 255) as u8;
    [sample(y + 91_881 * cr), sample(y - 22_554 * cb - 46_802 * cr), sample(y + 116_130 * cb)]
}
