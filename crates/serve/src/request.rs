//! What a handler is given.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Version};
use percent_encoding::percent_decode_str;

use crate::Body;
use crate::exchange::Exchange;

/// A whole request: its head was checked and its body read before a worker saw it.
pub struct Request {
    exchange: Arc<Exchange>,
    body: Body,
    params: Vec<(Box<str>, Box<str>)>,
}

impl Request {
    pub(crate) fn new(exchange: Arc<Exchange>, body: Body) -> Self {
        Self { exchange, body, params: Vec::new() }
    }

    pub(crate) fn set_params(&mut self, params: Vec<(Box<str>, Box<str>)>) {
        self.params = params;
    }

    /// The method, as sent: a `HEAD` that a `GET` route answers is still `HEAD` here.
    pub fn method(&self) -> &Method {
        &self.exchange.method
    }

    /// The request target as sent, e.g. `/photo/7?size=320`.
    pub fn target(&self) -> &str {
        self.exchange.target()
    }

    /// The path as sent, percent-encoded and without the query; `*` for `OPTIONS *`.
    pub fn path(&self) -> &str {
        self.exchange.path()
    }

    /// The path percent-decoded; `None` if that is not UTF-8 or holds a NUL.
    ///
    /// Decode once and compare; a decoded path may hold `..` or a `/` that was `%2F`, so it is no
    /// file name.
    pub fn decoded_path(&self) -> Option<Cow<'_, str>> {
        decode(self.path())
    }

    /// The query as sent, without the question mark.
    pub fn query(&self) -> Option<&str> {
        self.exchange.query()
    }

    /// HTTP/1.0 or HTTP/1.1.
    pub fn version(&self) -> Version {
        if self.exchange.minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 }
    }

    /// All header fields.
    pub fn headers(&self) -> &HeaderMap {
        self.exchange.headers()
    }

    /// The first field of this name, if it is there.
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&HeaderValue> {
        self.headers().get(name)
    }

    /// The body, whole; empty if there was none.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The other end of the connection; `0.0.0.0:0` over a Unix socket, which has no address.
    pub fn peer(&self) -> SocketAddr {
        self.exchange.peer
    }

    /// A parameter of the route that matched, percent-decoded: `id` for `/photo/{id}`.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| &**key == name).map(|(_, value)| &**value)
    }

    /// Tells whether nobody waits for the answer any more.
    pub fn is_gone(&self) -> bool {
        self.exchange.is_gone()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", self.method())
            .field("target", &self.target())
            .field("peer", &self.peer())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// Percent-decodes; `None` if the result is not UTF-8 or holds a NUL.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().ok().filter(|decoded| !decoded.contains('\0'))
}
