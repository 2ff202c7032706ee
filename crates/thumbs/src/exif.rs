//! The few EXIF tags that matter, out of a block that anybody may have written.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::exif::experimental::Writer;
use ::exif::{Exif, Field, In, Reader, Tag, Value};

use crate::CivilDateTime;

/// What the EXIF block says about the picture; all of it optional, none of it trusted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub orientation: Option<u8>,
    pub taken_at: Option<CivilDateTime>,
    pub make: Option<String>,
    pub model: Option<String>,
    pub artist: Option<String>,
    pub copyright: Option<String>,
    /// The small JPEG that cameras put beside the picture.
    pub embedded: Option<Vec<u8>>,
}

impl Told {
    /// A block that says whose picture it is and nothing else; `None` when nobody says so.
    pub(crate) fn rights(&self) -> Option<Vec<u8>> {
        let tags = [(Tag::Artist, &self.artist), (Tag::Copyright, &self.copyright)];
        let fields: Vec<Field> = tags
            .into_iter()
            .filter_map(|(tag, text)| {
                let value = Value::Ascii(vec![text.as_ref()?.clone().into_bytes()]);
                Some(Field { tag, ifd_num: In::PRIMARY, value })
            })
            .collect();
        if fields.is_empty() {
            return None;
        }
        let mut writer = Writer::new();
        fields.iter().for_each(|field| writer.push_field(field));
        let mut block = std::io::Cursor::new(Vec::new());
        writer.write(&mut block, true).ok()?;
        Some(block.into_inner())
    }
}

/// A longer block than this is not looked at: a JPEG cannot hold one, and no camera writes one.
const MAX_BLOCK_BYTES: usize = 1 << 20;

/// What the block of a JPEG can hold, where cameras put the small picture.
const MAX_EMBEDDED_BYTES: usize = 64 << 10;

/// Make and model are cut here; the standard sets no limit.
const MAX_TEXT_BYTES: usize = 64;

/// And so are names and notices, which are written into thumbnails.
const MAX_NOTICE_BYTES: usize = 512;

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
        make: primary(Tag::Make).and_then(|value| text(value, MAX_TEXT_BYTES)),
        model: primary(Tag::Model).and_then(|value| text(value, MAX_TEXT_BYTES)),
        artist: primary(Tag::Artist).and_then(|value| text(value, MAX_NOTICE_BYTES)),
        copyright: primary(Tag::Copyright).and_then(|value| text(value, MAX_NOTICE_BYTES)),
        embedded: embedded(exif),
    }
}

fn embedded(exif: &Exif) -> Option<Vec<u8>> {
    let number = |tag| exif.get_field(tag, In::THUMBNAIL)?.value.get_uint(0);
    let start = number(Tag::JPEGInterchangeFormat)? as usize;
    let end = start.checked_add(number(Tag::JPEGInterchangeFormatLength)? as usize)?;
    let held = exif.buf().get(start..end);
    held.filter(|bytes| bytes.len() <= MAX_EMBEDDED_BYTES).map(<[u8]>::to_vec)
}

fn first_ascii(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Ascii(lines) => lines.first().map(Vec::as_slice),
        _ => None,
    }
}

/// One line without control characters and padding; `None` when nothing is left.
fn text(value: &Value, max_bytes: usize) -> Option<String> {
    let bytes = first_ascii(value)?;
    let bytes = &bytes[..bytes.len().min(max_bytes)];
    let line: String = String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}
