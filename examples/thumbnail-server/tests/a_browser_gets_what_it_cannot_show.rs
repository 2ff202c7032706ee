//! The encoding of a thumbnail is what the request's `Accept` prefers of what this build serves,
//! and no cache on the way, ours included, gives it to one who prefers another.

mod server;

use std::collections::HashSet;

use server::pictures::some_photos;
use server::{Answer, Server, run};

/// What Chromium, and what a program without a preference, says that it takes.
const BROWSER: &str = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";
const WEBP: &str = "image/webp,*/*;q=0.5";
const ANY: &str = "*/*";

fn offered() -> Vec<&'static str> {
    let newer = [("image/avif", cfg!(feature = "avif")), ("image/webp", cfg!(feature = "webp"))];
    let newer = newer.into_iter().filter(|(_, built)| *built).map(|(media_type, _)| media_type);
    newer.chain(["image/jpeg"]).collect()
}

/// What each of the three is to get of that.
fn expected() -> [(&'static str, &'static str); 3] {
    let webp = if cfg!(feature = "webp") { "image/webp" } else { "image/jpeg" };
    [(BROWSER, offered()[0]), (WEBP, webp), (ANY, "image/jpeg")]
}

fn start() -> (tempfile::TempDir, tempfile::TempDir, Server) {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    let server = Server::start(photos.path(), data.path());
    (photos, data, server)
}

fn is_of(media_type: &str, body: &[u8]) -> bool {
    match media_type {
        "image/avif" => &body[4..12] == b"ftypavif",
        "image/webp" => &body[..4] == b"RIFF" && &body[8..12] == b"WEBP",
        _ => body[..3] == [0xff, 0xd8, 0xff],
    }
}

fn vary() -> &'static str {
    if offered().len() > 1 { "Accept" } else { "" }
}

#[track_caller]
fn check(answer: &Answer, media_type: &str) {
    assert_eq!((answer.status, answer.header("content-type")), (200, media_type));
    assert!(is_of(media_type, &answer.body), "its bytes are no {media_type}");
}

fn kept_in_memory(server: &Server) -> String {
    let metrics = server.get("/metrics");
    let line = metrics.text().lines().find(|line| line.starts_with("larder_serve_hot_entries "));
    line.expect("the metric is there").to_owned()
}

#[test]
fn each_gets_what_he_names_and_validators_are_of_that() {
    let (_photos, _data, server) = start();
    let url = format!("/thumb/320/{}", server.ids()[0]);
    let mut etags: HashSet<String> = HashSet::new();
    for round in 0..3 {
        for (accept, media_type) in expected() {
            let ask = |more: &[(&str, &str)]| {
                let headers = [&[("accept", accept)], more].concat();
                server.ask("GET", &url, &headers)
            };
            let answer = ask(&[]);
            check(&answer, media_type);
            assert_eq!(answer.header("vary"), vary(), "{accept}, round {round}");
            let etag = answer.header("etag").to_owned();
            let same = ask(&[("if-none-match", &etag)]);
            assert_eq!((same.status, same.header("vary")), (304, vary()), "{accept}");
            for other in etags.iter().filter(|other| **other != etag) {
                assert_eq!(ask(&[("if-none-match", other)]).status, 200, "{accept}");
            }
            let head = server.ask("HEAD", &url, &[("accept", accept)]);
            let length = answer.body.len().to_string();
            assert_eq!((head.header("content-length"), head.header("vary")), (&*length, vary()));
            etags.insert(etag);
        }
    }
    assert_eq!(etags.len(), offered().len());
    assert_eq!(server.get("/thumb/320/999").header("vary"), vary(), "a refusal was chosen, too");
    let several = [("accept", "text/html"), ("accept", WEBP)];
    check(&server.ask("GET", &url, &several), expected()[1].1);
}

#[test]
fn what_was_chosen_is_not_kept_by_its_url_and_what_is_named_is() {
    let (_photos, _data, server) = start();
    let id = server.ids()[0];
    let before = kept_in_memory(&server);
    if offered().len() > 1 {
        for (accept, _) in expected() {
            server.ask("GET", &format!("/thumb/320/{id}"), &[("accept", accept)]);
        }
        assert_eq!(kept_in_memory(&server), before);
    }
    for (ending, media_type) in [("jpg", "image/jpeg"), ("webp", "image/webp")] {
        let url = format!("/thumb/160/{id}.{ending}");
        for accept in [ANY, BROWSER, "text/html"] {
            let answer = server.ask("GET", &url, &[("accept", accept)]);
            if offered().contains(&media_type) {
                check(&answer, media_type);
                assert_eq!(answer.header("vary"), "");
            } else {
                assert_eq!(answer.status, 404);
            }
        }
    }
    assert_ne!(kept_in_memory(&server), before);
    for ending in ["jpeg", "png", "jpg.webp", ""] {
        assert_eq!(server.get(&format!("/thumb/160/{id}.{ending}")).status, 404, "{ending:?}");
    }
}

/// Those who come while it is being made are parked: they, too, get their own.
#[test]
fn a_crowd_at_a_new_thumbnail_is_not_mixed_up() {
    let (_photos, _data, server) = start();
    let ids = server.ids();
    std::thread::scope(|scope| {
        for n in 0..24 {
            let (server, url) = (&server, format!("/thumb/640/{}", ids[n / 3 % ids.len()]));
            let (accept, media_type) = expected()[n % 3];
            scope.spawn(move || {
                let answer = server.ask("GET", &url, &[("accept", accept)]);
                check(&answer, media_type);
                assert_eq!(answer.header("vary"), vary());
            });
        }
    });
}

#[test]
fn the_gallery_leaves_the_choice_to_the_browser_and_warm_makes_them_all() {
    let (photos, data) = (some_photos(), tempfile::tempdir().unwrap());
    let [photos_arg, data_arg] = [photos.path(), data.path()].map(|path| path.to_str().unwrap());
    let warm = ["warm", "--photos", photos_arg, "--data", data_arg, "--sizes", "160,320"];
    let (ok, out, err) = run(&warm);
    let pictures: usize = out.split(' ').next().unwrap().parse().unwrap();
    let made = format!(" {} thumbnails made", pictures * 2 * offered().len());
    assert!(ok && out.contains(&made), "{out}{err}");

    let server = Server::start(photos.path(), data.path());
    let page = server.get("/");
    let urls = page.text().split(['"', ' ']).filter(|part| part.starts_with("/thumb/320/"));
    let urls: Vec<&str> = urls.collect();
    assert!(!urls.is_empty());
    for url in urls {
        assert_eq!(url.contains(".jpg"), offered().len() == 1, "{url}");
        let answer = server.ask("GET", url, &[("accept", BROWSER)]);
        check(&answer, offered()[0]);
        assert!(answer.header("cache-control").contains("immutable"));
    }
    let metrics = server.get("/metrics");
    let made = metrics.text().lines().find(|line| line.starts_with("larder_files_made_total "));
    assert_eq!(made, Some("larder_files_made_total 0"), "all was warm");
}
