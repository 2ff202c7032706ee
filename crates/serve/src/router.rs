//! Handlers by method and path pattern.

use std::fmt;

use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};

use crate::request::decode;
use crate::{Handler, Reply, Request};

/// A [`Handler`] that chooses another by method and path.
///
/// Patterns are those of `matchit`: `/photo/{id}` takes one segment, `/{*rest}` all that is left.
/// They are matched against the path as sent; parameters are percent-decoded afterwards, so a
/// `%2F` never makes a segment. A path without a route is answered 404, a method without one 405
/// with `Allow`; `HEAD` goes to the route for `GET`.
///
/// # Examples
///
/// ```
/// use larder_serve::{Reply, Request, Router};
///
/// let router = Router::new()
///     .get("/", |_: Request| Reply::html("<h1>photos</h1>"))
///     .get("/photo/{id}", |request: Request| {
///         Reply::text(format!("photo {}", request.param("id").unwrap_or_default()))
///     });
/// # let _ = router;
/// ```
#[derive(Default)]
pub struct Router {
    /// From a pattern to its place in `routes`.
    paths: matchit::Router<usize>,
    routes: Vec<Route>,
}

struct Route {
    pattern: String,
    body_limit: Option<u64>,
    handlers: Vec<(Method, Box<dyn Handler>)>,
}

impl Router {
    /// Begins with no route: everything is 404.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler for one method and pattern.
    ///
    /// # Panics
    ///
    /// If the pattern is malformed, overlaps with another, or has a handler for the method.
    pub fn route(mut self, method: Method, pattern: &str, handler: impl Handler) -> Self {
        let at = match self.routes.iter().position(|route| route.pattern == pattern) {
            Some(at) => at,
            None => self.add(pattern),
        };
        let handlers = &mut self.routes[at].handlers;
        assert!(
            handlers.iter().all(|(other, _)| *other != method),
            "{method} {pattern} has a handler already",
        );
        handlers.push((method, Box::new(handler)));
        self
    }

    /// Adds a handler for `GET` (and `HEAD`).
    ///
    /// # Panics
    ///
    /// As [`route`](Router::route).
    pub fn get(self, pattern: &str, handler: impl Handler) -> Self {
        self.route(Method::GET, pattern, handler)
    }

    /// Adds a handler for `POST`.
    ///
    /// # Panics
    ///
    /// As [`route`](Router::route).
    pub fn post(self, pattern: &str, handler: impl Handler) -> Self {
        self.route(Method::POST, pattern, handler)
    }

    /// Sets how many bytes of body a request to this pattern may bring, by whatever method; a
    /// longer one is answered 413 before it is read. Default: that of the server,
    /// [`max_body_bytes`](crate::Builder::max_body_bytes). No bound, as what is long goes to a
    /// file.
    ///
    /// # Panics
    ///
    /// If no route has this pattern.
    ///
    /// # Examples
    ///
    /// ```
    /// use larder_serve::{Reply, Request, Router};
    ///
    /// let router = Router::new()
    ///     .post("/comment", |_: Request| Reply::text("said"))
    ///     .body_limit("/comment", 4096)
    ///     .post("/film", |request: Request| Reply::text(request.body().len().to_string()))
    ///     .body_limit("/film", 8 << 30);
    /// # let _ = router;
    /// ```
    pub fn body_limit(mut self, pattern: &str, bytes: u64) -> Self {
        let route = self.routes.iter_mut().find(|route| route.pattern == pattern);
        let Some(route) = route else { panic!("no route has the pattern {pattern:?}") };
        route.body_limit = Some(bytes);
        self
    }

    fn add(&mut self, pattern: &str) -> usize {
        let at = self.routes.len();
        if let Err(error) = self.paths.insert(pattern, at) {
            panic!("cannot route {pattern:?}: {error}");
        }
        self.routes.push(Route {
            pattern: pattern.to_owned(),
            body_limit: None,
            handlers: Vec::new(),
        });
        at
    }
}

impl Handler for Router {
    fn handle(&self, mut request: Request) -> Reply {
        let Ok(found) = self.paths.at(request.path()) else {
            return Reply::status(StatusCode::NOT_FOUND);
        };
        let route = &self.routes[*found.value];
        let Some(handler) = route.handler(request.method()) else {
            return Reply::status(StatusCode::METHOD_NOT_ALLOWED).header(ALLOW, route.allow());
        };
        let decoded = |(key, value): (&str, &str)| Some((key.into(), decode(value)?.into()));
        let Some(params) = found.params.iter().map(decoded).collect() else {
            return Reply::status(StatusCode::BAD_REQUEST);
        };
        request.set_params(params);
        handler.handle(request)
    }

    fn body_limit(&self, method: &Method, path: &str) -> Option<u64> {
        let route = &self.routes[*self.paths.at(path).ok()?.value];
        // A handler may be a router in its turn, or know better.
        let own = || route.handler(method)?.body_limit(method, path);
        route.body_limit.or_else(own)
    }
}

impl Route {
    fn handler(&self, method: &Method) -> Option<&dyn Handler> {
        let find = |wanted: &Method| {
            self.handlers.iter().find(|(method, _)| method == wanted).map(|(_, h)| h.as_ref())
        };
        find(method).or_else(|| if *method == Method::HEAD { find(&Method::GET) } else { None })
    }

    fn allow(&self) -> HeaderValue {
        let mut names: Vec<&str> =
            self.handlers.iter().map(|(method, _)| method.as_str()).collect();
        if names.contains(&"GET") && !names.contains(&"HEAD") {
            names.push("HEAD");
        }
        // Methods are tokens, so the list is a header value.
        HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("GET"))
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns = self.routes.iter().map(|route| &route.pattern);
        f.debug_list().entries(patterns).finish()
    }
}
