//! What to show when there is nothing to show.

use super::document::Document;
use http::StatusCode;
use maud::{Markup, html};

/// Draws the page for what is not there; `what` is named as the visitor asked for it, such as
/// `photo 12` or `/albums`.
pub fn not_found(what: &str) -> String {
    notice("Not found", html! { p { "Nothing was found for " strong { (what) } "." } })
}

/// Draws the page for an answer that failed; `message` says why in a sentence.
pub fn error(status: StatusCode, message: &str) -> String {
    let heading = status.canonical_reason().unwrap_or("Something went wrong");
    let explained = html! {
        p { (message) }
        p.quiet { "Status " (status.as_u16()) }
    };
    notice(heading, explained)
}

fn notice(heading: &str, explained: Markup) -> String {
    let document = Document {
        title: heading,
        class: "notice",
        beside_name: html! {},
        head: html! {},
        main: html! {
            h1 { (heading) }
            (explained)
            p { a href="/" { "All photographs" } }
        },
    };
    document.render()
}

/// Draws the picture that stands in for one that cannot be shown, as an SVG document.
///
/// Its greys are translucent, so it sits on a light page as well as on a dark one.
pub fn placeholder_svg(reason: &str) -> String {
    // XML has no way to write most control characters, escaped or not.
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(48).collect();
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 320" width="480" height="320"
            preserveAspectRatio="xMidYMid slice" role="img" aria-label=(reason)
        {
            rect width="480" height="320" fill="#808080" fill-opacity=".16" {}
            g fill="none" stroke="#808080" stroke-width="3" stroke-linejoin="round"
                stroke-linecap="round"
            {
                path d="M204 116h72v60h-72zM204 164l20-20 18 18 12-12 22 22" {}
                path d="M196 188 284 104" {}
            }
            text x="240" y="222" text-anchor="middle" font-family="system-ui, sans-serif"
                font-size="15" fill="#808080" { (reason) }
        }
    };
    svg.into_string()
}
