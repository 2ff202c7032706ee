//! Which format it is, from its first bytes. A file's name is never asked.

/// A format that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// JPEG: baseline, extended and progressive Huffman, and lossless; grey, YCbCr, RGB, CMYK,
    /// YCCK.
    Jpeg,
    /// PNG, every depth; of an animation the default picture.
    Png,
    /// GIF, first frame.
    Gif,
    /// WebP, lossy and lossless; of an animation the first frame.
    WebP,
    /// TIFF, first directory.
    Tiff,
    /// Windows bitmap.
    Bmp,
}

/// As many first bytes as [`Format::of`] looks at.
pub(crate) const MAGIC_BYTES: usize = 16;

impl Format {
    /// The media type, as in a `Content-Type` header.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Jpeg => "image/jpeg",
            Format::Png => "image/png",
            Format::Gif => "image/gif",
            Format::WebP => "image/webp",
            Format::Tiff => "image/tiff",
            Format::Bmp => "image/bmp",
        }
    }

    pub(crate) fn of(first: &[u8]) -> Option<Format> {
        match first {
            [0xFF, 0xD8, 0xFF, ..] => Some(Format::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Format::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Format::Tiff),
            // Two letters are weak evidence: the four reserved bytes of a bitmap are zero in
            // practice.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(Format::Bmp),
            _ => None,
        }
    }

    /// The same format in the words of the `image` crate; `None` for JPEG, which it does not decode
    /// here.
    pub(crate) fn image_crate(self) -> Option<image::ImageFormat> {
        match self {
            Format::Jpeg => None,
            Format::Png => Some(image::ImageFormat::Png),
            Format::Gif => Some(image::ImageFormat::Gif),
            Format::WebP => Some(image::ImageFormat::WebP),
            Format::Tiff => Some(image::ImageFormat::Tiff),
            Format::Bmp => Some(image::ImageFormat::Bmp),
        }
    }
}
