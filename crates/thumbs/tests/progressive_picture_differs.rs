//! The same coefficients give the same pixels, whether they come in one scan or in many.

#[path = "pictures/coefficients.rs"]
mod coefficients;

use coefficients::{Coefficients, REFINING, Scan};
use larder_thumbs::{Output, Preset, Source, Thumbnail, Thumbnailer};

const GREY: [(usize, usize); 1] = [(1, 1)];
const FULL: [(usize, usize); 3] = [(1, 1); 3];
const HALF: [(usize, usize); 3] = [(2, 1), (1, 1), (1, 1)];
const QUARTER: [(usize, usize); 3] = [(2, 2), (1, 1), (1, 1)];

fn make(jpeg: &[u8], edge: u32) -> Thumbnail {
    let thumbnailer = Thumbnailer::builder().build();
    thumbnailer.make(&Source::bytes(jpeg), Preset::new(edge).output(Output::Png)).unwrap()
}

fn pixels(made: &Thumbnail) -> Vec<u8> {
    image::load_from_memory(&made.bytes).unwrap().into_rgb8().into_raw()
}

/// That the test's own two encoders agree is what another decoder says.
fn assert_same_coefficients(sequential: &[u8], progressive: &[u8]) {
    let decoded = |bytes| jpeg_decoder::Decoder::new(bytes).decode().unwrap();
    assert!(decoded(sequential) == decoded(progressive), "not the same picture");
}

#[track_caller]
fn assert_scans_agree(picture: &Coefficients, scans: &[Scan], edges: &[u32]) {
    let (sequential, progressive) = (picture.sequential(), picture.progressive(scans));
    assert_same_coefficients(&sequential, &progressive);
    for &edge in edges {
        let (one, many) = (make(&sequential, edge), make(&progressive, edge));
        assert!(!many.partial);
        assert_eq!((one.width, one.height), (many.width, many.height));
        // The way of rounding depends on which coefficients a block has, wanted or not: that is
        // one level of brightness or colour, and together three of blue.
        let (one, many) = (pixels(&one), pixels(&many));
        let off = one.iter().zip(&many).map(|(a, b)| a.abs_diff(*b));
        let most = off.clone().max();
        assert!(most <= Some(3), "{}x{} at {edge} px: {most:?}", picture.width, picture.height);
        let sum: usize = off.map(usize::from).sum();
        assert!(sum * 50 <= one.len(), "{sum} levels off in {} samples", one.len());
    }
}

/// The edges ask for each of the eight scales of the decoder.
#[test]
fn at_every_scale_and_sampling() {
    for sampling in [&GREY[..], &FULL, &HALF, &QUARTER] {
        for (width, height) in [(320, 200), (257, 129), (9, 300)] {
            let picture = Coefficients::random(width, height, sampling);
            assert_scans_agree(&picture, &REFINING[..6], &[320, 140, 120, 100, 75, 60, 40, 20, 9]);
        }
    }
}

#[test]
fn in_other_orders_and_bands() {
    let picture = Coefficients::random(200, 150, &QUARTER);
    let whole: [Scan; 2] = [REFINING[6], (1, 63, 0, 0)];
    let alone = [REFINING[6], (1, 1, 0, 0), (2, 2, 0, 0), (3, 62, 0, 0), (63, 63, 0, 0)];
    let deep: Vec<Scan> = std::iter::once((0, 0, 0, 5))
        .chain((0..5).rev().map(|low| (0, 0, low + 1, low)))
        .chain([(1, 20, 0, 4), (21, 63, 0, 4)])
        .chain((0..4).rev().flat_map(|low| [(1, 40, low + 1, low), (41, 63, low + 1, low)]))
        .collect();
    for scans in [&whole[..], &alone, &deep] {
        assert_scans_agree(&picture, scans, &[200, 90, 40, 15]);
    }
}

/// A run of empty blocks may be as long as 32,767.
#[test]
fn with_the_longest_runs() {
    let mut picture = Coefficients::random(1600, 1400, &GREY);
    for block in picture.blocks[0].iter_mut().skip(50) {
        block[1..].fill(0);
    }
    assert_scans_agree(&picture, &REFINING[..6], &[400, 50]);
}

/// Before the last scans have come, there is a coarse picture already, all of it.
#[test]
fn cut_short_it_is_coarse_and_whole() {
    let picture = Coefficients::random(320, 200, &FULL);
    let whole = picture.progressive(&REFINING[..6]);
    let cut = make(&whole[..whole.len() / 2], 40);
    assert!(cut.partial);
    let (cut, whole) = (pixels(&cut), pixels(&make(&whole, 40)));
    let rows = cut.len() / 2..cut.len();
    let off: u32 = rows.clone().map(|i| u32::from(cut[i].abs_diff(whole[i]))).sum();
    let contrast: u32 = rows.clone().map(|i| u32::from(whole[i].abs_diff(128))).sum();
    assert!(off * 4 < contrast, "{off} off, where grey would be {contrast}");
}

/// What is kept of a coefficient depends on what is asked for, and the budget knows it.
#[test]
fn the_budget_is_asked_for_what_is_kept() {
    let (width, height) = (1600, 1200);
    let blocks = (width / 8 * height / 8 * 3) as u64;
    let picture = Source::bytes(Coefficients::random(width, height, &FULL).progressive(&REFINING));
    for (edge, kept) in [(100, 1), (800, 64)] {
        let least = blocks * (2 * kept + 8);
        let within = |bytes| {
            let thumbnailer = Thumbnailer::builder().memory_budget_bytes(bytes).build();
            thumbnailer.make(&picture, edge)
        };
        let refused = within(least).unwrap_err();
        assert!(refused.is_too_large() && refused.to_string().contains("1600x1200"), "{refused}");
        let beside = 3 * (1600 * 400) + 13 * u64::from(edge * edge) + (64 << 10);
        assert!(within(least + beside).is_ok(), "{edge} px needs more than is kept");
    }
}
