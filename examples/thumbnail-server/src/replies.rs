//! Answers that several routes give.

use std::fmt::Display;

use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use larder_serve::Reply;

use crate::pages;

/// When to come again, in seconds.
const SOON: HeaderValue = HeaderValue::from_static("2");

/// A page that scripts and styles of others stay out of; asked for again each time.
pub fn page(status: StatusCode, html: String) -> Reply {
    Reply::html(html)
        .with_status(status)
        .cache_control("no-cache")
        .header(CONTENT_SECURITY_POLICY, HeaderValue::from_static(pages::CSP))
        .header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
}

/// 404 for a path that names nothing.
pub fn not_found(what: &str) -> Reply {
    page(StatusCode::NOT_FOUND, pages::not_found(what))
}

/// 404 for a photograph that was removed, as a picture, since an `img` asked.
pub fn gone() -> Reply {
    placeholder(StatusCode::NOT_FOUND, "no such photograph")
}

/// A picture in place of one that cannot be shown; the status says that it is not the real one.
pub fn placeholder(status: StatusCode, reason: &str) -> Reply {
    let reply = Reply::bytes("image/svg+xml", pages::placeholder_svg(reason))
        .with_status(status)
        .cache_control("no-store")
        .header(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"))
        .header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if status == StatusCode::SERVICE_UNAVAILABLE { reply.header(RETRY_AFTER, SOON) } else { reply }
}

/// 503: something that this answer needs is not to be had just now.
pub fn unavailable(error: &dyn Display) -> Reply {
    eprintln!("thumbnail-server: {error:#}");
    come_again("Busy just now; try again in a moment.")
}

/// 503 with a word for the visitor.
pub fn come_again(reason: &str) -> Reply {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    page(status, pages::error(status, reason)).header(RETRY_AFTER, SOON)
}
