//! Any JPEG that our own decoders take ends in a picture or an error, within its budget, and the
//! same one each time.

#![no_main]

use larder_fuzz::memory::{Counted, peak_of};
use larder_fuzz::pictures;
use larder_thumbs::{Source, Thumbnail, Thumbnailer, fuzzing, probe};
use libfuzzer_sys::{Corpus, fuzz_target};

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// For all that a decode lends from; small, so that a decoder that takes more is found.
const BUDGET_BYTES: u64 = 1 << 20;
/// What is no part of a decode: the header, of a few kilobytes here, and the encoder's buffers.
const BESIDE_BYTES: usize = 512 << 10;
/// Beyond this many pixels a target gets slow.
const MAX_PIXELS: u64 = 1 << 18;

fuzz_target!(
    init: larder_fuzz::plant(pictures::jpegs()),
    |data: &[u8]| -> Corpus {
        if !fuzzing::is_own_jpeg(data) {
            return Corpus::Reject;
        }
        let source = Source::bytes(data);
        let thumbnailer = Thumbnailer::builder()
            .memory_budget_bytes(BUDGET_BYTES)
            .max_pixels(MAX_PIXELS)
            .build();
        // One at each scale of the decoder, and those that are made from a larger one.
        let longest = probe(&source).map_or(8, |info| info.width.max(info.height));
        for eighths in [1, 3, 4, 8] {
            let edge = (longest * eighths / 16).max(1);
            let edges = [edge, edge.div_ceil(5)];
            let (made, peak) = peak_of(|| thumbnailer.make_many(&source, &edges));
            assert!(peak <= BUDGET_BYTES as usize + BESIDE_BYTES, "{peak} bytes at the peak");
            match &made {
                Ok(made) => made.iter().zip(edges).for_each(|(made, edge)| fits(made, edge)),
                Err(error) => assert!(!error.is_io(), "{error}"),
            }
            assert_eq!(made.ok(), thumbnailer.make_many(&source, &edges).ok(), "not again");
        }
        Corpus::Keep
    }
);

fn fits(made: &Thumbnail, edge: u32) {
    assert!(made.width > 0 && made.height > 0 && made.width.max(made.height) <= edge);
    let info = probe(&Source::bytes(made.bytes.as_slice())).expect("a sound thumbnail");
    assert_eq!((info.width, info.height, info.orientation), (made.width, made.height, 1));
}
