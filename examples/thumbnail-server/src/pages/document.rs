//! The shell of every page.

use super::asset_url;
use maud::{DOCTYPE, Markup, html};

const VIEWPORT: &str = "width=device-width, initial-scale=1, viewport-fit=cover";

/// What differs between the shells of two pages.
pub struct Document<'a> {
    /// Goes before the name of the program in the window's title; may be empty.
    pub title: &'a str,
    /// The class of `body`, by which the style sheet tells pages apart.
    pub class: &'a str,
    /// What stands beside the name in the header.
    pub beside_name: Markup,
    /// Further elements for `head`, such as the script.
    pub head: Markup,
    /// The page itself.
    pub main: Markup,
}

impl Document<'_> {
    /// Draws the whole page.
    pub fn render(self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                (self.draw_head())
                body class=(self.class) {
                    header.top {
                        a.name href="/" { "larder" }
                        (self.beside_name)
                    }
                    main { (self.main) }
                    footer.bottom { a href="/status" { "Status" } }
                }
            }
        };
        page.into_string()
    }

    fn draw_head(&self) -> Markup {
        html! {
            head {
                meta charset="utf-8";
                meta name="viewport" content=(VIEWPORT);
                meta name="color-scheme" content="light dark";
                meta name="theme-color" content="#f8f8f8" media="(prefers-color-scheme: light)";
                meta name="theme-color" content="#121212" media="(prefers-color-scheme: dark)";
                title {
                    @if !self.title.is_empty() { (self.title) " · " }
                    "larder"
                }
                link rel="icon" type="image/svg+xml" href=(asset_url("favicon.svg"));
                link rel="stylesheet" href=(asset_url("gallery.css"));
                (self.head)
            }
        }
    }
}

/// The script element of an asset; a module, so it runs after the page is parsed.
pub fn script(name: &str) -> Markup {
    html! { script type="module" src=(asset_url(name)) {} }
}
