//! What is asked for: size, encoding and what comes along.

use crate::Output;

/// A kind of thumbnail: how large, encoded as what, and what is kept beside the pixels.
///
/// A server offers a few and no others: were every size a client names made and kept, clients could
/// fill the disk. Where only the size matters a number of pixels does: `320.into()`.
///
/// ```
/// use larder_thumbs::{Output, Preset};
///
/// let logo = Preset::new(160).output(Output::Png);
/// let small = Preset::new(160).quality(70).keep_copyright(true);
/// assert_ne!(logo, small);
/// assert_eq!(Preset::from(320), Preset::new(320));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Preset {
    pub(crate) edge_px: u32,
    pub(crate) quality: Option<u8>,
    pub(crate) output: Output,
    pub(crate) copyright: bool,
    pub(crate) embedded: bool,
}

impl Preset {
    /// Asks for a JPEG whose longest edge has `edge_px` pixels; a smaller picture keeps its size.
    ///
    /// # Panics
    ///
    /// When `edge_px` is 0.
    pub fn new(edge_px: u32) -> Preset {
        assert!(edge_px > 0, "a thumbnail of no pixels was asked for");
        Preset { edge_px, quality: None, output: Output::Jpeg, copyright: false, embedded: false }
    }

    /// Sets the quality, 1 to 100. Default: that of the
    /// [`Thumbnailer`](crate::ThumbnailerBuilder::quality). PNG has none.
    ///
    /// # Panics
    ///
    /// Outside of 1 to 100.
    #[must_use]
    pub fn quality(mut self, quality: u8) -> Preset {
        self.quality = Some(checked(quality));
        self
    }

    /// Sets the encoding. Default [`Output::Jpeg`].
    #[must_use]
    pub fn output(mut self, output: Output) -> Preset {
        self.output = output;
        self
    }

    /// Sets whether the source's EXIF `Copyright` and `Artist` are written into the thumbnail.
    /// Default: nothing of the metadata is. WebP has no place for them here.
    #[must_use]
    pub fn keep_copyright(mut self, keep: bool) -> Preset {
        self.copyright = keep;
        self
    }

    /// Sets whether the small picture that cameras embed may be used instead of the photograph,
    /// when it is large enough and has the same aspect. A hundred times faster, and whatever
    /// quality the camera chose; an edited picture may have kept the one from before. Default: not.
    #[must_use]
    pub fn allow_embedded(mut self, allow: bool) -> Preset {
        self.embedded = allow;
        self
    }

    /// The longest edge, in pixels.
    pub fn edge_px(&self) -> u32 {
        self.edge_px
    }

    /// The encoding.
    pub fn encoding(&self) -> Output {
        self.output
    }
}

impl From<u32> for Preset {
    /// A JPEG of this edge.
    ///
    /// # Panics
    ///
    /// When it is 0.
    fn from(edge_px: u32) -> Preset {
        Preset::new(edge_px)
    }
}

impl From<&Preset> for Preset {
    fn from(preset: &Preset) -> Preset {
        preset.clone()
    }
}

pub(crate) fn checked(quality: u8) -> u8 {
    assert!((1..=100).contains(&quality), "quality {quality} is not within 1 to 100");
    quality
}
