//! A thumbnail says nothing about its picture, but for the rights when they are asked for.

mod pictures;

use ::exif::experimental::Writer;
use ::exif::{Field, In, Reader, Tag, Value};
use larder_thumbs::{Output, Preset, Source, Thumbnailer};
use pictures::{Extras, decode, jpeg_with, scene};

fn block(fields: &[(Tag, &str)], embedded: Option<&[u8]>) -> Vec<u8> {
    let fields = fields.iter().map(|(tag, text)| Field {
        tag: *tag,
        ifd_num: In::PRIMARY,
        value: Value::Ascii(vec![text.as_bytes().to_vec()]),
    });
    let fields: Vec<Field> = fields.collect();
    let mut writer = Writer::new();
    fields.iter().for_each(|field| writer.push_field(field));
    if let Some(jpeg) = embedded {
        writer.set_jpeg(jpeg, In::THUMBNAIL);
    }
    let mut block = std::io::Cursor::new(Vec::new());
    writer.write(&mut block, false).unwrap();
    block.into_inner()
}

fn photograph(exif: Vec<u8>) -> Source {
    let extras = Extras { exif: Some(exif), ..Extras::default() };
    Source::bytes(jpeg_with(&scene(600, 400), extras))
}

fn signed() -> Source {
    photograph(block(
        &[
            (Tag::Artist, "A. Painter"),
            (Tag::Copyright, "(c) 2001 A. Painter"),
            (Tag::Make, "Secret Cameras"),
        ],
        None,
    ))
}

#[test]
fn nothing_is_left_unless_asked_for() {
    let made = Thumbnailer::builder().build().make(&signed(), 100).unwrap();
    decode(&made.bytes); // which refuses metadata
    let holds = |text: &str| made.bytes.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(!holds("Painter") && !holds("Secret"));
}

#[test]
fn the_rights_are_kept_on_request_and_nothing_else() {
    for output in [Output::Jpeg, Output::Png] {
        let preset = Preset::new(100).output(output).keep_copyright(true);
        let made = Thumbnailer::builder().build().make(&signed(), preset).unwrap();
        let mut bytes = std::io::Cursor::new(&made.bytes);
        let kept = Reader::new().read_from_container(&mut bytes).expect("an EXIF block");
        let mut tags: Vec<_> = kept.fields().map(|field| field.tag).collect();
        tags.sort();
        assert_eq!(tags, [Tag::Artist, Tag::Copyright], "{output:?}");
        let notice = kept.get_field(Tag::Copyright, In::PRIMARY).unwrap();
        assert_eq!(notice.display_value().to_string(), "\"(c) 2001 A. Painter\"");
    }
}

#[test]
fn a_picture_without_rights_gets_no_block() {
    let plain = photograph(block(&[(Tag::Make, "Secret Cameras")], None));
    let preset = Preset::new(100).keep_copyright(true);
    decode(&Thumbnailer::builder().build().make(&plain, preset).unwrap().bytes);
}

/// A grey little picture in a colourful large one shows which of them was used.
mod embedded {
    use super::*;
    use larder_files::Limits;
    use larder_thumbs::ThumbCache;
    use pictures::Pixels;

    const CAMERA: [(Tag, &str); 1] = [(Tag::Make, "Cameras")];

    fn with_embedded(width: u32, height: u32) -> Source {
        let grey = Pixels::from_fn(width, height, |_, _| [90, 90, 90]);
        photograph(block(&CAMERA, Some(&pictures::jpeg(&grey))))
    }

    fn is_used(source: &Source, preset: Preset) -> bool {
        let made = Thumbnailer::builder().build().make(source, preset).unwrap();
        let [r, g, b] = decode(&made.bytes).at(3, 3);
        assert_eq!(made.width, 90);
        r.abs_diff(g) < 9 && g.abs_diff(b) < 9
    }

    #[test]
    fn it_is_used_only_when_allowed() {
        let source = with_embedded(150, 100);
        assert!(is_used(&source, Preset::new(90).allow_embedded(true)));
        assert!(!is_used(&source, Preset::new(90)));
    }

    /// Nor does it come by way of a larger thumbnail in the cache.
    #[test]
    fn one_that_may_not_be_used_is_not_derived_from() {
        let dir = tempfile::tempdir().unwrap();
        let thumbnailer = Thumbnailer::builder().build();
        let thumbs = ThumbCache::open(thumbnailer, dir.path(), Limits::new()).unwrap();
        let allowed = |edge| Preset::new(edge).allow_embedded(true);
        let thumbs = thumbs.derive_from([allowed(140)]);
        let source = with_embedded(150, 100);
        let grey = |preset: Preset| {
            let entry = thumbs.get_or_make(b"a", "1", &source, preset).unwrap();
            let [r, g, b] = decode(&entry.read().unwrap()).at(3, 3);
            r.abs_diff(g) < 9 && g.abs_diff(b) < 9
        };
        assert!(grey(allowed(140)));
        assert!(!grey(Preset::new(70)));
        assert!(grey(allowed(60)));
    }

    #[test]
    fn one_that_is_too_small_or_has_bars_is_not_used() {
        let preset = Preset::new(90).allow_embedded(true);
        assert!(!is_used(&with_embedded(75, 50), preset.clone()));
        assert!(!is_used(&with_embedded(160, 120), preset));
    }

    #[test]
    fn a_broken_one_costs_nothing() {
        let grey = Pixels::from_fn(150, 100, |_, _| [90, 90, 90]);
        let jpeg = pictures::jpeg(&grey);
        let preset = Preset::new(90).allow_embedded(true);
        for broken in [&jpeg[..jpeg.len() / 3], b"no picture", b""] {
            assert!(!is_used(&photograph(block(&CAMERA, Some(broken))), preset.clone()));
        }
    }
}
