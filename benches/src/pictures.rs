//! Pictures: photographs of yours, and one that is made here.

use std::path::PathBuf;

/// Quality of all thumbnails that are compared.
pub const QUALITY: u8 = 80;

/// Returns the JPEGs in the directory that `LARDER_PHOTOS` names, by name; none when it is not set.
pub fn photographs() -> Vec<PathBuf> {
    let Some(dir) = std::env::var_os("LARDER_PHOTOS") else { return Vec::new() };
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("LARDER_PHOTOS is a directory")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg"))
        .collect();
    found.sort();
    found
}

/// Makes a JPEG that is as much to decode as a photograph: soft shapes, edges, and the noise of a
/// sensor.
pub fn generated(width: u32, height: u32) -> Vec<u8> {
    let mut noise = 0x2545_F491_u32;
    let mut rgb = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            let grain = (noise & 15) as f32 + (noise >> 8 & 7) as f32;
            let wave = (x as f32 * 0.011).sin() * (y as f32 * 0.007).cos() * 50.0;
            let edge = if (x / 97 + y / 61) % 5 == 0 { 30.0 } else { 0.0 };
            let slope = (x + y) as f32 * 100.0 / (width + height) as f32;
            rgb.extend(
                [0.0, 15.0, 40.0].map(|tint| (50.0 + slope + wave + edge + tint + grain) as u8),
            );
        }
    }
    encode(&rgb, width, height, 92)
}

/// Encodes as larder does: baseline, 4:2:0, by the same quantization tables.
pub fn encode(rgb: &[u8], width: u32, height: u32, quality: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut out, quality);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    encoder.set_chroma_subsampling_method(jpeg_encoder::ChromaSubsamplingMethod::Average);
    let tables = jpeg_encoder::QuantizationTableType::KleinSilversteinCarney;
    encoder.set_quantization_tables(tables.clone(), tables);
    let color = jpeg_encoder::ColorType::Rgb;
    encoder.encode(rgb, width as u16, height as u16, color).expect("pixels can be encoded");
    out
}
