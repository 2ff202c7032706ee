//! The one thing a server is given: something that answers requests.

use std::sync::Arc;

use crate::{Reply, Request};

/// Answers requests, on a worker thread, in plain blocking Rust.
///
/// Any `Fn(Request) -> Reply` is one; so is a [`Router`](crate::Router). A handler that panics is
/// answered 500, and the worker goes on.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle(&self, request: Request) -> Reply;
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
}
