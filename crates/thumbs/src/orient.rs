//! EXIF orientation, applied to the few pixels of a thumbnail.

/// Turns packed pixels of `N` bytes upright; returns them with their new width and height.
pub(crate) fn upright<const N: usize>(
    pixels: Vec<u8>,
    width: u32,
    height: u32,
    orientation: u8,
) -> (Vec<u8>, u32, u32) {
    let (w, h) = (width as usize, height as usize);
    let pick: fn(usize, usize, usize, usize) -> (usize, usize) = match orientation {
        2 => |x, y, w, _| (w - 1 - x, y),
        3 => |x, y, w, h| (w - 1 - x, h - 1 - y),
        4 => |x, y, _, h| (x, h - 1 - y),
        5 => |x, y, _, _| (y, x),
        6 => |x, y, _, h| (y, h - 1 - x),
        7 => |x, y, w, h| (w - 1 - y, h - 1 - x),
        8 => |x, y, w, _| (w - 1 - y, x),
        _ => return (pixels, width, height),
    };
    let (to_w, to_h) = if orientation >= 5 { (h, w) } else { (w, h) };
    let mut turned = Vec::with_capacity(pixels.len());
    for y in 0..to_h {
        for x in 0..to_w {
            let (from_x, from_y) = pick(x, y, w, h);
            let at = (from_y * w + from_x) * N;
            turned.extend_from_slice(&pixels[at..at + N]);
        }
    }
    (turned, to_w as u32, to_h as u32)
}
