//! From bytes to 8-bit pixels near the size that is wanted.

pub(crate) mod jpeg;
pub(crate) mod other;
pub(crate) mod planes;
pub(crate) mod strips;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Error;
use crate::header::{Coding, Header};
use crate::source::Opened;
use crate::watch::{Allowance, watched};

/// What the bytes of a pixel mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channels {
    Grey,
    Rgb,
    /// 0 is no ink.
    Cmyk,
    /// Premultiplied, as is the next.
    GreyAlpha,
    Rgba,
}

impl Channels {
    /// Bytes of a pixel.
    pub(crate) fn count(self) -> usize {
        match self {
            Channels::Grey => 1,
            Channels::GreyAlpha => 2,
            Channels::Rgb => 3,
            Channels::Cmyk | Channels::Rgba => 4,
        }
    }

    /// What is left when alpha is taken away.
    pub(crate) fn without_alpha(self) -> Channels {
        match self {
            Channels::GreyAlpha => Channels::Grey,
            Channels::Rgba => Channels::Rgb,
            other => other,
        }
    }
}

/// Decoded pixels, rows packed.
pub(crate) struct Raster {
    pub pixels: Vec<u8>,
    pub width: u32,
    pub height: u32,
    pub channels: Channels,
    /// The part of the raster that the picture covers, in raster pixels: a scaled decode rounds up.
    pub covers: (f64, f64),
    /// True when the input ended early and the rest is grey.
    pub partial: bool,
}

/// What a decoder hands to the resizer.
pub(crate) enum Decoded {
    Packed(Raster),
    Planes(planes::Planes),
}

impl Decoded {
    /// What the pixels will be once they are packed.
    pub(crate) fn channels(&self) -> Channels {
        match self {
            Decoded::Packed(raster) => raster.channels,
            Decoded::Planes(planes) if planes.planes.len() == 1 => Channels::Grey,
            Decoded::Planes(_) => Channels::Rgb,
        }
    }

    /// Resizes to exactly `width` x `height`, one of the sizes that the decode was planned for.
    pub(crate) fn resize(&self, width: u32, height: u32) -> Result<Raster, Error> {
        match self {
            Decoded::Packed(raster) => crate::resize::packed(raster, width, height),
            Decoded::Planes(planes) => planes.resize(width, height),
        }
    }

    fn note_partial(&mut self, ran_out: bool) {
        match self {
            Decoded::Packed(raster) => raster.partial |= ran_out,
            Decoded::Planes(planes) => planes.partial |= ran_out,
        }
    }
}

/// What a pixel of a thumbnail takes at most while it is finished: its components apart, then
/// joined, then in sRGB, turned and encoded.
const BYTES_A_PIXEL: u64 = 13;

/// How a picture is going to be decoded, settled before any of its pixels is.
pub(crate) struct Plan {
    /// JPEG only: it is decoded at so many eighths of its size, 1 to 8.
    eighths: u32,
    /// The heights that thumbnails are made at straight from the decoded picture.
    heights: Vec<u32>,
    /// The length of the source, when libjpeg-turbo is to be asked first.
    #[cfg(feature = "turbojpeg")]
    turbo: Option<u64>,
    /// An upper bound of what the decoder, its result and the thumbnails will occupy.
    pub needed_bytes: u64,
}

impl Plan {
    /// Plans a decode for thumbnails of these sizes, the largest first.
    pub(crate) fn new(header: &Header, sizes: &[(u32, u32)]) -> Plan {
        let heights: Vec<u32> = sizes.iter().map(|&(_, height)| height).collect();
        let (width, height) = sizes.first().copied().unwrap_or((1, 1));
        let (eighths, decoder_bytes) = match &header.coding {
            Coding::Jpeg(frame) => {
                let eighths = jpeg::eighths(frame, width.max(height));
                (eighths, jpeg::needed_bytes(frame, eighths, &heights))
            }
            Coding::Other { total_bytes } => (8, other::needed_bytes(header.format, *total_bytes)),
        };
        let thumbnail_bytes = u64::from(width) * u64::from(height) * BYTES_A_PIXEL;
        Plan {
            eighths,
            heights,
            #[cfg(feature = "turbojpeg")]
            turbo: None,
            needed_bytes: decoder_bytes.saturating_add(thumbnail_bytes),
        }
    }

    /// Has libjpeg-turbo asked first, if it is for such pictures, and needs no more than `budget`.
    #[cfg(feature = "turbojpeg")]
    pub(crate) fn with_turbo(self, header: &Header, source_bytes: u64, budget: u64) -> Plan {
        let Coding::Jpeg(frame) = &header.coding else { return self };
        match jpeg::turbo::needed_bytes(frame, source_bytes, self.eighths, &self.heights) {
            Some(bytes) if bytes <= budget => {
                let needed_bytes = self.needed_bytes.max(bytes);
                Plan { turbo: Some(source_bytes), needed_bytes, ..self }
            }
            _ => self,
        }
    }
}

/// Decodes as planned.
pub(crate) fn decode(
    source: &Opened,
    header: &Header,
    plan: &Plan,
    allowed: Allowance,
) -> Result<Decoded, Error> {
    #[cfg(feature = "turbojpeg")]
    let started = std::time::Instant::now();
    #[cfg(feature = "turbojpeg")]
    if let Some(planes) = decode_by_turbo(source, header, plan, allowed)? {
        return Ok(Decoded::Planes(planes));
    }
    #[cfg(feature = "turbojpeg")]
    let allowed = Allowance { time: allowed.time.saturating_sub(started.elapsed()), ..allowed };
    decode_in_rust(source, header, plan, allowed)
}

#[cfg(feature = "turbojpeg")]
fn decode_by_turbo(
    source: &Opened,
    header: &Header,
    plan: &Plan,
    allowed: Allowance,
) -> Result<Option<planes::Planes>, Error> {
    let (Coding::Jpeg(frame), Some(bytes)) = (&header.coding, plan.turbo) else { return Ok(None) };
    let Plan { eighths, heights, .. } = plan;
    contained(|| jpeg::turbo::decode(source, bytes, frame, *eighths, heights, allowed))
}

fn decode_in_rust(
    source: &Opened,
    header: &Header,
    plan: &Plan,
    allowed: Allowance,
) -> Result<Decoded, Error> {
    let buffer_bytes = match &header.coding {
        Coding::Jpeg(frame) => jpeg::buffer_bytes(frame),
        Coding::Other { .. } => other::BUFFER_BYTES,
    };
    let (input, verdict) = watched(source.origin()?, allowed, buffer_bytes);
    let decoded = contained(|| match &header.coding {
        Coding::Jpeg(frame) => {
            let mut decoded = jpeg::decode(input, frame, plan)?;
            decoded.note_partial(verdict.ran_out());
            Ok(decoded)
        }
        Coding::Other { .. } => {
            other::decode(input, header, plan.needed_bytes).map(Decoded::Packed)
        }
    });
    decoded.map_err(|e| verdict.error(allowed, source.path()).unwrap_or(e))
}

/// Runs a decoder; should it panic, that is the picture's fault.
///
/// Unwinding is safe to observe here: all that the closure touches is its own and dropped with it.
/// (The panic hook still prints, as it should: a panicking decoder is worth a report to its
/// authors.)
pub(crate) fn contained<T>(decoder: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(decoder)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().map(|s| s.to_string());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Error::damaged(format_args!("its decoder panicked: {said}")))
    })
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    type Decoder = fn() -> Result<(), Error>;

    /// A panic with a mere literal carries a `&str`, one with arguments a `String`.
    #[test]
    fn a_panicking_decoder_has_a_damaged_picture() {
        let cases: [(Decoder, &str); 3] = [
            (|| panic!("a literal"), " a literal"),
            (|| panic!("row {} of {}", std::hint::black_box(7), 5), " row 7 of 5"),
            (|| panic_any(7), ""),
        ];
        for (decoder, said) in cases {
            let error = contained(decoder).unwrap_err();
            assert!(error.is_damaged(), "{error}");
            assert!(error.to_string().contains(&format!("its decoder panicked:{said}")), "{error}");
        }
        assert_eq!(contained(|| Ok(7)).unwrap(), 7);
    }
}
