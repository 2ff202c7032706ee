//! The one thing a server is given: something that answers requests.

use std::sync::Arc;

use http::Method;

use crate::{Reply, Request};

/// Answers requests, on a worker thread, in plain blocking Rust.
///
/// Any `Fn(Request) -> Reply` is one; so is a [`Router`](crate::Router). A handler that panics is
/// answered 500, and the worker goes on.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle(&self, request: Request) -> Reply;

    /// The most bytes of body that a request with this method and path (as sent, without the
    /// query) may bring; `None` leaves it at [`max_body_bytes`](crate::Builder::max_body_bytes).
    ///
    /// Asked by an I/O thread before the body is read, also before a client is told to send it:
    /// it must not block. A request without a body is not asked about.
    fn body_limit(&self, method: &Method, path: &str) -> Option<u64> {
        let _ = (method, path);
        None
    }
}

impl<F: Fn(Request) -> Reply + Send + Sync + 'static> Handler for F {
    fn handle(&self, request: Request) -> Reply {
        self(request)
    }
}

impl Handler for Arc<dyn Handler> {
    fn handle(&self, request: Request) -> Reply {
        (**self).handle(request)
    }

    fn body_limit(&self, method: &Method, path: &str) -> Option<u64> {
        (**self).body_limit(method, path)
    }
}
