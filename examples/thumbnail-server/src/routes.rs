//! Which function answers which path.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use larder_serve::{Reply, Request, Router};

use crate::app::App;
use crate::format::Format;
use crate::library::{Neighbours, Photo};
use crate::replies::{not_found, page, unavailable};
use crate::thumbnail::Wish;
use crate::{originals, pages, status, thumbnail};

/// Photographs on one page of the gallery.
const PAGE_LEN: usize = 120;

/// The router of the whole site.
pub fn router(app: &Arc<App>) -> Router {
    let on = |answer: fn(&App, &Request) -> Reply| {
        let app = Arc::clone(app);
        move |request: Request| answer(&app, &request)
    };
    Router::new()
        .get("/", on(gallery))
        .get("/photo/{id}", on(photo))
        .get("/thumb/{size}/{name}", on(thumb))
        .get("/original/{id}", on(original))
        .get("/assets/{name}", on(asset))
        .get("/healthz", on(|_, _| Reply::text("ok\n").cache_control("no-store")))
        .get("/status", on(|app, _| status::status(app)))
        .get("/metrics", on(|app, _| status::metrics(app)))
        .get("/{*rest}", on(|_, request| not_found(request.path())))
}

fn gallery(app: &App, request: &Request) -> Reply {
    let asked = match request.query() {
        None => Some(1),
        Some(query) => query.strip_prefix("page=").and_then(number).and_then(|n| n.try_into().ok()),
    };
    let total = match app.library.count() {
        Ok(total) => total,
        Err(error) => return unavailable(&error),
    };
    let last = total.div_ceil(PAGE_LEN).max(1);
    let Some(number) = asked.filter(|number| (1..=last).contains(number)) else {
        return not_found("this page of the gallery");
    };
    let photos = match app.library.page((number - 1) * PAGE_LEN, PAGE_LEN) {
        Ok(photos) => photos,
        Err(error) => return unavailable(&error),
    };
    if photos.is_empty() {
        return page(StatusCode::OK, pages::empty());
    }
    let titles: Vec<String> = photos.iter().map(Photo::title).collect();
    let shown: Vec<_> =
        photos.iter().zip(&titles).map(|(photo, title)| view(photo, title)).collect();
    let html = pages::gallery(&shown, total, number, last);
    let etag = format!("\"{}\"", &blake3::hash(html.as_bytes()).to_hex()[..16]);
    page(StatusCode::OK, html).etag(etag).hot()
}

fn photo(app: &App, request: &Request) -> Reply {
    with_photo(app, request, |photo| {
        let Neighbours { newer, older } = match app.library.neighbours(photo.id) {
            Ok(neighbours) => neighbours,
            Err(error) => return unavailable(&error),
        };
        let title = photo.title();
        page(StatusCode::OK, pages::photo(&view(photo, &title), newer, older))
    })
}

fn thumb(app: &App, request: &Request) -> Reply {
    let size = request.param("size").and_then(number).and_then(|size| u32::try_from(size).ok());
    let named = request.param("name").and_then(|name| Format::of(name, request));
    let id_and_format = named.and_then(|(id, format)| Some((number(id)?, format)));
    match (size.filter(|size| thumbnail::SIZES.contains(size)), id_and_format) {
        (Some(size), Some((id, format))) => {
            let wish = Wish { size, format, query: request.query(), is_plain: is_plain(request) };
            thumbnail::reply(app, id, wish)
        }
        _ => not_found(request.path()),
    }
}

fn original(app: &App, request: &Request) -> Reply {
    with_photo(app, request, |photo| originals::reply(app, photo))
}

fn asset(_: &App, request: &Request) -> Reply {
    let name = request.param("name").unwrap_or_default();
    let Some(asset) = pages::assets().iter().find(|asset| asset.name == name) else {
        return not_found(request.path());
    };
    let is_versioned =
        request.query().and_then(|query| query.strip_prefix("v=")) == Some(&asset.version);
    let reply = Reply::bytes(asset.content_type, asset.bytes)
        .etag(format!("\"{}\"", asset.version))
        .header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_versioned && is_plain(request) {
        reply.cache_control("public, max-age=31536000, immutable").hot()
    } else {
        reply.cache_control("public, no-cache")
    }
}

/// Runs `show` on the photograph that `{id}` names.
fn with_photo(app: &App, request: &Request, show: impl FnOnce(&Photo) -> Reply) -> Reply {
    let Some(id) = request.param("id").and_then(number) else {
        return not_found(request.path());
    };
    match app.photo(id) {
        Ok(Some(photo)) => show(&photo),
        Ok(None) => not_found(&format!("photo {id}")),
        Err(error) => unavailable(&error),
    }
}

/// Whether the path is spelled as we write it. Replies to other spellings of the same path are not
/// kept in memory: there is no end to them.
fn is_plain(request: &Request) -> bool {
    !request.path().contains('%')
}

/// A number as we write them: one spelling each, so that nothing is kept under two URLs.
fn number(text: &str) -> Option<i64> {
    let id: i64 = text.parse().ok()?;
    (id > 0 && id.to_string() == text).then_some(id)
}

fn view<'a>(photo: &'a Photo, title: &'a str) -> pages::Photo<'a> {
    pages::Photo {
        id: photo.id,
        version: &photo.version,
        title,
        width: photo.width,
        height: photo.height,
        taken_at: photo.taken_at.as_deref(),
        camera: photo.camera.as_deref(),
        bytes: photo.stamp.size_bytes,
        broken: photo.problem.is_some(),
    }
}
