//! The pages of the thumbnail server: plain functions from data to HTML.
//!
//! Nothing here reads a clock, a file or a database; whoever answers the request fills a
//! [`Photo`] or a [`StatusView`] and sends the string. Every text passes through maud and is
//! escaped there. All pages work without JavaScript; `gallery.js` lays a viewer over the same
//! links, `status.js` refreshes the numbers in place.
//!
//! | module | draws |
//! |---|---|
//! | [`document`] | the shell of every page: head, header, footer |
//! | [`gallery`](mod@gallery) | the justified grid, its paging, the empty library |
//! | [`viewer`] | the dialog that the script opens over the grid |
//! | [`photo`](mod@photo) | the page of one photograph |
//! | [`status`](mod@status) | numbers for people |
//! | [`notice`] | not found, errors, the placeholder of a picture that cannot be read |
//! | [`srcset`] | which thumbnails a picture offers, and how wide each really is |
//! | [`quantity`] | numbers, sizes, dates and durations as people write them |
//! | [`assets`](mod@assets) | the style sheet, scripts and icon, with content-versioned URLs |

pub mod assets;
mod document;
mod gallery;
mod notice;
mod photo;
pub mod quantity;
pub mod srcset;
pub mod status;
#[cfg(test)]
mod tests;
mod viewer;

pub use assets::{asset_url, assets};
pub use gallery::{empty, gallery};
pub use notice::{error, not_found, placeholder_svg};
pub use photo::photo;
pub use status::{Section, StatusView, status};

/// The `Content-Security-Policy` to send with every page.
///
/// No script and no style sheet but our own files. The one inline thing allowed is the `style`
/// attribute, which carries the shape of each picture (two numbers); a browser too old to know
/// `style-src-attr` ignores those attributes and shows every tile as 3:2.
pub const CSP: &str = "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; \
     style-src-attr 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// One photograph as the pages show it.
#[derive(Clone, Copy, Debug)]
pub struct Photo<'a> {
    /// Identity in the library; the `{id}` of every URL.
    pub id: i64,
    /// Short hexadecimal version of the content, the `?v=` of thumbnail URLs.
    pub version: &'a str,
    /// File name without its extension.
    pub title: &'a str,
    /// Width in pixels once upright.
    pub width: u32,
    /// Height in pixels once upright.
    pub height: u32,
    /// When it was taken, as `YYYY-MM-DDTHH:MM:SS`.
    pub taken_at: Option<&'a str>,
    /// Maker and model of the camera.
    pub camera: Option<&'a str>,
    /// Size of the original file.
    pub bytes: u64,
    /// The picture could not be read: a quiet placeholder stands in for it.
    pub broken: bool,
}

impl Photo<'_> {
    /// Width over height; 3:2 where the picture could not be measured.
    fn aspect(&self) -> f64 {
        if self.width == 0 || self.height == 0 {
            1.5
        } else {
            f64::from(self.width) / f64::from(self.height)
        }
    }
}
