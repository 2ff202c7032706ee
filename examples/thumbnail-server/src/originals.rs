//! `GET /original/{id}`: the photograph itself, by descriptor, with ranges.

use std::fs::File;
use std::io;
use std::sync::Arc;

use http::header::{CONTENT_DISPOSITION, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use larder_serve::Reply;

use crate::app::App;
use crate::import;
use crate::library::Photo;
use crate::replies;

/// Answers with the file as it is now. The validator comes from the open file, so a photograph
/// that was just changed never continues an older download.
pub fn reply(app: &App, photo: &Photo) -> Reply {
    let file = match open(app, photo) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return replies::gone(),
        Err(error) => {
            eprintln!("thumbnail-server: cannot open {:?}: {error}", app.path(photo));
            let reason = "The file of this photograph cannot be read just now.";
            return replies::come_again(reason);
        }
    };
    let Ok(meta) = file.metadata() else { return replies::gone() };
    let stamp = import::stamp(&meta);
    let mut reply = Reply::file(Arc::new(file), 0, meta.len())
        .content_type(media_type(photo))
        .etag(format!("\"{:x}-{:x}\"", stamp.mtime_ns, stamp.size_bytes))
        .cache_control("public, no-cache")
        .header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .header(CONTENT_DISPOSITION, disposition(photo));
    if let Ok(modified) = meta.modified() {
        reply = reply.last_modified(modified);
    }
    reply
}

/// Opens the file unless something else took its place: opening a pipe would wait for its writer.
fn open(app: &App, photo: &Photo) -> io::Result<File> {
    import::metadata(&app.photos_dir, &photo.path)?;
    File::open(app.path(photo))
}

/// A file that is no picture is never shown by a browser, whatever it holds.
fn media_type(photo: &Photo) -> &str {
    if photo.media_type.is_empty() { "application/octet-stream" } else { &photo.media_type }
}

/// Shown in the page, saved under its own name (RFC 6266, RFC 8187).
fn disposition(photo: &Photo) -> HeaderValue {
    let name = photo.path.file_name().unwrap_or_default().as_encoded_bytes();
    let mut value = String::from("inline; filename*=UTF-8''");
    for &byte in name {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            value.push(char::from(byte));
        } else {
            value.push_str(&format!("%{byte:02X}"));
        }
    }
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("inline"))
}
