//! The pictures of the gallery, newest first, in an order in which neighbours differ.

use super::picture::{Picture, picture};
use super::{balloons, city, coral, fields, flowers, forest, fractal, glass, land, lights, night};
use super::{ornament, paint, paper, ridges, sea, space};

/// All pictures, in the order of their names.
pub static PICTURES: &[Picture] = &[
    picture(
        "01-misty-ridges.jpg",
        "Ridges in the morning mist",
        (4200, 2800),
        1,
        "2026:09:18 06:41:07",
        |c| ridges::paint(c, 11, &ridges::MORNING),
    ),
    picture(
        "02-aurora-lake.jpg",
        "Northern lights over the lake",
        (3000, 2000),
        3,
        "2026:02:11 23:12:40",
        |c| night::aurora(c, 3, &night::GREEN),
    ),
    picture(
        "03-tulips.jpg",
        "Tulip fields in April",
        (3200, 1800),
        1,
        "2025:04:23 11:05:19",
        |c| fields::rows(c, 3, &fields::TULIPS),
    ),
    picture(
        "04-neon-moon.jpg",
        "Moonrise over the neon quarter",
        (1600, 2400),
        6,
        "2024:10:28 21:47:55",
        |c| city::skyline(c, 9, &city::NEON),
    ),
    picture(
        "05-seigaiha.jpg",
        "Seigaiha, indigo and gold",
        (2400, 1800),
        2,
        "2024:05:05 15:30:02",
        |c| ornament::seigaiha(c, 3),
    ),
    picture("06-dunes.jpg", "Dunes at first light", (3600, 2400), 8, "2024:01:17 07:22:31", |c| {
        land::dunes(c, 7, &land::FIRST_LIGHT)
    }),
    picture("07-dahlia.jpg", "Dahlia", (2200, 2200), 1, "2023:08:29 10:14:48", |c| {
        flowers::dahlia(c, 3, &flowers::CORAL)
    }),
    picture("08-shore.jpg", "The shore from above", (2000, 2500), 5, "2023:07:30 12:40:26", |c| {
        sea::shore(c, 6)
    }),
    picture("09-rose-nebula.jpg", "Rose nebula", (3000, 2000), 1, "2022:11:19 02:33:10", |c| {
        space::nebula(c, 12, &space::ROSE)
    }),
    picture(
        "10-paper-reef.jpg",
        "A reef of cut paper",
        (2400, 1800),
        4,
        "2022:06:12 16:08:00",
        |c| paper::relief(c, 3, &paper::REEF),
    ),
    picture("11-sailing-home.jpg", "Sailing home", (3600, 2400), 1, "2021:08:14 20:51:37", |c| {
        sea::open(c, 4, &sea::SUNSET)
    }),
    picture(
        "12-forest-october.jpg",
        "Beeches in October",
        (1800, 2700),
        6,
        "2020:10:21 08:19:44",
        |c| forest::fog(c, 5, &forest::AUTUMN),
    ),
    picture(
        "13-bauhaus.jpg",
        "Quilt after the Bauhaus",
        (1600, 2400),
        7,
        "2019:11:02 14:00:31",
        |c| ornament::bauhaus(c, 3),
    ),
    picture("14-mesas.jpg", "Red mesas", (4200, 1800), 1, "2019:03:27 17:36:12", |c| {
        land::mesas(c, 8)
    }),
    picture(
        "15-malachite.jpg",
        "Malachite with gold",
        (2400, 1600),
        3,
        "2019:02:09 13:27:05",
        |c| paint::marble(c, 9, &paint::MALACHITE),
    ),
    picture(
        "16-balloons.jpg",
        "Balloons over the valley",
        (2100, 2800),
        1,
        "2018:09:03 06:58:21",
        |c| balloons::rise(c, 3, &ridges::MORNING, 7),
    ),
    picture(
        "17-ringed-planet.jpg",
        "A planet and its ring",
        (2880, 1620),
        2,
        "2018:01:06 22:10:09",
        |c| space::planet(c, 4, &space::RINGED),
    ),
    picture(
        "18-lavender.jpg",
        "Lavender, the sun just going",
        (3600, 2400),
        8,
        "2017:07:08 20:57:50",
        |c| fields::rows(c, 3, &fields::LAVENDER),
    ),
    picture(
        "19-julia-dragon.jpg",
        "Julia set: dragons",
        (2560, 1600),
        1,
        "2016:12:24 18:00:00",
        |c| fractal::escape(c, &fractal::DRAGON),
    ),
    picture(
        "20-rain.jpg",
        "Rain on the harbour window",
        (2000, 2000),
        5,
        "2016:11:13 19:43:28",
        |c| lights::rain(c, 9, &lights::HARBOUR),
    ),
    picture("21-alpenglow.jpg", "Alpenglow", (3300, 2200), 1, "2016:01:29 07:48:33", |c| {
        land::peaks(c, 5, &land::ALPENGLOW)
    }),
    picture(
        "22-current.jpg",
        "A current in coral and gold",
        (2700, 1800),
        4,
        "2015:06:16 11:11:11",
        |c| paint::flow(c, 4, &paint::CURRENT),
    ),
    picture(
        "23-red-sun.jpg",
        "Blue mountains under a red sun",
        (1440, 2560),
        6,
        "2015:04:20 18:32:15",
        |c| ridges::paint(c, 41, &ridges::TEAL),
    ),
    picture("24-bokeh.jpg", "A street in December", (2400, 1600), 1, "2014:12:10 17:25:46", |c| {
        lights::bokeh(c, 9, &lights::STREET)
    }),
    picture(
        "25-milky-way.jpg",
        "The Milky Way over the woods",
        (3840, 2160),
        7,
        "2014:08:15 01:14:52",
        |c| night::milky_way(c, 9, -1.3),
    ),
    picture(
        "26-stained-sunrise.jpg",
        "Sunrise in stained glass",
        (1500, 2000),
        1,
        "2014:06:24 09:40:18",
        |c| glass::sunrise(c, 3),
    ),
    picture(
        "27-above-clouds.jpg",
        "Above the clouds",
        (3000, 2000),
        2,
        "2014:03:07 07:02:59",
        |c| land::cloud_sea(c, 4),
    ),
    picture("28-ribbons.jpg", "Woven ribbons", (2100, 1400), 8, "2013:03:31 15:45:00", |c| {
        ornament::ribbons(c, 3)
    }),
    picture("29-moonlit-sea.jpg", "Moonlit sea", (1800, 2400), 1, "2012:08:18 23:36:24", |c| {
        sea::open(c, 5, &sea::MOON)
    }),
    picture(
        "30-pillars.jpg",
        "Pillars of amber and teal",
        (2400, 2400),
        3,
        "2011:12:15 03:05:41",
        |c| space::nebula(c, 4, &space::PILLARS),
    ),
    picture(
        "31-patchwork.jpg",
        "Fields and hedges in June",
        (3600, 2400),
        1,
        "2011:06:11 18:20:07",
        |c| fields::patchwork(c, 3),
    ),
    picture("32-agate.jpg", "Agate", (1650, 2200), 6, "2011:02:22 12:12:38", |c| {
        paint::marble(c, 3, &paint::AGATE)
    }),
    picture(
        "33-blue-hour.jpg",
        "Blue hour by the river",
        (3840, 1646),
        5,
        "2010:09:27 19:33:03",
        |c| city::skyline(c, 4, &city::BLUE_HOUR),
    ),
    picture("34-paper-waves.jpg", "Paper waves", (1600, 2400), 1, "2010:04:04 10:50:29", |c| {
        paper::waves(c, 3)
    }),
    picture("35-violet-dahlia.jpg", "Violet dahlia", (2000, 2500), 4, "2009:08:20 09:31:16", |c| {
        flowers::dahlia(c, 8, &flowers::VIOLET)
    }),
    picture(
        "36-winter-peaks.jpg",
        "Winter light on the range",
        (3520, 1980),
        1,
        "2009:02:17 12:28:54",
        |c| land::peaks(c, 15, &land::WINTER),
    ),
    picture(
        "37-seahorses.jpg",
        "Mandelbrot set: the valley of sea horses",
        (2400, 1600),
        7,
        "2008:12:03 16:16:16",
        |c| fractal::escape(c, &fractal::SEAHORSE),
    ),
    picture(
        "38-forest-summer.jpg",
        "Sunlight in the fog",
        (3000, 2000),
        1,
        "2008:06:26 07:09:42",
        |c| forest::fog(c, 9, &forest::SUMMER),
    ),
    picture(
        "39-golden-spiral.jpg",
        "Beads on a golden spiral",
        (2400, 1600),
        8,
        "2008:05:18 14:55:23",
        |c| flowers::spiral(c, 3),
    ),
    picture(
        "40-moonlit-valley.jpg",
        "Full moon over the valley",
        (1600, 2400),
        2,
        "2007:11:04 22:41:30",
        |c| ridges::paint(c, 31, &ridges::MOONLIGHT),
    ),
    picture("41-rose-window.jpg", "Rose window", (2100, 2100), 1, "2007:05:15 11:20:35", |c| {
        glass::rose(c, 3)
    }),
    picture("42-calm.jpg", "No wind", (2400, 1800), 3, "2006:05:25 05:37:58", |c| {
        sea::open(c, 6, &sea::PASTEL)
    }),
    picture(
        "43-silk.jpg",
        "Strange attractor: silk",
        (2000, 2000),
        6,
        "2005:08:08 20:08:08",
        |c| fractal::attractor(c, &fractal::SILK),
    ),
    picture("44-crimson-aurora.jpg", "A red aurora", (1600, 2400), 1, "2005:05:11 00:26:13", |c| {
        night::aurora(c, 8, &night::CRIMSON)
    }),
    picture("45-brain-coral.jpg", "Brain coral", (2400, 1600), 5, "2004:09:12 13:03:47", |c| {
        coral::grow(c, 3, &coral::BRAIN)
    }),
    picture("46-meadow.jpg", "Wind in the meadow", (2000, 2000), 4, "2004:05:16 15:22:20", |c| {
        paint::flow(c, 9, &paint::MEADOW)
    }),
    picture("47-blue-planet.jpg", "A blue world", (1800, 2250), 7, "2004:02:26 21:59:01", |c| {
        space::planet(c, 6, &space::BLUE)
    }),
    picture(
        "48-rose-dusk.jpg",
        "Dusk over the ranges",
        (4410, 1890),
        1,
        "2003:10:10 18:44:56",
        |c| ridges::paint(c, 23, &ridges::DUSK),
    ),
];
