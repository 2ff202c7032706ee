//! The dialog that `gallery.js` opens over the grid. Without the script it stays closed, and
//! the links of the grid lead to the pages of the photographs.

use maud::{Markup, html};

/// Draws the closed dialog.
pub fn dialog() -> Markup {
    html! {
        dialog #viewer aria-label="Photo viewer" {
            div.bar {
                p.caption aria-live="polite" { span.position {} " " span.title {} }
                button.details type="button" aria-expanded="false" aria-controls="viewer-details"
                    aria-label="Details" title="Details (i)" { (icon(INFO)) }
                a.original href="/" aria-label="Original" title="Original (f)" { (icon(EXPAND)) }
                button.close type="button" aria-label="Close" title="Close (Esc)" { (icon(CROSS)) }
            }
            // Takes the focus when the dialog opens, so that no button looks chosen.
            div.stage tabindex="-1" autofocus { img alt="" draggable="false"; }
            button.step.back type="button" aria-label="Previous photograph" title="Previous (←)" {
                (icon(LEFT))
            }
            button.step.on type="button" aria-label="Next photograph" title="Next (→)" {
                (icon(RIGHT))
            }
            dl #viewer-details.facts hidden {}
        }
    }
}

const INFO: &str = "M12 11v6M12 7.2v.1M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z";
const EXPAND: &str = "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7";
const CROSS: &str = "M6 6l12 12M18 6 6 18";
/// A chevron to the left.
pub const LEFT: &str = "M14.5 5.5 8 12l6.5 6.5";
/// A chevron to the right.
pub const RIGHT: &str = "M9.5 5.5 16 12l-6.5 6.5";

/// Draws an icon from one path in a box of 24 by 24.
pub fn icon(path: &str) -> Markup {
    html! {
        svg.icon viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false" {
            path d=(path) {}
        }
    }
}
