//! A header is read in little memory, and what it says is held against the limits before a pixel
//! is decoded.

#![no_main]

use larder_fuzz::memory::{Counted, peak_of};
use larder_fuzz::pictures;
use larder_thumbs::{Format, Source, Thumbnailer, probe};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// What a header may hold at most: four megabytes of metadata, twice while it is parsed, and the
/// tables of a decoder.
const HEADER_BYTES: usize = 24 << 20;

const LEAST_BUDGET: u64 = 1;

fuzz_target!(
    init: larder_fuzz::plant(pictures::jpegs().into_iter().chain(pictures::others())),
    |data: &[u8]| {
        let source = Source::bytes(data);
        let (probed, peak) = peak_of(|| probe(&source));
        assert!(peak <= HEADER_BYTES, "{peak} bytes for a header");
        let Ok(info) = probed else {
            let error = Thumbnailer::builder().build().make(&source, 32).expect_err("no header");
            return assert!(!error.is_io() && !error.is_timeout(), "{error}");
        };
        assert!(info.width > 0 && info.height > 0 && (1..=8).contains(&info.orientation));
        assert!(begins_like(data, info.format), "{:?}", info.format);
        let pixels = u64::from(info.width) * u64::from(info.height);
        let narrow = Thumbnailer::builder().max_pixels(pixels - 1);
        let poor = Thumbnailer::builder().memory_budget_bytes(LEAST_BUDGET).max_pixels(u64::MAX);
        for refusing in [narrow, poor] {
            let (made, peak) = peak_of(|| refusing.build().make(&source, 32));
            assert!(made.expect_err("over the limit").is_too_large());
            assert!(peak <= HEADER_BYTES, "{peak} bytes for a picture that is too large");
        }
    }
);

fn begins_like(data: &[u8], format: Format) -> bool {
    let magics: &[&[u8]] = match format {
        Format::Jpeg => &[b"\xFF\xD8\xFF"],
        Format::Png => &[b"\x89PNG\r\n\x1A\n"],
        Format::Gif => &[b"GIF87a", b"GIF89a"],
        Format::WebP => &[b"RIFF"],
        Format::Tiff => &[b"II", b"MM"],
        Format::Bmp => &[b"BM"],
        _ => &[],
    };
    magics.iter().any(|magic| data.starts_with(magic))
}
