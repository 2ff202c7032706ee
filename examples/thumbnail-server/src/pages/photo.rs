//! The page of one photograph: what the viewer shows, for those who have no JavaScript, who
//! reload, or who were sent the link.

use super::Photo;
use super::document::{Document, script};
use super::gallery::ratio;
use super::quantity::{bytes, date};
use super::srcset::{src, srcset};
use super::viewer::{LEFT, RIGHT, icon};
use maud::{Markup, html};

/// Draws the page of `photo`, with links to the photographs before and after it.
pub fn photo(photo: &Photo<'_>, prev: Option<i64>, next: Option<i64>) -> String {
    let document = Document {
        title: photo.title,
        class: "photo",
        beside_name: html! { a.count href="/" rel="up" { "All photographs" } },
        head: html! {
            @if let Some(id) = prev { link rel="prev" href=(page_url(id)); }
            @if let Some(id) = next { link rel="next" href=(page_url(id)); }
            (script("gallery.js"))
        },
        main: html! {
            figure {
                @if photo.broken { (unreadable()) } @else { (picture(photo)) }
                figcaption {
                    (neighbour(prev, "prev", "Previous photograph", LEFT))
                    h1 { (photo.title) }
                    (neighbour(next, "next", "Next photograph", RIGHT))
                }
            }
            (facts(photo))
        },
    };
    document.render()
}

fn page_url(id: i64) -> String {
    format!("/photo/{id}")
}

/// The picture, as large as the window and its own pixels allow. `--r` and `--w` let the style
/// sheet give it its place before a byte of it has arrived.
fn picture(photo: &Photo<'_>) -> Markup {
    let aspect = photo.aspect();
    let shape = format!("--r:{};--w:{}", ratio(aspect), photo.width.max(1));
    let offered = srcset(photo);
    let sizes = format!(
        "min(100vw, {}px, {}vh)",
        photo.width,
        // The style sheet leaves the picture about four fifths of the height.
        (82.0 * aspect).ceil()
    );
    html! {
        a.picture href={ "/original/" (photo.id) } style=(shape) aria-label="Open the original" {
            img src=(src(photo, 1280))
                srcset=[offered.as_ref()] sizes=[offered.as_ref().map(|_| sizes)]
                width=(photo.width) height=(photo.height) alt=(photo.title) fetchpriority="high";
        }
    }
}

fn unreadable() -> Markup {
    html! { p.unreadable { "This picture could not be read." } }
}

/// A link to a neighbour; an empty place where there is none, so that the other stays put.
fn neighbour(id: Option<i64>, rel: &str, label: &str, path: &str) -> Markup {
    html! {
        @match id {
            Some(id) => { a.step rel=(rel) href=(page_url(id)) aria-label=(label) { (icon(path)) } }
            None => { span.step {} }
        }
    }
}

fn facts(photo: &Photo<'_>) -> Markup {
    html! {
        dl.facts {
            @if let Some(taken_at) = photo.taken_at {
                div { dt { "Taken" } dd { time datetime=(taken_at) { (date(taken_at)) } } }
            }
            @if let Some(camera) = photo.camera { div { dt { "Camera" } dd { (camera) } } }
            @if photo.width > 0 && photo.height > 0 {
                div { dt { "Size" } dd { (photo.width) " × " (photo.height) } }
            }
            div {
                dt { "Original" }
                dd { a href={ "/original/" (photo.id) } { (bytes(photo.bytes)) } }
            }
        }
    }
}
