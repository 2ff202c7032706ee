//! Hot-air balloons over misty hills.

use super::canvas::Canvas;
use super::colour::{Rgb, hex, mix, smooth};
use super::noise::Dice;
use super::ridges;

/// The cloth of the balloons, in pairs.
const CLOTH: [[u32; 3]; 7] = [
    [0xd7263d, 0xf7f0e0, 0xf2a900],
    [0x1b4d8c, 0xf4c64a, 0xf7f0e0],
    [0xf4712b, 0xffd98a, 0x8a2f3f],
    [0x2a9d8f, 0xf4ecd8, 0xe76f51],
    [0x6a3fa0, 0xf08aa8, 0xffe0a8],
    [0xf2b630, 0xe0482f, 0x6f2030],
    [0x2f86c0, 0xffffff, 0xe0283a],
];

/// Paints a morning of ridges and lets the balloons rise over it.
pub fn rise(canvas: &mut Canvas, seed: u32, look: &ridges::Look, count: usize) {
    ridges::paint(canvas, seed, look);
    let mut dice = Dice::new(seed);
    let aspect = canvas.aspect();
    let air = canvas.sample(aspect * 0.5, look.top - 0.06);
    for i in 0..count {
        let near = (i as f32 + 0.3) / count as f32;
        let size = 0.022 + 0.125 * near.powf(2.2);
        // One lane each, so that none hides another.
        let lane = ((i * 3 + 3) % count) as f32 + dice.range(0.4, 0.6);
        let place = (aspect * lane / count as f32, 0.16 + 0.30 * dice.unit() + 0.12 * (1.0 - near));
        balloon(canvas, place, size, CLOTH[(i + seed as usize) % CLOTH.len()], (near, air));
    }
}

/// Draws one balloon with its basket; `near` 0 fades into the air.
fn balloon(
    canvas: &mut Canvas,
    (u, v): (f32, f32),
    size: f32,
    cloth: [u32; 3],
    (near, air): (f32, Rgb),
) {
    let colours = cloth.map(hex);
    let fade = 0.55 * (1.0 - near).powi(2);
    let soft = canvas.pixel() / size;
    let area = [u - size, v - size, u + size, v + size * 1.9];
    canvas.shade_box(area, |pu, pv, pixel| {
        let (x, y) = ((pu - u) / size, (pv - v) / size);
        let half = outline(y);
        let cover =
            ((half - x.abs()) / soft + 0.5).clamp(0.0, 1.0) * smooth(-1.0 - soft, -1.0 + soft, y);
        if cover > 0.0 && y < 1.36 {
            let side = (x / half.max(0.02)).clamp(-1.0, 1.0);
            let lit = gore(&colours, side, y);
            *pixel = mix(*pixel, mix(lit, air, fade), cover);
        }
        let rope = (x.abs() - 0.10 - 0.25 * (1.60 - y)).abs();
        let ropes =
            smooth(0.014 + soft, 0.004, rope) * smooth(1.33, 1.36, y) * smooth(1.62, 1.60, y);
        let basket = smooth(soft, -soft, (x.abs() - 0.12).max((y - 1.70).abs() - 0.10));
        let wicker = mix(hex(0x4a2a18) * (1.1 - x * 2.0), air, fade);
        *pixel = mix(*pixel, wicker, (ropes * 0.8).max(basket));
    });
}

/// Half the width of the envelope at a height: -1 is the top, 1.36 the mouth.
fn outline(y: f32) -> f32 {
    if y < 0.1 {
        let t = (y - 0.1) / 1.1;
        (1.0 - t * t).max(0.0).sqrt()
    } else {
        let t = ((y - 0.1) / 1.26).clamp(0.0, 1.0);
        1.0 - 0.80 * t.powf(1.7)
    }
}

/// The cloth at a place: stripes along the seams, a belt around, light from the left.
fn gore(colours: &[Rgb; 3], side: f32, y: f32) -> Rgb {
    let turn = side.asin() / std::f32::consts::PI + 0.5;
    let seam = turn * 8.0;
    let stripe = colours[seam as usize % 2];
    let wave = 0.10 * ((seam.fract() - 0.5).abs() * 2.0);
    let belt = smooth(0.17, 0.15, (y - 0.12 + wave).abs());
    let crown = smooth(-0.72, -0.74, y + wave * 0.5);
    let cloth = mix(stripe, colours[2], belt.max(crown));
    let puff = 0.90 + 0.10 * (1.0 - ((seam.fract() - 0.5) * 2.0).powi(2));
    let light = 0.62 + 0.42 * (1.0 - side * side).sqrt() - 0.34 * side - 0.16 * y;
    cloth * (light.max(0.12) * puff)
        + Rgb::grey(0.12 * smooth(0.35, 0.0, ((side + 0.45).powi(2) + (y + 0.35).powi(2)).sqrt()))
}
