//! What an I/O thread shows of a request: its head, where it lies in the read buffer.

use std::fmt;
use std::net::SocketAddr;

use crate::head::{self, Head};

/// A request before it goes to a worker: its head, borrowed. The fast path sees `GET` and `HEAD`
/// without a body alone; [`Class`](crate::Class) sees any.
pub struct Peek<'p> {
    head: &'p Head<'p, 'p>,
    peer: SocketAddr,
}

impl<'p> Peek<'p> {
    pub(crate) fn new(head: &'p Head<'p, 'p>, peer: SocketAddr) -> Self {
        Self { head, peer }
    }

    /// The method, as sent.
    pub fn method(&self) -> &str {
        self.head.method
    }

    /// Tells whether it is a `HEAD`, which is answered like a `GET`: the server leaves the body
    /// out.
    pub fn is_head(&self) -> bool {
        self.head.method == "HEAD"
    }

    /// The request target as sent, e.g. `/photo/7?size=320`.
    pub fn target(&self) -> &str {
        self.head.target
    }

    /// The path as sent, percent-encoded and without the query.
    pub fn path(&self) -> &str {
        head::split_target(self.head.target).0
    }

    /// The query as sent, without the question mark.
    pub fn query(&self) -> Option<&str> {
        head::split_target(self.head.target).1
    }

    /// The value of the first field of this name, in whatever case; `None` if there is none.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let fields = self.head.fields.iter();
        fields.into_iter().find(|f| f.name.eq_ignore_ascii_case(name)).map(|f| f.value)
    }

    /// The other end of the connection; `0.0.0.0:0` over a Unix socket, which has no address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }
}

impl fmt::Debug for Peek<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peek")
            .field("method", &self.head.method)
            .field("target", &self.head.target)
            .field("peer", &self.peer)
            .finish()
    }
}
