//! The way of a thumbnail request that the response cache on the I/O thread could not answer.
//!
//! ```text
//! memo (id -> photograph)  --miss-->  pool --> SQLite
//!   |
//! files (path, version, size, encoding) --hit--> the open descriptor, and hot from now on,
//!   |                                              unless the encoding was chosen by `Accept`
//!   |
//!   +-- miss, first: decode on this worker, publish, reply
//!   +-- miss, made by another worker: the connection is parked, this worker is free
//! ```

use std::sync::Arc;

use http::StatusCode;
use http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use larder_files::{Begin, Body, Entry, Flight, Lease};
use larder_serve::Reply;
use larder_thumbs::{Preset, Source};

use crate::app::App;
use crate::format::Format;
use crate::import;
use crate::library::{Photo, Stamp};
use crate::replies::{gone, placeholder, unavailable};

/// Longest edges that are served, in pixels; any other is a 404, so that nobody can fill the disk
/// with variants.
pub const SIZES: [u32; 4] = [160, 320, 640, 1280];

const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// The bytes behind a URL that names the right version never change.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Any other is kept, but asked for each time.
const ASK: &str = "public, no-cache";

/// What the URL says of the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The right one, and nothing else.
    Right,
    /// Nothing.
    Bare,
    /// An older one, or something that we never wrote.
    Other,
}

/// What a request asks for beside the photograph.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The longest edge in pixels, one of [`SIZES`].
    pub size: u32,
    /// Its encoding.
    pub format: Format,
    /// What follows the `?` of the URL.
    pub query: Option<&'a str>,
    /// Whether the path is spelled as we write it.
    pub is_plain: bool,
}

impl Wish<'_> {
    fn preset(&self) -> Preset {
        Preset::new(self.size).output(self.format.output)
    }
}

impl Asked {
    fn of(photo: &Photo, wish: Wish<'_>) -> Self {
        match wish.query {
            _ if !wish.is_plain => Self::Other,
            None => Self::Bare,
            Some(query) if query.strip_prefix("v=") == Some(&photo.version) => Self::Right,
            Some(_) => Self::Other,
        }
    }
}

/// Answers a request for a thumbnail of photograph `id`.
pub fn reply(app: &App, id: i64, wish: Wish<'_>) -> Reply {
    let reply = match app.photo(id) {
        Ok(Some(photo)) => answer(app, &photo, wish, false),
        Ok(None) => gone(),
        Err(error) => unavailable(&error),
    };
    wish.format.mark(reply)
}

/// What the cache knows a photograph by: its path below the folder, so that the folder may move.
pub fn key_source(photo: &Photo) -> &[u8] {
    photo.path.as_os_str().as_encoded_bytes()
}

/// `is_fresh`: the row has just been compared with the file. Otherwise that is done before the
/// photograph is opened, never for a hit.
fn answer(app: &App, photo: &Photo, wish: Wish<'_>, is_fresh: bool) -> Reply {
    let asked = Asked::of(photo, wish);
    let may_use = || is_fresh || is_current(app, photo);
    if let Some(problem) = &photo.problem {
        if may_use() {
            let may_pass = photo.stamp == Stamp::UNREAD;
            let status = if may_pass { UNAVAILABLE } else { StatusCode::UNPROCESSABLE_ENTITY };
            return placeholder(status, problem);
        }
    } else {
        match app.thumbs.begin(key_source(photo), &photo.version, wish.preset()) {
            Begin::Hit(entry) => return delivered(&entry, wish.format, asked),
            Begin::Busy(flight) => return parked(flight, wish.format, asked),
            Begin::Refused(refusal) if may_use() => return failed(&refusal.to_error().into()),
            // It was refused as it was; now it is another.
            Begin::Refused(_) => {}
            Begin::Make(lease) if may_use() => return make(app, photo, wish, lease, asked),
            // Those who wait for the old version are told to come again.
            Begin::Make(lease) => drop(lease),
        }
    }
    match app.refresh(photo) {
        Ok(Some(now)) => answer(app, &now, wish, true),
        Ok(None) => gone(),
        Err(error) => unavailable(&error),
    }
}

/// Whether the file still is as the library says.
fn is_current(app: &App, photo: &Photo) -> bool {
    import::metadata(&app.photos_dir, &photo.path)
        .is_ok_and(|meta| import::stamp(&meta) == photo.stamp)
}

fn make(app: &App, photo: &Photo, wish: Wish<'_>, lease: Lease, asked: Asked) -> Reply {
    match app.thumbs.make(lease, &Source::path(app.path(photo)), wish.preset()) {
        Ok(entry) => delivered(&entry, wish.format, asked),
        Err(error) => failed(&error),
    }
}

/// The connection waits for another worker's thumbnail; this worker does not.
fn parked(flight: Flight, format: Format, asked: Asked) -> Reply {
    let (ticket, reply) = Reply::later();
    flight.on_ready(move |made| {
        let reply = match made {
            Ok(entry) => delivered(&entry, format, asked),
            Err(error) => failed(&error.into()),
        };
        ticket.complete(format.mark(reply));
    });
    reply
}

/// Replies with a thumbnail by descriptor; the server keeps it in memory from then on, unless the
/// URL says something else (anybody could then fill the memory with copies of one picture), or does
/// not say enough: the next who asks may want another encoding.
fn delivered(entry: &Entry, format: Format, asked: Asked) -> Reply {
    let media_type = format.output.media_type();
    let reply = match entry.body() {
        Body::File { file, offset, len } => Reply::file(Arc::clone(file), *offset, *len),
        Body::Memory(bytes) => Reply::bytes(media_type, bytes.clone()),
    };
    let reply = reply
        .content_type(media_type)
        .etag(entry.etag())
        .cache_control(if asked == Asked::Right { FOREVER } else { ASK })
        .header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if asked == Asked::Other || format.varies { reply } else { reply.hot() }
}

/// A placeholder whose status says whose fault it was.
fn failed(error: &larder_thumbs::Error) -> Reply {
    if error.is_io() {
        // Visitors need not know where the file lies.
        eprintln!("thumbnail-server: {error}");
        return placeholder(UNAVAILABLE, "the file cannot be read just now");
    }
    let may_pass = error.is_timeout() || error.is_changed();
    let status = if may_pass { UNAVAILABLE } else { StatusCode::UNPROCESSABLE_ENTITY };
    placeholder(status, &error.to_string())
}
