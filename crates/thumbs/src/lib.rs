//! Thumbnails of hostile input in bounded memory.
//!
//! A thumbnailer is the one place where a photo site runs megabytes of bytes that a stranger wrote
//! through a decoder. This crate makes a small, upright sRGB picture of what it is given, or says
//! clearly why not, and holds its promises whatever the input is: so many pixels, so many bytes for
//! all threads together, so much time, no panic.
//!
//! ```
//! use larder_thumbs::{Source, Thumbnailer, probe};
//!
//! # fn picture() -> Vec<u8> {
//! #     let mut jpeg = Vec::new();
//! #     let grey = vec![128u8; 600 * 400 * 3];
//! #     let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
//! #     encoder.encode(&grey, 600, 400, jpeg_encoder::ColorType::Rgb).unwrap();
//! #     jpeg
//! # }
//! let thumbnailer = Thumbnailer::builder().memory_budget_bytes(128 << 20).build();
//! let source = Source::bytes(picture()); // or Source::path("photo.jpg")
//!
//! let info = probe(&source)?; // reads the header only
//! assert_eq!((info.width, info.height, info.orientation), (600, 400, 1));
//!
//! let thumbnail = thumbnailer.make(&source, 320)?;
//! assert_eq!((thumbnail.width, thumbnail.height), (320, 213));
//! std::fs::write(std::env::temp_dir().join("thumbnail.jpg"), &thumbnail.bytes)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where more than the size matters, a [`Preset`] says it: quality, encoding, whether the copyright
//! notice is kept and whether the picture that the camera embedded will do. Several presets are
//! made from one decode by [`make_many`](Thumbnailer::make_many). [`Output::choose`] finds what a
//! client takes, and [`ThumbCache`] keeps what was made in a
//! [`FileCache`](larder_files::FileCache):
//!
//! ```
//! use larder_thumbs::{Output, Preset};
//!
//! let output = Output::choose(Some("image/png, image/*;q=0.8"), &[Output::Jpeg, Output::Png]);
//! let logo = Preset::new(160).output(output).keep_copyright(true);
//! assert_eq!(logo.encoding(), Output::Png);
//! ```
//!
//! # Features
//!
//! None is on by default: JPEG and PNG need Rust alone.
//!
//! - `webp`: lossy WebP out, by libwebp, which a C compiler builds;
//! - `avif`: AVIF out, by rav1e;
//! - `turbojpeg`: JPEG in by libjpeg-turbo, where it has no complaint; cmake, a C compiler and nasm
//!   build it.
//!
//! # The way of a picture
//!
//! 1. `source` opens it and notes size and time; both are compared again at the end, and a source
//!    that changed while it was read is read once more.
//! 2. `header` finds the format from the content, the size, the EXIF block and the ICC profile,
//!    within a loan of its own; a long profile is read again in step 4.
//! 3. The pixels are checked against the limit, and `budget` lends the bytes that the decoder will
//!    need, all before the first of them is allocated.
//! 4. `decode` makes 8-bit grey, RGB or CMYK pixels. A JPEG is scaled while it is decoded, as long
//!    as at least a factor of two is left to the resizer, and its rows are shrunk as they come, so
//!    that the picture as a whole is never in memory. (Of a progressive one something of each block
//!    has to wait for the last scan: a bit for each coefficient, and those coefficients that are
//!    wanted at the scale. That is 10 MB at 22 megapixels and 4:4:4 for a sixteenth of the edge,
//!    41 MB for a quarter.)
//!    Alpha is premultiplied here, so that what is invisible weighs nothing in the resizer and no
//!    dark fringe can appear.
//! 5. `resize` (Lanczos3, SIMD), then on the few pixels left `alpha` (over white for JPEG, kept for
//!    the others), `colour` (ICC to sRGB) and `orient` (EXIF). A thumbnail of half the size or less
//!    is made from the larger one.
//! 6. `encode`: baseline JPEG 4:2:0, PNG, WebP or AVIF; no metadata is carried over that was not
//!    asked for.
//!
//! Decoders run under `catch_unwind`, and read through `watch`, which enforces the time limit.

#![forbid(unsafe_code)]

mod alpha;
mod budget;
mod cached;
mod civil;
mod colour;
mod decode;
mod encode;
mod error;
mod exif;
mod format;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod info;
mod orient;
mod output;
mod preset;
mod resize;
mod source;
mod thumbnailer;
mod watch;

pub use cached::ThumbCache;
pub use civil::CivilDateTime;
pub use error::Error;
pub use format::Format;
pub use info::{Info, probe};
pub use output::Output;
pub use preset::Preset;
pub use source::Source;
pub use thumbnailer::{Thumbnail, Thumbnailer, ThumbnailerBuilder};
