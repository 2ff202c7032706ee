//! What a handler returns: an answer that borrows nothing, so that the worker is free at once.

use std::any::Any;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    self, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, LAST_MODIFIED,
    LOCATION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::date;
use crate::later::{LaterCell, Ticket};
use crate::render::Held;

/// Something kept alive until the last byte of a reply has left, or delivery was given up.
pub type Lease = Box<dyn Any + Send>;

/// An answer: a status, header fields, and a body of bytes, of a file, of a stream, or of later.
///
/// `HEAD`, conditional requests and byte ranges, up to 16 of them in one request, are served from
/// it without the handler's help: give it validators ([`etag`](Reply::etag),
/// [`last_modified`](Reply::last_modified)) and the whole body. Framing fields (`Content-Length`, `Connection`, `Date`...) belong to the server.
///
/// # Examples
///
/// ```
/// use larder_serve::Reply;
///
/// let page = Reply::html("<h1>larder</h1>").etag("v7").cache_control("max-age=60").hot();
/// # let _ = page;
/// ```
#[must_use = "a reply does nothing until the handler returns it"]
pub struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) fields: Vec<(HeaderName, HeaderValue)>,
    pub(crate) etag: Option<HeaderValue>,
    pub(crate) last_modified: Option<SystemTime>,
    pub(crate) body: ReplyBody,
    pub(crate) lease: Held,
    pub(crate) hot: bool,
}

/// The body of a reply before the conditions of the request are applied to it.
pub(crate) enum ReplyBody {
    Bytes(Bytes),
    File {
        file: Arc<File>,
        offset: u64,
        len: u64,
    },
    /// A length is a promise.
    Stream {
        reader: Box<dyn Read + Send>,
        len: Option<u64>,
    },
    Later(Arc<LaterCell>),
}

impl Reply {
    fn new(status: StatusCode, content_type: Option<HeaderValue>, body: ReplyBody) -> Self {
        Self {
            status,
            content_type,
            fields: Vec::new(),
            etag: None,
            last_modified: None,
            body,
            lease: Held::default(),
            hot: false,
        }
    }

    /// Answers 200 with bytes.
    ///
    /// # Panics
    ///
    /// If `content_type` cannot be a header value.
    pub fn bytes(content_type: impl AsRef<str>, body: impl Into<Bytes>) -> Self {
        let content_type = value_of("content type", content_type.as_ref());
        Self::new(StatusCode::OK, Some(content_type), ReplyBody::Bytes(body.into()))
    }

    /// Answers 200 with an HTML page in UTF-8.
    pub fn html(body: impl Into<Bytes>) -> Self {
        Self::bytes("text/html; charset=utf-8", body)
    }

    /// Answers 200 with plain text in UTF-8.
    pub fn text(body: impl Into<Bytes>) -> Self {
        Self::bytes("text/plain; charset=utf-8", body)
    }

    /// Answers with a status; a 4xx or 5xx carries its own name as text, others have no body.
    ///
    /// # Panics
    ///
    /// If the status is informational (1xx): such an answer answers nothing.
    pub fn status(status: StatusCode) -> Self {
        if !status.is_client_error() && !status.is_server_error() {
            let reply = Self::new(status, None, ReplyBody::Bytes(Bytes::new()));
            return reply.with_status(status);
        }
        Self::text(format!("{status}\n")).with_status(status)
    }

    /// Answers 302 Found; use [`with_status`](Reply::with_status) for 301, 303, 307 or 308.
    ///
    /// # Panics
    ///
    /// If `location` cannot be a header value, e.g. because it holds a line break.
    pub fn redirect(location: impl AsRef<str>) -> Self {
        let location = value_of("location", location.as_ref());
        Self::status(StatusCode::FOUND).header(LOCATION, location)
    }

    /// Answers 200 with `len` bytes of `file` from `offset` on, by the fastest way there is.
    ///
    /// The file is read by position: its cursor is neither used nor moved, and one descriptor may
    /// serve any number of replies. It must not be shortened while it is delivered; if it is, the
    /// connection is cut, since the promised length cannot be kept.
    pub fn file(file: Arc<File>, offset: u64, len: u64) -> Self {
        Self::new(StatusCode::OK, None, ReplyBody::File { file, offset, len })
    }

    /// Answers 200 with all that `reader` gives until its end, as fast as the client takes it.
    ///
    /// A worker reads while the connection holds less than
    /// [`stream_bytes`](crate::Builder::stream_bytes) that the client has not taken; then it
    /// leaves, and one comes back when half of that is gone. So a slow client holds no worker, but
    /// a reader that blocks holds the worker that is in it. The body goes out in chunks; to a
    /// client of HTTP/1.0, up to the end of the connection. There are no ranges. Over a Unix socket,
    /// a client of HTTP/1.0 is answered 505, as it could not tell a part from the whole: a proxy in
    /// front must speak HTTP/1.1.
    ///
    /// The first read comes before the head: if it fails, the answer is 500. A reader that fails
    /// or panics later, or gives nothing for [`handler_deadline`](crate::Builder::handler_deadline),
    /// cuts the connection, so that no client takes a part for the whole. When the client leaves,
    /// the reader is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use larder_serve::Reply;
    ///
    /// # let rows: Box<dyn std::io::Read + Send> = Box::new(std::io::empty());
    /// let export = Reply::stream(rows).content_type("text/csv");
    /// # let _ = export;
    /// ```
    pub fn stream(reader: impl Read + Send + 'static) -> Self {
        Self::new(StatusCode::OK, None, ReplyBody::Stream { reader: Box::new(reader), len: None })
    }

    /// Answers as [`stream`](Reply::stream), with `Content-Length`: no byte beyond `len` is read,
    /// and a reader that ends before cuts the connection.
    pub fn stream_sized(reader: impl Read + Send + 'static, len: u64) -> Self {
        let body = ReplyBody::Stream { reader: Box::new(reader), len: Some(len) };
        Self::new(StatusCode::OK, None, body)
    }

    /// Answers when the ticket is completed, from whichever thread; the worker is free meanwhile.
    pub fn later() -> (Ticket, Self) {
        let cell = Arc::new(LaterCell::default());
        let reply = Self::new(StatusCode::OK, None, ReplyBody::Later(Arc::clone(&cell)));
        (Ticket::new(cell), reply)
    }

    /// Sets the status. Conditional requests and ranges apply to 200 alone.
    ///
    /// # Panics
    ///
    /// If the status is informational (1xx): such an answer answers nothing.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        assert!(
            !status.is_informational(),
            "a reply cannot have the informational status {status}"
        );
        self.status = status;
        self
    }

    /// Adds a header field.
    ///
    /// # Panics
    ///
    /// If the field belongs to the server: `Content-Length`, `Transfer-Encoding`, `Connection`,
    /// `Content-Range`, `Date`, `Upgrade`.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        let owned = [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, CONTENT_RANGE, DATE, UPGRADE];
        assert!(!owned.contains(&name), "the field {name} belongs to the server");
        match name {
            header::CONTENT_TYPE => self.content_type = Some(value),
            ETAG => self.etag = Some(value),
            LAST_MODIFIED => {
                let text = value.to_str().unwrap_or_default();
                self.last_modified =
                    httpdate::parse_http_date(text).ok().filter(|&time| date::can_say(time));
            }
            _ => self.fields.push((name, value)),
        }
        self
    }

    /// Sets `Content-Type`.
    ///
    /// # Panics
    ///
    /// If it cannot be a header value.
    pub fn content_type(mut self, content_type: impl AsRef<str>) -> Self {
        self.content_type = Some(value_of("content type", content_type.as_ref()));
        self
    }

    /// Sets the entity tag: `v7` becomes `"v7"`; one that comes with its quotes (and perhaps the
    /// mark `W/`) is taken as it is.
    ///
    /// # Panics
    ///
    /// If it holds a quote inside, a space, or a control character.
    pub fn etag(mut self, etag: impl AsRef<str>) -> Self {
        let etag = etag.as_ref();
        let opaque = etag.strip_prefix("W/").unwrap_or(etag);
        let quoted = opaque.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        let inner = quoted.unwrap_or(etag);
        assert!(
            inner.bytes().all(|b| b > b' ' && b != b'"' && b != 0x7f),
            "the entity tag {etag:?} holds a quote, a space, or a control character",
        );
        let text = if quoted.is_some() { etag.to_owned() } else { format!("\"{etag}\"") };
        self.etag = Some(value_of("entity tag", &text));
        self
    }

    /// Sets when the content last changed; sub-seconds are dropped, as HTTP has none.
    ///
    /// A time before 1970 or after the year 9999 is left out, as HTTP cannot say it either: the
    /// times of files are often made up, and no reason to refuse the file.
    pub fn last_modified(mut self, time: SystemTime) -> Self {
        self.last_modified = Some(time).filter(|&time| date::can_say(time));
        self
    }

    /// Sets `Cache-Control`, in place of what was set before.
    ///
    /// # Panics
    ///
    /// If it cannot be a header value.
    pub fn cache_control(mut self, value: impl AsRef<str>) -> Self {
        let value = value_of("cache control", value.as_ref());
        self.fields.retain(|(name, _)| *name != CACHE_CONTROL);
        self.header(CACHE_CONTROL, value)
    }

    /// Keeps `lease` until the last byte has left or delivery was given up: a cache entry that
    /// must not be evicted, a permit, a temporary file. A thread made for that drops it, so its drop
    /// may block. Fifteen may do so at once; where thousands wait for them, requests that would
    /// reach a handler are answered 503.
    pub fn with_lease(mut self, lease: impl Any + Send) -> Self {
        self.lease = Held(Some(Box::new(lease)));
        self
    }

    /// Lets the I/O thread give this same answer to later `GET` and `HEAD` requests for the same
    /// target, without a worker, until it is evicted or dropped by [`Hot`](crate::Hot).
    ///
    /// Say this only of an answer that depends on nothing but the target: not on cookies, `Host`,
    /// `Accept` or any other field. Only a 200 to `GET` is kept, of bytes or of a file not above
    /// the bound of one entry; one with `Set-Cookie` or `Vary` never is. Anything else is simply
    /// answered.
    pub fn hot(mut self) -> Self {
        self.hot = true;
        self
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = match &self.body {
            ReplyBody::Bytes(bytes) => format!("{} bytes", bytes.len()),
            ReplyBody::File { offset, len, .. } => format!("{len} bytes of a file from {offset}"),
            ReplyBody::Stream { len: Some(len), .. } => format!("a stream of {len} bytes"),
            ReplyBody::Stream { len: None, .. } => "a stream".to_owned(),
            ReplyBody::Later(_) => "later".to_owned(),
        };
        f.debug_struct("Reply").field("status", &self.status).field("body", &body).finish()
    }
}

fn value_of(what: &str, text: &str) -> HeaderValue {
    match HeaderValue::from_str(text) {
        Ok(value) => value,
        Err(_) => panic!("the {what} {text:?} cannot be a header value"),
    }
}
