//! Routes by method and pattern.

use larder_serve::http::Method;
use larder_serve::{Reply, Request, Router};

use crate::client::{Client, start};

#[test]
fn routes() {
    let hello = |text: &'static str| move |_: Request| Reply::text(text);
    let router = Router::new()
        .get("/", hello("index"))
        .get("/photo/{id}", |r: Request| Reply::text(r.param("id").unwrap().to_owned()))
        .post("/photo/{id}", hello("posted"))
        .route(Method::DELETE, "/thing", hello("deleted"))
        .get("/files/{*rest}", |r: Request| Reply::text(r.param("rest").unwrap().to_owned()));
    let server = start(router);
    let mut client = Client::connect(server.local_addr());
    let mut ask = |method: &str, target: &str| client.ask(method, target, "");
    assert_eq!(ask("GET", "/").text(), "index");
    assert_eq!(ask("GET", "/?q=1").text(), "index");
    assert_eq!(ask("GET", "/photo/7?size=3").text(), "7");
    assert_eq!(ask("GET", "/photo/a%20b%2Fc").text(), "a b/c");
    assert_eq!(ask("GET", "/files/a/b%C3%A9").text(), "a/b\u{e9}");
    assert_eq!(ask("GET", "http://x/photo/7").text(), "7");
    assert_eq!(ask("POST", "/photo/7").text(), "posted");
    assert_eq!(ask("HEAD", "/photo/77").header("content-length"), Some("2"));
    assert_eq!(ask("DELETE", "/thing").text(), "deleted");
    assert_eq!(ask("GET", "/photo/%FF").status, 400);
    assert_eq!(ask("GET", "/photo/%00").status, 400);
    for target in ["/photo", "/photo/7/8", "/nothing", "/photo/"] {
        assert_eq!(ask("GET", target).status, 404, "{target}");
    }
    let refused = ask("PUT", "/photo/7");
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, POST, HEAD")));
    assert_eq!(ask("GET", "/thing").header("allow"), Some("DELETE"));
    assert_eq!(ask("HEAD", "/thing").status, 405);
}

#[test]
#[should_panic(expected = "has a handler already")]
fn double_route_is_a_mistake() {
    let handler = |_: Request| Reply::text("");
    let _ = Router::new().get("/a", handler).get("/a", handler);
}
