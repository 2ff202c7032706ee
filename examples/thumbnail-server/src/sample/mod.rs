//! The sample gallery: pictures for a first run without a folder of photographs.
//!
//! Each picture is painted by a scene from a seed, so every machine gets the same gallery and the
//! repository carries no photographs. They are stored as a camera would: JPEG, 2 to 12
//! megapixels, an EXIF block, the pixels turned in all eight ways.
//!
//! | module | what it knows |
//! |---|---|
//! | `catalogue`, `picture` | the list of pictures: name, size, orientation, date, scene |
//! | `gallery` | files: which are missing, who makes them, how they appear whole or not at all |
//! | `canvas`, `colour`, `noise`, `terrain`, `sky` | what all scenes paint with |
//! | `develop`, `exif` | canvas to photograph |
//! | all others | one family of scenes each |

mod canvas;
mod catalogue;
mod colour;
mod develop;
mod exif;
mod gallery;
mod noise;
mod sky;
mod terrain;

mod balloons;
mod city;
mod coral;
mod fields;
mod flowers;
mod forest;
mod fractal;
mod glass;
mod land;
mod lights;
mod night;
mod ornament;
mod paint;
mod paper;
mod picture;
mod ridges;
mod sea;
mod space;

pub use gallery::make;

#[cfg(test)]
mod tests;
