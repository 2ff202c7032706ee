//! Validators, ranges and caching of thumbnails, originals and pages.

mod server;

use server::Server;
use server::pictures::some_photos;

fn start() -> (tempfile::TempDir, tempfile::TempDir, Server) {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    let server = Server::start(photos.path(), data.path());
    (photos, data, server)
}

/// A thumbnail's URL as the gallery writes it, with its version.
fn versioned_url(server: &Server) -> String {
    let page = server.get("/");
    let at = page.text().find("/thumb/").expect("the gallery shows thumbnails");
    let rest = &page.text()[at..];
    rest[..rest.find(['"', ' ', '&']).expect("the URL ends")].to_owned()
}

#[test]
fn a_versioned_thumbnail_is_kept_for_ever_and_others_are_asked_for() {
    let (_photos, _data, server) = start();
    let url = versioned_url(&server);
    let (bare, version) = url.split_once("?v=").expect("the gallery names the version");
    for _ in 0..3 {
        assert!(server.get(&url).header("cache-control").contains("immutable"));
        assert!(server.get(bare).header("cache-control").contains("no-cache"));
        for other in ["?v=0123456789", &format!("?v={version}&more"), "?"] {
            let answer = server.get(&format!("{bare}{other}"));
            assert_eq!(answer.status, 200);
            assert!(answer.header("cache-control").contains("no-cache"), "{other}");
        }
    }
}

/// There is no end to the spellings of a path: none but ours may take room in memory.
#[test]
fn other_spellings_are_answered_but_not_kept() {
    let (_photos, _data, server) = start();
    let kept = || {
        let metrics = server.get("/metrics").text().to_owned();
        let line = metrics.lines().find(|line| line.starts_with("larder_serve_hot_entries "));
        line.expect("the metric is there").to_owned()
    };
    let id = server.ids()[0];
    let before = kept();
    for path in [format!("/thumb/%3320/{id}.jpg"), format!("/thumb/320/{id}.j%70g")] {
        assert_eq!(server.get(&path).status, 200, "{path}");
    }
    assert_eq!(kept(), before);
    assert_eq!(server.get("/?page=01").status, 404);
    assert_eq!(server.get("/?page=+1").status, 404);
    assert_eq!(server.get("/?page=1").status, 200);
}

#[test]
fn validators_hold_cold_and_hot() {
    let (_photos, _data, server) = start();
    let id = server.ids()[0];
    for url in [versioned_url(&server), format!("/original/{id}"), "/".to_owned()] {
        for _ in 0..3 {
            let whole = server.get(&url);
            let etag = whole.header("etag").to_owned();
            assert!(!etag.is_empty(), "{url}");
            let again = server.ask("GET", &url, &[("if-none-match", &etag)]);
            assert_eq!((again.status, again.body.len()), (304, 0), "{url}");
            assert_eq!(again.header("etag"), etag);
            let other = server.ask("GET", &url, &[("if-none-match", "\"other\"")]);
            assert_eq!(other.status, 200);
            let head = server.ask("HEAD", &url, &[]);
            assert_eq!((head.status, head.body.len()), (200, 0));
            for name in ["content-length", "content-type", "etag", "cache-control"] {
                assert_eq!(head.header(name), whole.header(name), "{name} of {url}");
            }
        }
    }
}

#[test]
fn ranges_of_an_original() {
    let (_photos, _data, server) = start();
    let url = format!("/original/{}", server.ids()[0]);
    let whole = server.get(&url);
    let (len, etag) = (whole.body.len(), whole.header("etag").to_owned());
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let ask = |range: &str, more: &[(&str, &str)]| {
        let mut headers = vec![("range", range)];
        headers.extend_from_slice(more);
        server.ask("GET", &url, &headers)
    };
    let part = ask("bytes=100-199", &[]);
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[100..200]));
    assert_eq!(part.header("content-range"), format!("bytes 100-199/{len}"));
    let tail = ask("bytes=-50", &[]);
    assert_eq!((tail.status, &tail.body[..]), (206, &whole.body[len - 50..]));
    let rest = ask("bytes=10-", &[("if-range", &etag)]);
    assert_eq!((rest.status, &rest.body[..]), (206, &whole.body[10..]));
    assert_eq!(ask("bytes=10-", &[("if-range", "\"older\"")]).status, 200);
    let beyond = ask(&format!("bytes={len}-"), &[]);
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{len}"));
}

#[test]
fn pages_and_numbers_are_there() {
    let (_photos, _data, server) = start();
    let id = server.ids()[0];
    assert_eq!(server.get(&format!("/photo/{id}")).status, 200);
    assert!(server.get("/").header("content-security-policy").contains("default-src"));
    assert_eq!(server.get("/?page=2").status, 404);
    assert_eq!(server.get("/nothing").status, 404);
    assert_eq!(server.ask("DELETE", "/", &[]).status, 405);
    assert_eq!(server.get("/status").status, 200);
    let metrics = server.get("/metrics");
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    for name in ["larder_serve_requests_total", "larder_files_bytes", "larder_pool_connections"] {
        assert!(metrics.text().contains(&format!("\n{name} ")), "{name}\n{}", metrics.text());
    }
    let asset =
        server.get("/").text().split('"').find(|url| url.contains("/assets/")).map(str::to_owned);
    assert!(server.get(&asset.unwrap()).header("cache-control").contains("immutable"));
}

#[test]
fn a_signal_ends_it_properly() {
    for signal in ["-INT", "-TERM"] {
        let (_photos, _data, server) = start();
        assert_eq!(server.get("/").status, 200);
        assert_eq!(server.stop(signal), (true, String::new()), "one line and no more");
    }
}
