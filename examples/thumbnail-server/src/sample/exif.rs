//! What a camera would write beside the pixels: a minimal TIFF directory for the APP1 segment.
//!
//! Layout (little endian): header, directory 0, its texts, the Exif directory, its text. A text of
//! more than four bytes, its closing zero included, lies outside its 12-byte entry.

/// Kind 2: a text that ends in a zero.
const ASCII: u16 = 2;
/// Kind 3: 16 bits.
const SHORT: u16 = 3;
/// Kind 4: 32 bits.
const LONG: u16 = 4;

/// One directory while it is written.
struct Directory {
    entries: Vec<u8>,
    count: u16,
    texts: Vec<u8>,
    texts_at: u32,
}

impl Directory {
    /// A directory of `count` entries that begins at `start`.
    fn new(start: u32, count: u16) -> Directory {
        let texts_at = start + 2 + u32::from(count) * 12 + 4;
        Directory { entries: Vec::new(), count, texts: Vec::new(), texts_at }
    }

    /// Adds a number; a SHORT is left-justified, which little endian does by itself.
    fn number(&mut self, tag: u16, kind: u16, value: u32) {
        self.entry(tag, kind, 1, value);
    }

    /// Adds a text of at least four bytes.
    fn text(&mut self, tag: u16, text: &str) {
        let at = self.texts_at + self.texts.len() as u32;
        self.texts.extend_from_slice(text.as_bytes());
        self.texts.push(0);
        self.entry(tag, ASCII, text.len() as u32 + 1, at);
        // Values begin at even places.
        if self.texts.len() % 2 == 1 {
            self.texts.push(0);
        }
    }

    /// Adds a raw entry.
    fn entry(&mut self, tag: u16, kind: u16, count: u32, value: u32) {
        self.entries.extend_from_slice(&tag.to_le_bytes());
        self.entries.extend_from_slice(&kind.to_le_bytes());
        self.entries.extend_from_slice(&count.to_le_bytes());
        self.entries.extend_from_slice(&value.to_le_bytes());
    }

    /// The place after the directory and its texts.
    fn end(&self) -> u32 {
        self.texts_at + self.texts.len() as u32
    }

    /// The bytes of the directory, with no directory after it.
    fn bytes(&self) -> Vec<u8> {
        assert_eq!(self.entries.len(), usize::from(self.count) * 12, "count said otherwise");
        [&self.count.to_le_bytes()[..], &self.entries, &[0; 4], &self.texts].concat()
    }
}

/// Writes title, maker, orientation (1 to 8) and the time the picture was taken
/// (`YYYY:MM:DD HH:MM:SS`) as a TIFF block; the caller puts `Exif\0\0` before it.
pub fn tiff(title: &str, orientation: u8, taken: &str) -> Vec<u8> {
    let mut main = Directory::new(8, 5);
    main.text(0x010e, title);
    main.text(0x010f, "larder");
    main.text(0x0110, "sample");
    main.number(0x0112, SHORT, u32::from(orientation));
    // The last entry adds no text, so the end is already known.
    let exif_at = main.end();
    main.number(0x8769, LONG, exif_at);
    let mut exif = Directory::new(exif_at, 1);
    exif.text(0x9003, taken);
    [b"II*\0\x08\0\0\0", &main.bytes()[..], &exif.bytes()[..]].concat()
}
