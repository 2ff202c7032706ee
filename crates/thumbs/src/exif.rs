//! The few EXIF tags that matter, out of a block that anybody may have written.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::exif::{Exif, In, Reader, Tag, Value};

use crate::CivilDateTime;

/// What the EXIF block says about the picture; all of it optional, none of it trusted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub orientation: Option<u8>,
    pub taken_at: Option<CivilDateTime>,
    pub make: Option<String>,
    pub model: Option<String>,
}

/// A longer block than this is not looked at: a JPEG cannot hold one, and no camera writes one.
const MAX_BLOCK_BYTES: usize = 1 << 20;

/// Make and model are cut here; the standard sets no limit.
const MAX_TEXT_BYTES: usize = 64;

/// Reads a raw block that starts at its TIFF header. What is broken is left out; nothing is an
/// error.
pub(crate) fn read(block: Vec<u8>) -> Told {
    if block.len() > MAX_BLOCK_BYTES {
        return Told::default();
    }
    // The parser is sound code on hostile offsets; should one panic after all, the picture is still
    // good.
    catch_unwind(AssertUnwindSafe(|| parse(block).map(|exif| told(&exif)).unwrap_or_default()))
        .unwrap_or_default()
}

fn parse(block: Vec<u8>) -> Option<Exif> {
    let mut reader = Reader::new();
    reader.continue_on_error(true);
    reader.read_raw(block).or_else(|e| e.distill_partial_result(|_| ())).ok()
}

fn told(exif: &Exif) -> Told {
    let primary = |tag| exif.get_field(tag, In::PRIMARY).map(|field| &field.value);
    let orientation = primary(Tag::Orientation).and_then(|value| value.get_uint(0));
    Told {
        orientation: orientation.and_then(|n| u8::try_from(n).ok()).filter(|n| (1..=8).contains(n)),
        taken_at: [Tag::DateTimeOriginal, Tag::DateTimeDigitized, Tag::DateTime]
            .into_iter()
            .filter_map(|tag| first_ascii(primary(tag)?))
            .find_map(CivilDateTime::from_exif),
        make: primary(Tag::Make).and_then(text),
        model: primary(Tag::Model).and_then(text),
    }
}

fn first_ascii(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Ascii(lines) => lines.first().map(Vec::as_slice),
        _ => None,
    }
}

/// One line without control characters and padding; `None` when nothing is left.
fn text(value: &Value) -> Option<String> {
    let bytes = first_ascii(value)?;
    let bytes = &bytes[..bytes.len().min(MAX_TEXT_BYTES)];
    let line: String = String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}
