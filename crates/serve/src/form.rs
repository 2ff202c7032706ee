//! Bodies of HTML forms: pairs, and parts with files.
//!
//! Everything is read where the handler runs, from wherever the body is; of a long one, no more
//! than a piece and the head of a part are in memory.

mod parts;

use std::borrow::Cow;
use std::io::{self, Read};

use http::header::CONTENT_TYPE;

use crate::{Error, Request};
pub use parts::{Multipart, Part};

/// The longest body of pairs.
const MAX_FORM: u64 = 1024 * 1024;
/// The most pairs in a body, and parts in another.
const MAX_FIELDS: usize = 1000;

impl Request {
    /// The pairs of the query, decoded: `+` is a space, and what is no UTF-8 becomes U+FFFD.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.query().unwrap_or_default().as_bytes())
    }

    /// Reads the pairs of an `application/x-www-form-urlencoded` body, decoded as those of
    /// [`query_pairs`](Request::query_pairs), in the order in which they were sent.
    ///
    /// # Errors
    ///
    /// If the body has another type, more than 1 MiB or more than 1000 pairs
    /// ([`Error::is_malformed`]: answer 400), or cannot be read.
    pub fn form(&self) -> Result<Vec<(String, String)>, Error> {
        let content_type = self.content_type();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(malformed(format!("the type {essence:?} is not that of a form")));
        }
        if self.body().len() > MAX_FORM {
            return Err(malformed(format!("{} bytes are too many", self.body().len())));
        }
        let mut bytes = Vec::new();
        self.body().reader().read_to_end(&mut bytes).map_err(unreadable)?;
        let pairs: Vec<_> =
            form_urlencoded::parse(&bytes).into_owned().take(MAX_FIELDS + 1).collect();
        if pairs.len() > MAX_FIELDS {
            return Err(malformed("more than 1000 pairs".into()));
        }
        Ok(pairs)
    }

    /// Takes a `multipart/form-data` body apart, one part after the other.
    ///
    /// # Errors
    ///
    /// If the body has another type or no boundary ([`Error::is_malformed`]: answer 400).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    ///
    /// use larder_serve::{Error, Request};
    ///
    /// /// Says how long each file is.
    /// fn lengths(request: &Request) -> Result<Vec<(String, u64)>, Error> {
    ///     let mut lengths = Vec::new();
    ///     let mut parts = request.multipart()?;
    ///     while let Some(mut part) = parts.next_part()? {
    ///         if let Some(name) = part.file_name().map(str::to_owned) {
    ///             let len = io::copy(&mut part, &mut io::sink()).unwrap_or(0);
    ///             lengths.push((name, len));
    ///         }
    ///     }
    ///     Ok(lengths)
    /// }
    /// ```
    pub fn multipart(&self) -> Result<Multipart, Error> {
        let boundary = multer::parse_boundary(self.content_type()).map_err(parts::refused)?;
        Ok(Multipart::new(self.body().reader(), boundary))
    }

    fn content_type(&self) -> &str {
        self.header(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

fn malformed(what: String) -> Error {
    Error::new("cannot read the form", io::Error::new(io::ErrorKind::InvalidData, what))
}

fn unreadable(error: io::Error) -> Error {
    Error::new("cannot read the body", error)
}
