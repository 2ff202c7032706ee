//! Heads of answers whose body comes from a reader.

use super::{Persist, Representation, finish, length, may_have_body, status_line};
use crate::conditional::{Conditions, Outcome, Validators};
use crate::date::DATE_LEN;

use http::{HeaderValue, StatusCode};

/// How the client knows where such a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delimited {
    Length(u64),
    Chunks,
    /// HTTP/1.0 knows no chunks: the connection ends with the body.
    Close,
}

impl Delimited {
    pub(crate) fn is_close(self) -> bool {
        self == Self::Close
    }
}

impl Representation {
    /// Appends the head of the answer that these conditions earn; false if no body follows it.
    /// There are no ranges: a reader has only one beginning.
    pub(crate) fn answer_streamed(
        &self,
        conditions: &Conditions<'_>,
        is_head: bool,
        (persist, delimited): (Persist, Delimited),
        date: &[u8; DATE_LEN],
        out: &mut Vec<u8>,
    ) -> bool {
        let outcome = if self.status == StatusCode::OK {
            let etag = self.etag.as_ref().map(HeaderValue::as_bytes);
            // Asked as for a `HEAD`, which has no ranges.
            conditions.evaluate(Validators { etag, modified_s: self.modified_s }, 0, true)
        } else {
            Outcome::Full
        };
        let status = match outcome {
            Outcome::NotModified => StatusCode::NOT_MODIFIED,
            Outcome::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Outcome::Full
            | Outcome::Partial(_)
            | Outcome::Parts(_)
            | Outcome::RangeNotSatisfiable => self.status,
        };
        let is_full = status == self.status;
        status_line(status, date, out);
        out.extend_from_slice(&self.common);
        if is_full {
            out.extend_from_slice(&self.content);
        }
        match delimited {
            _ if status == StatusCode::RESET_CONTENT => length(0, out),
            _ if !may_have_body(status) => {}
            _ if !is_full => length(0, out),
            Delimited::Length(len) => length(len, out),
            Delimited::Chunks => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Delimited::Close => {}
        }
        finish(persist, out);
        is_full && !is_head && may_have_body(status)
    }
}
