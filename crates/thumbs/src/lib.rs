//! Thumbnails of hostile input in bounded memory.
//!
//! A thumbnailer is the one place where a photo site runs megabytes of bytes that a stranger wrote
//! through a decoder. This crate makes a small, upright sRGB JPEG of what it is given, or says
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
//! # The way of a picture
//!
//! 1. `source` opens it and notes size and time; both are compared again at the end, and a source
//!    that changed while it was read is read once more.
//! 2. `header` finds the format from the content, the size, the EXIF block and the ICC profile.
//! 3. The pixels are checked against the limit, and `budget` lends the bytes that the decoder will
//!    need, all before the first of them is allocated.
//! 4. `decode` makes 8-bit grey, RGB or CMYK pixels. A JPEG is scaled while it is decoded, as long
//!    as at least a factor of two is left to the resizer, and its rows are shrunk as they come, so
//!    that the picture as a whole is never in memory. Alpha is laid over white here: the
//!    resizer is linear, so this equals a resize of premultiplied pixels, and no dark fringe can
//!    appear.
//! 5. `resize` (Lanczos3, SIMD), then on the few pixels left `colour` (ICC to sRGB) and `orient`
//!    (EXIF).
//! 6. `encode`: baseline JPEG 4:2:0; no metadata is carried over.
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
