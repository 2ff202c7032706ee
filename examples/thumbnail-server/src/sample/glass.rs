//! Stained glass: a picture cut into panes, with light behind it.

use super::canvas::Canvas;
use super::colour::{Gradient, Rgb, hex, mix, smooth};
use super::noise::Noise;

/// Lead between the panes.
const LEAD: u32 = 0x0c0b0e;

/// A window of the sun over hills and water.
pub fn sunrise(canvas: &mut Canvas, seed: u32) {
    let (noise, aspect) = (Noise(seed), canvas.aspect());
    let sky = Gradient::even(&[0x14246f, 0x1f4fb0, 0x5f8fd8, 0xf08a5a, 0xffb838, 0xffe070]);
    let hills = Gradient::even(&[0x2f8f5b, 0x176a4f, 0x0f4f5f]);
    let water = Gradient::even(&[0x1f9fc0, 0x1565a8, 0x20307f]);
    let sun = (aspect * 0.5, 0.40);
    let scene = |u: f32, v: f32, id: u32| {
        let d = ((u - sun.0).powi(2) + (v - sun.1).powi(2)).sqrt();
        let vary = (id >> 8 & 255) as f32 / 255.0 - 0.5;
        let hill = 0.56 - 0.10 * (u * 5.0 + 0.6).sin() - 0.05 * (u * 11.0).cos();
        if d < 0.15 {
            hex(0xff3f1a) * (1.0 + 0.5 * vary) + hex(0xff8a20) * 0.25
        } else if v > 0.72 {
            let path = smooth(0.10, 0.02, (u - sun.0).abs() + vary * 0.06);
            mix(water.at((v - 0.72) * 3.4 + vary * 0.5), hex(0xff9a2f), path * 0.9)
        } else if v > hill {
            hills.at((v - hill) * 4.0 + vary * 0.6)
        } else {
            sky.at(0.92 - (d - 0.15) * 1.7 + vary * 0.24)
        }
    };
    canvas.fill(|u, v| {
        let (x, y) = (u * 21.0, v * 21.0);
        let cell = noise.cell(x, y);
        let colour = scene(cell.centre.0 / 21.0, cell.centre.1 / 21.0, cell.id);
        pane(noise, (u, v), colour, cell.edge)
    });
    canvas.bloom(0.5, 0.03, 0.45);
    canvas.vignette(0.35);
}

/// A rose window: rings of panes around a centre.
pub fn rose(canvas: &mut Canvas, seed: u32) {
    let (noise, aspect) = (Noise(seed), canvas.aspect());
    let colours = Gradient::even(&[
        0xffe27a, 0xf08a24, 0xd81e3a, 0x8a1466, 0x2a2aa0, 0x1576c8, 0x14a0a0, 0x1f3f9f,
    ]);
    let edges = [0.0, 0.07, 0.15, 0.24, 0.34, 0.46, 0.60, 0.76, 1.2];
    canvas.fill(|u, v| {
        let (x, y) = (u - aspect / 2.0, v - 0.5);
        let d = (x * x + y * y).sqrt();
        let turn = y.atan2(x) / std::f32::consts::TAU + 0.5;
        let ring = edges.iter().rposition(|e| d >= *e).unwrap_or(0).min(7);
        let count = [1.0, 8.0, 16.0, 16.0, 32.0, 32.0, 48.0, 48.0][ring];
        let place = turn * count + 0.5 * (ring % 2) as f32;
        let (slice, within) = (place.floor(), place.fract());
        let petal = (within - 0.5).abs() * 2.0;
        // Petals: the outer border of a ring bulges out between the ribs.
        let height = (d - edges[ring]) / (edges[ring + 1] - edges[ring]);
        let arch = smooth(0.0, 1.0, height) - (1.0 - petal * petal).max(0.0).sqrt() * 0.62 - 0.22;
        let inside = arch < 0.0 || ring == 0;
        let rib = (1.0 - petal) * 0.5 * std::f32::consts::TAU * d / count;
        let rib = if count > 1.0 { rib } else { 1.0 };
        let border = (d - edges[ring]).min(edges[ring + 1] - d).min(rib);
        let gap = border.min(arch.abs() * (edges[ring + 1] - edges[ring]) * 0.8);
        let vary = noise.other(ring as u32).at(slice.rem_euclid(count) * 7.31, 0.5);
        let tone = ring as f32 / 7.5 + if inside { 0.0 } else { 0.45 };
        let colour = colours.cycle(tone + 0.05 * vary) * (1.0 + 0.35 * vary);
        pane(noise, (u, v), colour, gap * 15.0)
    });
    canvas.bloom(0.5, 0.03, 0.5);
    canvas.vignette(0.4);
}

/// The light through a pane at a distance from its border, streaked as old glass is.
fn pane(noise: Noise, (u, v): (f32, f32), colour: Rgb, edge: f32) -> Rgb {
    let streak = noise.other(1).fbm(u * 14.0 + 3.0 * v, v * 5.0, 4);
    let seeds = smooth(0.55, 0.9, noise.other(2).at(u * 70.0, v * 70.0));
    let behind = 0.75 + 0.45 * noise.other(3).fbm(u * 1.6, v * 1.6, 3);
    let glass = colour * ((0.85 + 0.28 * streak + 0.25 * seeds) * behind * 1.25);
    let shade = smooth(0.02, 0.22, edge);
    let round = smooth(0.06, 0.0, edge);
    let lead = hex(LEAD) + Rgb::grey(0.03 * smooth(0.03, 0.0, edge));
    mix(glass * (0.55 + 0.45 * shade), lead, smooth(0.25, 0.75, round))
}
