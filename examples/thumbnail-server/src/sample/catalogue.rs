//! The pictures of the gallery.

use super::canvas::Canvas;
use super::{balloons, city, coral, fields, flowers, forest, fractal, glass, land, lights, night};
use super::{ornament, paint, paper, ridges, sea, space};

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
        land::dunes(c, 26, &land::WHITE_SANDS)
    }),
    picture("07-peaks.jpg", "Peaks", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        land::peaks(c, 5, &land::ALPENGLOW)
    }),
    picture("08-peaks.jpg", "Peaks", (3600, 2025), 1, "2021:09:18 06:41:07", |c| {
        land::peaks(c, 15, &land::WINTER)
    }),
    picture("09-mesas.jpg", "Mesas", (3600, 1543), 1, "2021:09:18 06:41:07", |c| land::mesas(c, 8)),
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
    picture("15-aurora.jpg", "x", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        night::aurora(c, 3, &night::GREEN)
    }),
    picture("16-aurora-red.jpg", "x", (2000, 3000), 1, "2021:09:18 06:41:07", |c| {
        night::aurora(c, 8, &night::CRIMSON)
    }),
    picture("17-milky-way.jpg", "x", (2000, 3000), 1, "2021:09:18 06:41:07", |c| {
        night::milky_way(c, 4, 0.55)
    }),
    picture("18-milky-way.jpg", "x", (3840, 2160), 1, "2021:09:18 06:41:07", |c| {
        night::milky_way(c, 9, -1.3)
    }),
    picture("19-nebula.jpg", "x", (3000, 3000), 1, "2021:09:18 06:41:07", |c| {
        space::nebula(c, 4, &space::PILLARS)
    }),
    picture("20-nebula.jpg", "x", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        space::nebula(c, 12, &space::ROSE)
    }),
    picture("21-ringed.jpg", "x", (3840, 2160), 1, "2021:09:18 06:41:07", |c| {
        space::planet(c, 4, &space::RINGED)
    }),
    picture("22-blue.jpg", "x", (2400, 3000), 1, "2021:09:18 06:41:07", |c| {
        space::planet(c, 6, &space::BLUE)
    }),
    picture("23-blue-hour.jpg", "x", (3840, 2160), 1, "2021:09:18 06:41:07", |c| {
        city::skyline(c, 4, &city::BLUE_HOUR)
    }),
    picture("24-neon.jpg", "x", (2160, 3240), 1, "2021:09:18 06:41:07", |c| {
        city::skyline(c, 9, &city::NEON)
    }),
    picture("25-bokeh.jpg", "x", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        lights::bokeh(c, 9, &lights::STREET)
    }),
    picture("26-rain.jpg", "x", (2400, 2400), 1, "2021:09:18 06:41:07", |c| {
        lights::rain(c, 9, &lights::HARBOUR)
    }),
    picture("27-forest.jpg", "x", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        forest::fog(c, 9, &forest::SUMMER)
    }),
    picture("28-forest.jpg", "x", (2000, 3000), 1, "2021:09:18 06:41:07", |c| {
        forest::fog(c, 5, &forest::AUTUMN)
    }),
    picture("29-flow.jpg", "x", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        paint::flow(c, 4, &paint::CURRENT)
    }),
    picture("30-flow.jpg", "x", (2400, 2400), 1, "2021:09:18 06:41:07", |c| {
        paint::flow(c, 9, &paint::MEADOW)
    }),
    picture("31-malachite.jpg", "x", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        paint::marble(c, 9, &paint::MALACHITE)
    }),
    picture("32-agate.jpg", "x", (2400, 3200), 1, "2021:09:18 06:41:07", |c| {
        paint::marble(c, 3, &paint::AGATE)
    }),
    picture("33-sunrise-glass.jpg", "x", (2400, 3200), 1, "2021:09:18 06:41:07", |c| {
        glass::sunrise(c, 3)
    }),
    picture("34-rose.jpg", "x", (2600, 2600), 1, "2021:09:18 06:41:07", |c| glass::rose(c, 3)),
    picture("35-dahlia.jpg", "x", (2400, 2400), 1, "2021:09:18 06:41:07", |c| {
        flowers::dahlia(c, 3, &flowers::CORAL)
    }),
    picture("36-spiral.jpg", "x", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        flowers::spiral(c, 3)
    }),
    picture("37-seigaiha.jpg", "x", (3000, 2250), 1, "2021:09:18 06:41:07", |c| {
        ornament::seigaiha(c, 3)
    }),
    picture("38-ribbons.jpg", "x", (3000, 2000), 1, "2021:09:18 06:41:07", |c| {
        ornament::ribbons(c, 3)
    }),
    picture("39-bauhaus.jpg", "x", (2000, 3000), 1, "2021:09:18 06:41:07", |c| {
        ornament::bauhaus(c, 3)
    }),
    picture("40-reef.jpg", "x", (3000, 2250), 1, "2021:09:18 06:41:07", |c| {
        paper::relief(c, 3, &paper::REEF)
    }),
    picture("41-canyon.jpg", "x", (2000, 2000), 1, "2021:09:18 06:41:07", |c| {
        paper::relief(c, 7, &paper::CANYON)
    }),
    picture("42-contours.jpg", "x", (3000, 2000), 1, "2021:09:18 06:41:07", |c| {
        paper::contours(c, 3)
    }),
    picture("43-waves.jpg", "x", (2000, 3000), 1, "2021:09:18 06:41:07", |c| paper::waves(c, 3)),
    picture("44-dragon.jpg", "x", (3200, 2000), 1, "2021:09:18 06:41:07", |c| {
        fractal::escape(c, &fractal::DRAGON)
    }),
    picture("45-seahorse.jpg", "x", (3000, 2000), 1, "2021:09:18 06:41:07", |c| {
        fractal::escape(c, &fractal::SEAHORSE)
    }),
    picture("46-lace.jpg", "x", (2000, 2000), 1, "2021:09:18 06:41:07", |c| {
        fractal::escape(c, &fractal::LACE)
    }),
    picture("47-silk.jpg", "x", (2400, 2400), 1, "2021:09:18 06:41:07", |c| {
        fractal::attractor(c, &fractal::SILK)
    }),
    picture("48-feather.jpg", "x", (3000, 2000), 1, "2021:09:18 06:41:07", |c| {
        fractal::attractor(c, &fractal::FEATHER)
    }),
    picture("49-brain.jpg", "x", (3000, 2000), 1, "2021:09:18 06:41:07", |c| {
        coral::grow(c, 3, &coral::BRAIN)
    }),
    picture("50-polyps.jpg", "x", (2000, 2000), 1, "2021:09:18 06:41:07", |c| {
        coral::grow(c, 3, &coral::POLYPS)
    }),
    picture("51-lavender.jpg", "x", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        fields::rows(c, 3, &fields::LAVENDER)
    }),
    picture("52-tulips.jpg", "x", (3600, 2025), 1, "2021:09:18 06:41:07", |c| {
        fields::rows(c, 3, &fields::TULIPS)
    }),
    picture("53-patchwork.jpg", "x", (3600, 2400), 1, "2021:09:18 06:41:07", |c| {
        fields::patchwork(c, 3)
    }),
    picture("54-balloons.jpg", "x", (2400, 3200), 1, "2021:09:18 06:41:07", |c| {
        balloons::rise(c, 3, &ridges::MORNING, 7)
    }),
];
