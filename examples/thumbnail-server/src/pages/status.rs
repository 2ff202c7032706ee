//! The state of the server, for people.

use super::document::{Document, script};
use super::quantity::duration;
use maud::{Markup, html};

/// What the status page shows.
#[derive(Clone, Debug, Default)]
pub struct StatusView {
    /// Seconds since the server began to listen.
    pub uptime_s: u64,
    /// One block each, in this order.
    pub sections: Vec<Section>,
}

/// A block of numbers about one part of the server.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// What it is about, such as `Thumbnails`.
    pub title: String,
    /// How full it is, where it has a bound.
    pub meter: Option<Meter>,
    /// Its numbers.
    pub rows: Vec<Row>,
}

/// How much of a bound is used.
#[derive(Clone, Debug)]
pub struct Meter {
    /// What is used, in any unit.
    pub used: u64,
    /// The bound, in the same unit.
    pub of: u64,
    /// Both for people, such as `1.2 GB of 4 GB`.
    pub label: String,
}

/// One labelled number.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is counted.
    pub label: String,
    /// The number, written for people.
    pub value: String,
    /// A word of explanation; may be empty.
    pub note: String,
    /// Draws a small bar of this length, 0 to 1, to compare the rows of a section.
    pub share: Option<f64>,
}

impl Section {
    /// Starts a section without numbers.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Adds a number.
    pub fn row(
        mut self,
        label: impl Into<String>,
        value: impl ToString,
        note: impl Into<String>,
    ) -> Self {
        let (label, value, note) = (label.into(), value.to_string(), note.into());
        self.rows.push(Row { label, value, note, share: None });
        self
    }

    /// Adds a number with a bar; `share` is its length, 0 to 1.
    pub fn bar(mut self, label: impl Into<String>, value: impl ToString, share: f64) -> Self {
        let (label, value) = (label.into(), value.to_string());
        self.rows.push(Row { label, value, note: String::new(), share: Some(share) });
        self
    }

    /// Says how full it is.
    pub fn meter(mut self, used: u64, of: u64, label: impl Into<String>) -> Self {
        self.meter = Some(Meter { used, of, label: label.into() });
        self
    }
}

/// Draws the status page. It renews itself every few seconds, without JavaScript too.
pub fn status(view: &StatusView) -> String {
    let document = Document {
        title: "Status",
        class: "status",
        beside_name: html! { span.count { "up for " (duration(view.uptime_s)) } },
        head: html! {
            noscript { meta http-equiv="refresh" content="5"; }
            (script("status.js"))
        },
        main: html! {
            h1.unseen { "Status" }
            div.sections {
                @for section in &view.sections { (draw_section(section)) }
            }
        },
    };
    document.render()
}

fn draw_section(section: &Section) -> Markup {
    html! {
        section {
            h2 { (section.title) }
            @if let Some(meter) = &section.meter {
                p.fill { (meter.label) }
                (draw_bar(meter.used as f64 / meter.of as f64))
            }
            @if !section.rows.is_empty() {
                table { tbody { @for row in &section.rows { (draw_row(row)) } } }
            }
        }
    }
}

fn draw_row(row: &Row) -> Markup {
    html! {
        tr {
            th scope="row" {
                (row.label)
                @if !row.note.is_empty() { small { (row.note) } }
            }
            td {
                (row.value)
                @if let Some(share) = row.share {
                    (draw_bar(share))
                }
            }
        }
    }
}

/// A bar filled to `share`; a share of nothing, 0/0, is none. The number beside it says the same
/// to those who do not see it.
fn draw_bar(share: f64) -> Markup {
    let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
    html! {
        svg.meter aria-hidden="true" {
            rect width={ (format!("{:.1}", share * 100.0)) "%" } height="100%" {}
        }
    }
}
