//! Files with compressed siblings: `page.html` beside `page.html.br`, chosen by `Accept-Encoding`
//! (RFC 9110, 12.5.3).

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};

use crate::{Reply, Request};

/// What each coding is called in header fields and in file names.
const CODINGS: [(&str, &str); 3] = [("br", ".br"), ("zstd", ".zst"), ("gzip", ".gz")];

impl Reply {
    /// Answers 200 with the file at `path`, or with a compressed sibling that the client prefers.
    ///
    /// A sibling is the file beside it whose name ends in `.br`, `.zst` or `.gz` as well; one that
    /// is older than the file itself is left alone. Of those that the client takes, the one of the
    /// highest quality is given, and of equals the shortest. Each has its own entity tag, from its
    /// length and its time, and where there are siblings the answer says `Vary: Accept-Encoding`
    /// (so that [`hot`](Reply::hot) does not keep it). The content type is the caller's to set.
    ///
    /// # Errors
    ///
    /// If there is no such file, it is not a regular file, or it cannot be opened. A sibling that
    /// cannot be opened is passed over.
    ///
    /// # Examples
    ///
    /// ```
    /// use larder_serve::{Reply, Request, http::StatusCode};
    ///
    /// fn style(request: Request) -> Reply {
    ///     match Reply::path(&request, "static/style.css") {
    ///         Ok(reply) => reply.content_type("text/css; charset=utf-8"),
    ///         Err(_) => Reply::status(StatusCode::NOT_FOUND),
    ///     }
    /// }
    /// ```
    pub fn path(request: &Request, path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let original = Opened::open(path)?;
        let accepted: Vec<_> =
            request.headers().get_all(ACCEPT_ENCODING).iter().map(HeaderValue::as_bytes).collect();
        let accepted = accepted.join(&b","[..]);
        let mut has_siblings = false;
        let mut candidates = Vec::new();
        for (coding, suffix) in CODINGS {
            let name = with_suffix(path, suffix);
            let Some(len) = usable(&name, original.modified) else { continue };
            has_siblings = true;
            let quality = quality(&accepted, coding);
            if quality > 0 && quality >= quality_of_identity(&accepted) {
                candidates.push((quality, len, coding, name));
            }
        }
        candidates.sort_by_key(|&(quality, len, ..)| (std::cmp::Reverse(quality), len));
        let sibling = candidates
            .into_iter()
            .find_map(|(_, _, coding, name)| Some((coding, Opened::open(&name).ok()?)));
        let reply = match sibling {
            Some((coding, opened)) => {
                let value = HeaderValue::from_static(coding);
                opened.reply(&format!("-{coding}")).header(CONTENT_ENCODING, value)
            }
            None => original.reply(""),
        };
        let vary = HeaderValue::from_static("Accept-Encoding");
        Ok(if has_siblings { reply.header(VARY, vary) } else { reply })
    }
}

/// A file with what it was when it was opened.
struct Opened {
    file: File,
    len: u64,
    modified: SystemTime,
}

impl Opened {
    fn open(path: &Path) -> io::Result<Self> {
        // Before it is opened: opening a pipe would wait for a writer.
        if !fs::metadata(path)?.is_file() {
            let message = format!("{} is not a regular file", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(Self { file, len: metadata.len(), modified: metadata.modified()? })
    }

    fn reply(self, mark: &str) -> Reply {
        let since = self.modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let etag = format!("{:x}-{since:x}{mark}", self.len);
        Reply::file(Arc::new(self.file), 0, self.len).etag(etag).last_modified(self.modified)
    }
}

fn with_suffix(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The length of a sibling that is no older than what it is made from.
fn usable(path: &Path, modified: SystemTime) -> Option<u64> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    (metadata.modified().ok()? >= modified).then_some(metadata.len())
}

/// The quality of a coding in thousandths; zero where it is not wanted.
fn quality(accepted: &[u8], coding: &str) -> u16 {
    find(accepted, coding).or_else(|| find(accepted, "*")).unwrap_or(0)
}

/// Zero unless it is asked for by name: a client that lists codings prefers them to none.
fn quality_of_identity(accepted: &[u8]) -> u16 {
    find(accepted, "identity").unwrap_or(0)
}

/// The quality that the list gives this very name.
fn find(accepted: &[u8], name: &str) -> Option<u16> {
    accepted.split(|&b| b == b',').find_map(|item| {
        let mut words = item.split(|&b| b == b';').map(<[u8]>::trim_ascii);
        let coding = words.next()?;
        let old = name == "gzip" && coding.eq_ignore_ascii_case(b"x-gzip");
        if !old && !coding.eq_ignore_ascii_case(name.as_bytes()) {
            return None;
        }
        let weight = words.find_map(|word| {
            word.strip_prefix(b"q=").or_else(|| word.strip_prefix(b"Q=")).map(thousandths)
        });
        Some(weight.unwrap_or(1000))
    })
}

/// `0.5` as 500; what is no weight at all is zero, so that nothing is sent that was not asked for.
fn thousandths(weight: &[u8]) -> u16 {
    let (whole, fraction) = match weight {
        [whole] | [whole, b'.'] => (whole, &[][..]),
        [whole, b'.', fraction @ ..] => (whole, fraction),
        _ => return 0,
    };
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    let places = fraction.iter().zip([100, 10, 1]);
    let fraction: u16 = places.map(|(digit, place)| u16::from(digit - b'0') * place).sum();
    match (whole, fraction) {
        (b'0', fraction) => fraction,
        (b'1', 0) => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualities() {
        let cases = [
            ("", 0, 0, 0),
            ("gzip", 1000, 0, 0),
            ("gzip, br", 1000, 1000, 0),
            ("gzip;q=0.5,br;q=0.25", 500, 250, 0),
            ("GZIP; Q=0.123", 123, 0, 0),
            ("x-gzip", 1000, 0, 0),
            ("*", 1000, 1000, 0),
            ("*;q=0.1, br;q=0", 100, 0, 0),
            ("identity;q=0.5, *;q=0", 0, 0, 500),
            ("gzip;q=1.000", 1000, 0, 0),
            ("gzip;q=0.", 0, 0, 0),
            ("gzip;q=1.001", 0, 0, 0),
            ("gzip;q=0.1234", 0, 0, 0),
            ("gzip;q=2", 0, 0, 0),
            ("gzip;q=", 0, 0, 0),
            ("gzip;q=-1", 0, 0, 0),
            ("gzip;a=b;q=0.2", 200, 0, 0),
            ("gzipped, xbr", 0, 0, 0),
            (" ,, br ,", 0, 1000, 0),
        ];
        for (accepted, gzip, br, identity) in cases {
            let accepted = accepted.as_bytes();
            let found =
                (quality(accepted, "gzip"), quality(accepted, "br"), quality_of_identity(accepted));
            assert_eq!(found, (gzip, br, identity), "{}", accepted.escape_ascii());
        }
    }
}
