//! What the pages must never get wrong, checked on the strings they draw.

use super::srcset::{Candidate, candidates, srcset};
use super::*;
use crate::format::SUFFIX;

const HOSTILE: &str = r#"<script>alert(1)</script>" onload="alert(2)' & <b>"#;

fn sample(width: u32, height: u32) -> Photo<'static> {
    Photo {
        id: 7,
        version: "ab12",
        title: "harbour",
        width,
        height,
        taken_at: Some("2012-07-14T11:05:33"),
        camera: Some("Nikon D40"),
        bytes: 2_410_000,
        broken: false,
    }
}

fn hostile() -> Photo<'static> {
    Photo { title: HOSTILE, camera: Some(HOSTILE), taken_at: Some(HOSTILE), ..sample(30, 20) }
}

fn sections(text: &str) -> Vec<Section> {
    vec![Section::new(text).row(text, text, text).bar(text, text, 0.5).meter(1, 2, text)]
}

/// Every page there is, with `text` wherever a caller's text can go.
fn every_page(photo: &Photo<'_>, text: &str) -> Vec<String> {
    vec![
        gallery(&[*photo, Photo { broken: true, ..*photo }], 500, 2, 3),
        super::photo(photo, Some(6), Some(8)),
        super::photo(&Photo { broken: true, ..*photo }, None, None),
        not_found(text),
        error(http::StatusCode::INTERNAL_SERVER_ERROR, text),
        status(&StatusView { uptime_s: 5, sections: sections(text) }),
        empty(),
        placeholder_svg(text),
    ]
}

fn widths(width: u32, height: u32) -> Vec<(u32, u32)> {
    let listed = candidates(&sample(width, height));
    listed.into_iter().map(|Candidate { size, width }| (size, width)).collect()
}

/// The names of all attributes, by a small scanner that knows quoted values.
fn attribute_names(html: &str) -> Vec<String> {
    let mut names = Vec::new();
    for tag in html.split('<').skip(1) {
        let mut quoted = false;
        let inside: String = tag
            .chars()
            .take_while(|&c| {
                quoted ^= c == '"';
                quoted || c != '>'
            })
            .collect();
        // Outside quotes are the even pieces; each ends in the name of the value that follows.
        for piece in inside.split('"').step_by(2) {
            names.extend(piece.split_whitespace().map(|word| word.replace('=', "")));
        }
    }
    names
}

#[test]
fn text_of_callers_is_escaped_on_every_page() {
    for page in every_page(&hostile(), HOSTILE) {
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(!page.contains(r#"" onload="#), "{page}");
        assert!(!page.contains("<b>"), "{page}");
    }
    let drawn = super::photo(&hostile(), None, None);
    assert!(drawn.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&quot;"));
}

#[test]
fn no_page_has_inline_scripts_or_event_handlers() {
    for page in every_page(&sample(4000, 3000), "all is well") {
        for name in attribute_names(&page) {
            assert!(!name.to_ascii_lowercase().starts_with("on"), "{name} in {page}");
        }
        for script in page.split("<script").skip(1) {
            assert!(script.starts_with(" type=\"module\" src=\"/assets/"), "{script}");
            assert!(script.split_once('>').unwrap().1.starts_with("</script>"), "{script}");
        }
        assert!(!page.contains("<style"), "{page}");
        assert!(!page.contains("javascript:"), "{page}");
    }
}

#[test]
fn no_page_asks_another_host() {
    for page in every_page(&sample(4000, 3000), "all is well") {
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains("//"), "{page}");
    }
    for asset in assets() {
        let text = std::str::from_utf8(asset.bytes).unwrap().replace("http://www.w3.org/", "");
        assert!(!text.contains("http:") && !text.contains("https:"), "{}", asset.name);
        assert!(!text.contains("@import") && !text.contains("url("), "{}", asset.name);
    }
}

#[test]
fn widths_of_a_landscape_are_the_sizes() {
    assert_eq!(widths(4000, 3000), [(160, 160), (320, 320), (640, 640), (1280, 1280)]);
}

#[test]
fn widths_of_a_portrait_are_narrower_than_the_sizes() {
    assert_eq!(widths(3000, 4000), [(160, 120), (320, 240), (640, 480), (1280, 960)]);
}

#[test]
fn nothing_is_offered_beyond_the_original() {
    assert_eq!(widths(500, 333), [(160, 160), (320, 320), (640, 500)]);
    assert_eq!(widths(250, 500), [(160, 80), (320, 160), (640, 250)]);
    assert_eq!(widths(640, 480), [(160, 160), (320, 320), (640, 640)]);
    assert_eq!(widths(64, 48), [(160, 64)]);
    assert_eq!(widths(161, 1), [(160, 160), (320, 161)]);
}

#[test]
fn a_sliver_is_at_least_one_pixel_wide() {
    assert_eq!(widths(1, 9000), [(160, 1), (320, 1), (640, 1), (1280, 1)]);
}

#[test]
fn srcset_names_the_size_and_describes_the_width() {
    assert_eq!(
        srcset(&sample(250, 500)).unwrap(),
        "/thumb/160/7.jpg?v=ab12 80w, /thumb/320/7.jpg?v=ab12 160w, /thumb/640/7.jpg?v=ab12 250w"
            .replace(".jpg", SUFFIX)
    );
    assert_eq!(srcset(&sample(100, 50)), None, "one thumbnail is no choice");
}

#[test]
fn every_picture_has_its_place_before_it_arrives() {
    let page = gallery(&[sample(4000, 3000)], 1, 1, 1);
    assert!(page.contains(r#"style="--r:1.3333""#), "{page}");
    assert!(page.contains(r#"width="4000" height="3000""#), "{page}");
    assert!(page.contains(r#"loading="lazy" decoding="async""#), "{page}");
}

#[test]
fn extreme_and_unmeasured_pictures_keep_a_sane_tile() {
    for (width, height, ratio) in [(1, 9000, "0.5"), (9000, 1, "2.4"), (0, 0, "1.5")] {
        let page = gallery(&[sample(width, height)], 1, 1, 1);
        assert!(page.contains(&format!(r#"style="--r:{ratio}""#)), "{page}");
    }
}

#[test]
fn a_broken_picture_asks_for_no_thumbnail() {
    let broken = Photo { broken: true, ..sample(0, 0) };
    for page in [gallery(&[broken], 1, 1, 1), super::photo(&broken, None, None)] {
        assert!(!page.contains("/thumb/"), "{page}");
        assert!(page.contains("could not be read"), "{page}");
    }
}

#[test]
fn paging_leads_to_the_neighbours_and_no_further() {
    let page = |at| gallery(&[sample(3, 2)], 900, at, 5);
    assert!(page(1).contains(r#"<a rel="next" href="/?page=2">"#));
    assert!(!page(1).contains(r#"rel="prev""#));
    assert!(page(2).contains(r#"<a rel="prev" href="/">"#), "the first page has one address");
    assert!(page(3).contains(r#"<a rel="prev" href="/?page=2">"#));
    assert!(page(3).contains(r#"<a rel="next" href="/?page=4">"#));
    assert!(page(3).contains(r#"aria-label="Page 3" aria-current="page""#));
    assert!(!page(5).contains(r#"rel="next""#));
    assert!(!gallery(&[sample(3, 2)], 1, 1, 1).contains("paging"));
}

#[test]
fn neighbours_of_a_photograph_are_linked_where_they_are() {
    let both = super::photo(&sample(3, 2), Some(6), Some(9));
    assert!(both.contains(r#"<a class="step" rel="prev" href="/photo/6""#), "{both}");
    assert!(both.contains(r#"<a class="step" rel="next" href="/photo/9""#), "{both}");
    let neither = super::photo(&sample(3, 2), None, None);
    assert!(!neither.contains(r#"rel="prev""#) && !neither.contains(r#"rel="next""#));
}

#[test]
fn a_photograph_tells_what_is_known_of_it() {
    let page = super::photo(&sample(4000, 3000), None, None);
    for fact in ["14 July 2012, 11:05", "Nikon D40", "4000 × 3000", "2.41 MB", "/original/7"] {
        assert!(page.contains(fact), "{fact} in {page}");
    }
    let unknown = Photo { taken_at: None, camera: None, ..sample(3, 2) };
    let page = super::photo(&unknown, None, None);
    assert!(!page.contains("Taken") && !page.contains("Camera"), "{page}");
}

#[test]
fn assets_are_addressed_by_their_content() {
    let css = asset_url("gallery.css");
    let (_, version) = css.split_once("/assets/gallery.css?v=").unwrap();
    assert_eq!(version.len(), 16);
    assert!(version.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(empty().contains(css));
    let mut versions: Vec<&str> = assets().iter().map(|asset| asset.version.as_str()).collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), assets().len());
}

#[test]
fn a_placeholder_stays_well_formed_whatever_the_reason() {
    let drawn = placeholder_svg("torn\u{0}\u{1b}[31m & <gone>");
    assert!(drawn.contains("torn[31m &amp; &lt;gone&gt;"), "{drawn}");
    assert!(placeholder_svg(&"long ".repeat(100)).len() < 2000);
}

#[test]
fn bars_stay_within_their_box() {
    let sections = vec![Section::new("all").bar("more than all", 3, 7.0).bar("none", 0, f64::NAN)];
    let page = status(&StatusView { uptime_s: 0, sections });
    assert!(page.contains(r#"width="100.0%""#), "{page}");
    assert!(page.contains(r#"width="0.0%""#), "{page}");
}

#[test]
fn quantities_read_as_people_write_them() {
    use quantity::{bytes, count, date, duration};
    let counts = [0, 999, 1000, 1_234_567].map(count);
    assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
    let sizes = [0, 999, 1000, 9_994, 9_996, 99_960, 999_600, 2_410_000, u64::MAX].map(bytes);
    let written = [
        "0 B", "999 B", "1.00 kB", "9.99 kB", "10.0 kB", "100 kB", "1.00 MB", "2.41 MB", "18.4 EB",
    ];
    assert_eq!(sizes, written);
    let times = [0, 59, 61, 3661, 93_784].map(duration);
    assert_eq!(times, ["0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 2 h"]);
    assert_eq!(date("2012-07-04T01:05:33"), "4 July 2012, 01:05");
    for odd in ["", "yesterday", "2012-13-01T00:00:00", "2012-00-01T00:00:00", "2012-01-01Té"] {
        assert_eq!(date(odd), odd);
    }
}
