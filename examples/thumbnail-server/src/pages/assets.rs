//! The files the pages load, compiled in and named by their content.

use std::sync::LazyLock;

/// One file under `/assets/`.
#[derive(Debug)]
pub struct Asset {
    /// The `{name}` in `/assets/{name}`.
    pub name: &'static str,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
    /// Eight bytes of the content's hash, in hexadecimal: fit for an `ETag`.
    pub version: String,
    /// The address pages use, `/assets/{name}?v={version}`: may be cached for ever.
    pub url: String,
}

impl Asset {
    fn new(name: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let version = blake3::hash(bytes).to_hex()[..16].to_owned();
        let url = format!("/assets/{name}?v={version}");
        Self { name, content_type, bytes, version, url }
    }
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! content {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $name))
    };
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    vec![
        Asset::new("gallery.css", "text/css; charset=utf-8", content!("gallery.css")),
        Asset::new("gallery.js", JAVASCRIPT, content!("gallery.js")),
        Asset::new("status.js", JAVASCRIPT, content!("status.js")),
        Asset::new("favicon.svg", "image/svg+xml", content!("favicon.svg")),
    ]
});

/// Lists every asset.
pub fn assets() -> &'static [Asset] {
    &ASSETS
}

/// Gives the versioned address of the asset called `name`.
///
/// # Panics
///
/// If there is no such asset: the names are those in this file.
pub fn asset_url(name: &str) -> &'static str {
    match assets().iter().find(|asset| asset.name == name) {
        Some(asset) => &asset.url,
        None => panic!("no asset is called {name}"),
    }
}
