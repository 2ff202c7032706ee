//! How long does a thumbnail of a photograph take, from the JPEG's bytes to the thumbnail's?
//!
//! `thumbs_make/<system>/<picture>-<edge>`, on one thread:
//!
//! - `larder`: scaled decode, Lanczos3;
//! - `larder-turbojpeg`: the same by libjpeg-turbo, with the feature `turbojpeg`;
//! - `image`: full decode and Lanczos3 of the `image` crate;
//! - `image-thumbnail`: full decode and its `thumbnail` (a fast box filter: not the same quality);
//! - `zune-fir`: full decode by `zune-jpeg`, Lanczos3 by `fast_image_resize`.
//!
//! `larder-all` makes 160, 320, 640 and 1280 px from one decode, where `larder` would decode four
//! times.
//!
//! With `LARDER_PHOTOS` a camera photograph is measured, too. Whole folders, beside `vipsthumbnail`,
//! are what `benches/beside-vips` measures.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use fast_image_resize as fir;
use image::imageops::FilterType;
use larder_benches::pictures::{QUALITY, encode, generated, photographs};
use larder_thumbs::{Source, Thumbnailer};

const EDGES_PX: [u32; 3] = [256, 320, 1280];

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .measurement_time(Duration::from_secs(4))
        .warm_up_time(Duration::from_secs(1))
        .configure_from_args();
    systems(&mut criterion, "4000x3000", &generated(4000, 3000));
    if let Some(photograph) = photographs().iter().find(|path| path.ends_with("canon-eos-5d.jpg")) {
        systems(&mut criterion, "canon-eos-5d", &std::fs::read(photograph).unwrap());
    }
    criterion.final_summary();
}

/// larder as it is by default, and with libjpeg-turbo if that is compiled in.
fn thumbnailers() -> Vec<(&'static str, Thumbnailer)> {
    let builder = Thumbnailer::builder().quality(QUALITY);
    #[cfg(feature = "turbojpeg")]
    let both = [("larder", false), ("larder-turbojpeg", true)]
        .map(|(name, turbo)| (name, builder.clone().turbojpeg(turbo).build()));
    #[cfg(not(feature = "turbojpeg"))]
    let both = [("larder", builder.build())];
    both.into()
}

fn systems(criterion: &mut Criterion, name: &str, jpeg: &[u8]) {
    let mut group = criterion.benchmark_group("thumbs_make");
    let thumbnailers = thumbnailers();
    let source = Source::bytes(jpeg);
    for edge in EDGES_PX {
        let picture = format!("{name}-{edge}");
        for (system, thumbnailer) in &thumbnailers {
            group.bench_function(BenchmarkId::new(*system, &picture), |b| {
                b.iter(|| thumbnailer.make(&source, edge).unwrap());
            });
        }
        group.bench_function(BenchmarkId::new("image", &picture), |b| {
            b.iter(|| with_image(jpeg, |full| full.resize(edge, edge, FilterType::Lanczos3)));
        });
        group.bench_function(BenchmarkId::new("image-thumbnail", &picture), |b| {
            b.iter(|| with_image(jpeg, |full| full.thumbnail(edge, edge)));
        });
        group.bench_function(BenchmarkId::new("zune-fir", &picture), |b| {
            b.iter(|| with_zune(jpeg, edge));
        });
    }
    group.bench_function(BenchmarkId::new("larder-all", format!("{name}-160..1280")), |b| {
        b.iter(|| thumbnailers[0].1.make_many(&source, &[160, 320, 640, 1280]).unwrap());
    });
    group.finish();
}

fn with_image(jpeg: &[u8], shrink: impl Fn(image::DynamicImage) -> image::DynamicImage) -> Vec<u8> {
    let full = image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).unwrap();
    let mut out = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, QUALITY);
    shrink(full).write_with_encoder(encoder).unwrap();
    out
}

fn with_zune(jpeg: &[u8], edge: u32) -> Vec<u8> {
    let mut decoder =
        zune_jpeg::JpegDecoder::new(zune_jpeg::zune_core::bytestream::ZCursor::new(jpeg));
    let pixels = decoder.decode().unwrap();
    let (width, height) = decoder.dimensions().unwrap();
    let (width, height) = (width as u32, height as u32);
    let longest = width.max(height);
    let (small_w, small_h) = (width * edge / longest, height * edge / longest);
    let kind = fir::PixelType::U8x3;
    let full = fir::images::ImageRef::new(width, height, &pixels, kind).unwrap();
    let mut small = fir::images::Image::new(small_w, small_h, kind);
    let lanczos = fir::ResizeAlg::Convolution(fir::FilterType::Lanczos3);
    let options = fir::ResizeOptions::new().resize_alg(lanczos);
    fir::Resizer::new().resize(&full, &mut small, &options).unwrap();
    encode(small.buffer(), small_w, small_h, QUALITY)
}
