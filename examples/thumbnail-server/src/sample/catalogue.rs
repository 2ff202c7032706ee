//! The pictures of the gallery.

use super::canvas::Canvas;
use super::{land, ridges, sea};

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
    pub scene: fn(&mut Canvas),
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
const fn picture(
    file: &'static str,
    title: &'static str,
    (width, height): (usize, usize),
    orientation: u8,
    taken: &'static str,
    scene: fn(&mut Canvas),
) -> Picture {
    Picture { file, title, width, height, orientation, taken, scene }
}

/// All pictures, in the order of their names.
pub static PICTURES: &[Picture] = &[
    picture(
        "01-misty-ridges.jpg",
        "Ridges in the morning mist",
        (4200, 2800),
        1,
        "2021:09:18 06:41:07",
        |c| ridges::paint(c, 11, &ridges::MORNING),
    ),
    picture("02-dusk.jpg", "Dusk", (3840, 1646), 1, "2021:09:18 06:41:07", |c| {
        ridges::paint(c, 23, &ridges::DUSK)
    }),
    picture("03-moonlight.jpg", "Moonlight", (2000, 3000), 1, "2021:09:18 06:41:07", |c| {
        ridges::paint(c, 31, &ridges::MOONLIGHT)
    }),
    picture("04-teal.jpg", "Teal", (1440, 2560), 1, "2021:09:18 06:41:07", |c| {
        ridges::paint(c, 41, &ridges::TEAL)
    }),
    picture("05-dunes.jpg", "Dunes", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        land::dunes(c, 7, &land::FIRST_LIGHT)
    }),
    picture("06-dunes.jpg", "Dunes", (2400, 3200), 1, "2021:09:18 06:41:07", |c| {
        land::dunes(c, 19, &land::WHITE_SANDS)
    }),
    picture("07-peaks.jpg", "Peaks", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        land::peaks(c, 5, &land::ALPENGLOW)
    }),
    picture("08-peaks.jpg", "Peaks", (3600, 2025), 1, "2021:09:18 06:41:07", |c| {
        land::peaks(c, 15, &land::WINTER)
    }),
    picture("09-mesas.jpg", "Mesas", (3600, 1543), 1, "2021:09:18 06:41:07", |c| land::mesas(c, 3)),
    picture("10-cloudsea.jpg", "Above", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        land::cloud_sea(c, 4)
    }),
    picture("11-sunset-sea.jpg", "Sunset", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        sea::open(c, 4, &sea::SUNSET)
    }),
    picture("12-moon-sea.jpg", "Moon", (2400, 3200), 1, "2021:09:18 06:41:07", |c| {
        sea::open(c, 5, &sea::MOON)
    }),
    picture("13-calm-sea.jpg", "Calm", (2400, 2400), 1, "2021:09:18 06:41:07", |c| {
        sea::open(c, 6, &sea::PASTEL)
    }),
    picture("14-shore.jpg", "Shore", (2400, 2400), 1, "2021:09:18 06:41:07", |c| sea::shore(c, 6)),
];
