//! Which encodings a thumbnail is served in, and which of them a request gets.
//!
//! `/thumb/320/7.jpg` is a JPEG for everybody: its answers are kept in memory by their URL.
//! `/thumb/320/7` is what the request's `Accept` prefers of [`OFFERED`], and says `Vary: Accept`;
//! since another request for the same URL may get another encoding, its answers are never kept
//! there, but come from the open descriptor. Each encoding is a file of its own in the cache.

use http::header::{ACCEPT, HeaderValue, VARY};
use larder_serve::{Reply, Request};
use larder_thumbs::Output;

/// What this build encodes, the smallest files first.
pub const OFFERED: &[Output] = &[
    #[cfg(feature = "avif")]
    Output::Avif,
    #[cfg(feature = "webp")]
    Output::WebP,
    Output::Jpeg,
];

/// What the pages write behind the number of a thumbnail: they leave the encoding to the browser
/// where there is a choice.
pub const SUFFIX: &str = if OFFERED.len() > 1 { "" } else { ".jpg" };

/// The encoding that a request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The encoding.
    pub output: Output,
    /// Whether another request for the same URL may get another.
    pub varies: bool,
}

impl Format {
    /// Splits the name of a thumbnail into the number of its photograph and what follows, and says
    /// which encoding that asks for; `None` for an ending that this build does not serve.
    pub fn of<'a>(name: &'a str, request: &Request) -> Option<(&'a str, Format)> {
        match name.split_once('.') {
            Some((number, ending)) => {
                let output = *OFFERED.iter().find(|output| extension(**output) == ending)?;
                Some((number, Format { output, varies: false }))
            }
            None => Some((name, Format::preferred(request))),
        }
    }

    fn preferred(request: &Request) -> Format {
        // Several fields of one name are one list (RFC 9110, 5.3).
        let fields = request.headers().get_all(ACCEPT).iter();
        let fields: Vec<&str> = fields.filter_map(|field| field.to_str().ok()).collect();
        let accept = (!fields.is_empty()).then(|| fields.join(","));
        let output = Output::choose(accept.as_deref(), OFFERED);
        Format { output, varies: OFFERED.len() > 1 }
    }

    /// Says on a reply what it was chosen by.
    pub fn mark(self, reply: Reply) -> Reply {
        if self.varies { reply.header(VARY, HeaderValue::from_static("Accept")) } else { reply }
    }
}

fn extension(output: Output) -> &'static str {
    match output.media_type() {
        "image/jpeg" => "jpg",
        other => other.trim_start_matches("image/"),
    }
}
