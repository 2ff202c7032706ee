//! One picture of the gallery: what is known of it before it is painted.

use super::canvas::Canvas;

/// One picture of the gallery.
pub struct Picture {
    /// Its file name.
    pub file: &'static str,
    /// What it shows, for the EXIF block.
    pub title: &'static str,
    /// Columns when upright.
    pub width: usize,
    /// Rows when upright.
    pub height: usize,
    /// How the camera was held: EXIF 1 to 8.
    pub orientation: u8,
    /// When it was taken, as EXIF writes it.
    pub taken: &'static str,
    /// Paints it.
    scene: fn(&mut Canvas),
}

impl Picture {
    /// Paints the picture upright on a canvas of its shape with at most `pixels` pixels.
    pub fn paint(&self, pixels: usize) -> Canvas {
        let full = (self.width * self.height) as f32;
        let scale = (pixels as f32 / full).sqrt().min(1.0);
        let side = |n: usize| ((n as f32 * scale) as usize).max(1);
        let mut canvas = Canvas::new(side(self.width), side(self.height));
        (self.scene)(&mut canvas);
        canvas
    }
}

/// A row of the catalogue.
pub const fn picture(
    file: &'static str,
    title: &'static str,
    (width, height): (usize, usize),
    orientation: u8,
    taken: &'static str,
    scene: fn(&mut Canvas),
) -> Picture {
    Picture { file, title, width, height, orientation, taken, scene }
}
