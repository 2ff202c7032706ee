//! The justified grid, its paging, and what to say when there is nothing to show.
//!
//! The grid is CSS alone: a tile's flex basis and flex growth are both proportional to its
//! aspect ratio, so all tiles of a row end up equally high. The only thing each tile has to
//! bring is that ratio, `--r`.

use super::document::{Document, script};
use super::quantity::{bytes, count, date};
use super::srcset::{src, srcset};
use super::{Photo, viewer};
use maud::{Markup, html};

/// Tiles are no slimmer and no wider than this, however extreme the picture: its middle shows.
const TILE_ASPECTS: (f64, f64) = (0.5, 2.4);

/// Draws one page of the gallery, `page` of `pages` (both from one), of `total` photographs.
///
/// Further pages are at `/?page={n}`.
pub fn gallery(photos: &[Photo<'_>], total: usize, page: usize, pages: usize) -> String {
    let title = if pages > 1 { format!("Page {page}") } else { String::new() };
    let document = Document {
        title: &title,
        class: "gallery",
        beside_name: html! { span.count { (photographs(total)) } },
        head: html! {
            @if page > 1 { link rel="prev" href=(page_url(page - 1)); }
            @if page < pages { link rel="next" href=(page_url(page + 1)); }
            (script("gallery.js"))
        },
        main: html! {
            h1.unseen { "Photographs" }
            ul.grid {
                @for photo in photos { (tile(photo)) }
            }
            @if pages > 1 { (paging(page, pages)) }
            (viewer::dialog())
        },
    };
    document.render()
}

/// Draws the gallery of a library without a single picture: what to do.
pub fn empty() -> String {
    let document = Document {
        title: "",
        class: "notice",
        beside_name: html! { span.count { "no photographs yet" } },
        head: html! {},
        main: html! {
            h1 { "The larder is empty" }
            p { "No picture was found in the folder this server was started with." }
            p { "Put photographs there and start it again, or show it another folder:" }
            pre { code { "thumbnail-server --photos ~/Pictures" } }
            p.quiet { "The folder is only ever read; nothing is written into it." }
        },
    };
    document.render()
}

fn photographs(total: usize) -> String {
    match total {
        1 => "1 photograph".to_owned(),
        n => format!("{} photographs", count(n as u64)),
    }
}

fn tile(photo: &Photo<'_>) -> Markup {
    let (slimmest, widest) = TILE_ASPECTS;
    let aspect = photo.aspect().clamp(slimmest, widest);
    html! {
        li.tile.broken[photo.broken] id={ "p" (photo.id) } style={ "--r:" (ratio(aspect)) } {
            @if photo.broken {
                a href={ "/photo/" (photo.id) } {
                    span.name { (photo.title) }
                    span { "could not be read" }
                }
            } @else {
                (picture(photo, aspect))
            }
        }
    }
}

/// The link and the image in it. The `data-` attributes are what the viewer shows as details.
fn picture(photo: &Photo<'_>, tile_aspect: f64) -> Markup {
    let offered = srcset(photo);
    html! {
        a href={ "/photo/" (photo.id) }
            data-title=(photo.title)
            data-taken=[photo.taken_at.map(date)]
            data-camera=[photo.camera]
            data-bytes=(bytes(photo.bytes))
            data-large=(src(photo, 1280))
        {
            img.small[offered.is_none()] src=(src(photo, 320))
                srcset=[offered.as_ref()]
                sizes=[offered.as_ref().map(|_| sizes(photo.aspect().max(tile_aspect)))]
                width=(photo.width) height=(photo.height) alt=(photo.title)
                loading="lazy" decoding="async";
        }
    }
}

/// How wide the picture will be shown. `auto` takes the laid-out width where the browser knows
/// it; the rest is `--row` of the style sheet at each of its breakpoints, times the ratio, plus
/// the eighth by which rows stretch on average.
fn sizes(aspect: f64) -> String {
    let px = |row: f64| (row * aspect * 1.12).ceil();
    let vw = (34.0 * aspect).min(100.0).ceil();
    format!(
        "auto, (min-width: 2400px) {}px, (min-width: 1100px) {}px, (min-width: 600px) {}px, {vw}vw",
        px(320.0),
        px(215.0),
        px(190.0),
    )
}

/// A ratio with as many digits as a screen can tell apart.
pub fn ratio(aspect: f64) -> String {
    let text = format!("{aspect:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn page_url(page: usize) -> String {
    if page <= 1 { "/".to_owned() } else { format!("/?page={page}") }
}

fn paging(page: usize, pages: usize) -> Markup {
    html! {
        nav.paging aria-label="Pages" {
            @if page > 1 { a rel="prev" href=(page_url(page - 1)) { "Previous" } }
            ol {
                @for (at, jump) in landmarks(page, pages) {
                    @if jump { li.jump aria-hidden="true" { "…" } }
                    li {
                        a href=(page_url(at)) aria-label={ "Page " (at) }
                            aria-current=[(at == page).then_some("page")] { (at) }
                    }
                }
            }
            @if page < pages { a rel="next" href=(page_url(page + 1)) { "Next" } }
        }
    }
}

/// The pages worth a link: the ends and the neighbours of this one, each with whether pages were
/// left out before it.
fn landmarks(page: usize, pages: usize) -> Vec<(usize, bool)> {
    let mut shown = vec![1, pages];
    shown.extend(page.saturating_sub(1).max(1)..=(page + 1).min(pages));
    shown.sort_unstable();
    shown.dedup();
    let before = std::iter::once(0).chain(shown.iter().copied());
    let jumps: Vec<bool> = before.zip(&shown).map(|(last, &at)| at > last + 1).collect();
    shown.into_iter().zip(jumps).collect()
}
