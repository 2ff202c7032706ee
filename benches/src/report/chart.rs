//! The pictures: how many times as good as the best peer larder is, and where everybody stands.
//!
//! Both axes are factors on a logarithmic scale, with larder at 1 and better to the right, whatever
//! a row's unit is. Greens are larder's, reds what it loses.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Outcome;
use super::line::{NOISE, Row, Verdict, digits, readable};

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Ink of titles and labels, and of what is beside the point.
pub const INK: RGBColor = RGBColor(31, 41, 51);
/// Ink of axes and notes.
pub const FAINT: RGBColor = RGBColor(107, 119, 133);
/// Lines of a grid.
pub const GRID: RGBColor = RGBColor(226, 231, 236);
/// larder ahead.
pub const GREEN: RGBColor = RGBColor(22, 128, 87);
const RED: RGBColor = RGBColor(200, 66, 42);
const GREY: RGBColor = RGBColor(142, 153, 165);

const WIDTH: i32 = 1060;
const ROW: i32 = 26;
const TOP: i32 = 78;
const BOTTOM: i32 = 34;
const LABELS: i32 = 480;
const RIGHT: i32 = 230;

/// A logarithmic axis from left to right.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    /// Holds all of these, and 1, with a little room.
    fn of(factors: impl Iterator<Item = f64>) -> Self {
        let factors = factors.filter(|factor| factor.is_finite() && *factor > 0.0);
        let (low, high) =
            factors.fold((0.5_f64, 2.0_f64), |(low, high), f| (low.min(f), high.max(f)));
        Axis { low: low / 1.15, high: high * 1.15 }
    }

    fn x(&self, factor: f64) -> i32 {
        let share = (factor / self.low).ln() / (self.high / self.low).ln();
        LABELS + (share.clamp(0.0, 1.0) * f64::from(WIDTH - LABELS - RIGHT)) as i32
    }

    /// Round factors that are not too many.
    fn ticks(&self) -> Vec<f64> {
        let all = [0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
        let within: Vec<f64> =
            all.into_iter().filter(|t| (self.low..self.high).contains(t)).collect();
        let few = |tick: &f64| tick.log10().fract() == 0.0;
        match within.len() {
            ..=8 => within,
            _ => within.into_iter().filter(few).collect(),
        }
    }
}

/// Bars of some rows: how many times as good as the best peer. None, if there is nothing to draw.
///
/// # Errors
///
/// What the plotting crate says.
pub fn overview(rows: &[&Row<'_>]) -> Outcome<Option<String>> {
    let rows: Vec<_> = rows.iter().filter_map(|row| Some((*row, row.advantage()?))).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let axis = Axis::of(rows.iter().map(|(_, times)| *times));
    let mut svg = String::new();
    let area = canvas(&mut svg, rows.len())?;
    title(
        &area,
        "larder, times as good as the best peer",
        "right of 1 larder leads, left of it it loses",
    )?;
    grid(&area, &axis, rows.len())?;
    for (nth, (row, times)) in rows.iter().enumerate() {
        let y = middle(nth);
        let color = match row.verdict() {
            Verdict::Leads => GREEN,
            Verdict::Loses => RED,
            _ => GREY,
        };
        let (one, end) = (axis.x(1.0), axis.x(*times));
        let (left, right) = (one.min(end), one.max(end).max(one.min(end) + 2));
        area.draw(&Rectangle::new([(left, y - 7), (right, y + 7)], color.filled()))?;
        let name = row.best().map_or("", |best| best.name);
        text(&area, &row.work, (LABELS - 14, y), 13, INK, HPos::Right)?;
        let said = format!("{} x {name}", digits(*times));
        text(&area, &said, (right + 8, y), 13, color, HPos::Left)?;
    }
    area.present()?;
    drop(area);
    Ok(Some(svg))
}

/// Dots of all who were measured in some rows.
///
/// # Errors
///
/// What the plotting crate says.
pub fn beside(part: &str, rows: &[Row<'_>]) -> Outcome<String> {
    let everyone = |row: &'_ Row<'_>| -> Vec<f64> {
        row.peers.iter().chain(&row.floor).map(|one| one.times_ours).collect()
    };
    let axis = Axis::of(rows.iter().flat_map(everyone));
    let mut svg = String::new();
    let area = canvas(&mut svg, rows.len())?;
    title(&area, &format!("{part}: all that were measured, beside larder"), "")?;
    legend(&area)?;
    grid(&area, &axis, rows.len())?;
    for (nth, row) in rows.iter().enumerate() {
        let y = middle(nth);
        let (step, unit) = readable(row.ours, &row.unit);
        text(&area, &row.work, (LABELS - 14, y), 13, INK, HPos::Right)?;
        dots(&area, &axis, row, y)?;
        let number = |value: f64| format!("{} {unit}", digits(value / step));
        text(&area, &number(row.ours), (WIDTH - RIGHT + 90, y), 13, GREEN, HPos::Right)?;
        if let Some(best) = row.best() {
            let color = if row.verdict() == Verdict::Loses { RED } else { FAINT };
            let said = format!("{} {}", best.name, number(best.value));
            text(&area, &said, (WIDTH - RIGHT + 102, y), 12, color, HPos::Left)?;
        }
    }
    area.present()?;
    drop(area);
    Ok(svg)
}

/// One row's dots; larder's on top.
fn dots(area: &Area<'_>, axis: &Axis, row: &Row<'_>, y: i32) -> Outcome<()> {
    if let Some(floor) = &row.floor {
        diamond(area, (axis.x(floor.times_ours), y))?;
    }
    for peer in row.peers.iter().rev() {
        let color = if peer.times_ours > 1.0 + NOISE { RED } else { GREY };
        area.draw(&Circle::new((axis.x(peer.times_ours), y), 5, color.mix(0.75).filled()))?;
    }
    Ok(area.draw(&Circle::new((axis.x(1.0), y), 6, GREEN.filled()))?)
}

fn diamond(area: &Area<'_>, (x, y): (i32, i32)) -> Outcome<()> {
    let corners = vec![(x - 6, y), (x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)];
    Ok(area.draw(&PathElement::new(corners, FAINT.stroke_width(1)))?)
}

fn legend(area: &Area<'_>) -> Outcome<()> {
    for (x, color, words) in [
        (26, GREEN, "larder, and its number"),
        (216, GREY, "peers, that many times as good"),
        (450, RED, "peers that are better"),
    ] {
        area.draw(&Circle::new((x, 48), 5, color.filled()))?;
        text(area, words, (x + 12, 48), 13, FAINT, HPos::Left)?;
    }
    diamond(area, (620, 48))?;
    text(area, "the floor", (632, 48), 13, FAINT, HPos::Left)?;
    let end = WIDTH - RIGHT + 102;
    text(area, "the best peer", (end, TOP - 12), 12, FAINT, HPos::Left)
}

fn canvas(svg: &mut String, rows: usize) -> Outcome<Area<'_>> {
    let height = TOP + ROW * rows as i32 + BOTTOM;
    let area = SVGBackend::with_string(svg, (WIDTH as u32, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    Ok(area)
}

fn title(area: &Area<'_>, title: &str, note: &str) -> Outcome<()> {
    text(area, title, (20, 24), 20, INK, HPos::Left)?;
    text(area, note, (20, 48), 13, FAINT, HPos::Left)
}

fn middle(nth: usize) -> i32 {
    TOP + ROW * nth as i32 + ROW / 2
}

fn grid(area: &Area<'_>, axis: &Axis, rows: usize) -> Outcome<()> {
    let end = TOP + ROW * rows as i32;
    for tick in axis.ticks() {
        let x = axis.x(tick);
        let color = if tick == 1.0 { INK } else { GRID };
        area.draw(&PathElement::new(vec![(x, TOP - 4), (x, end + 4)], color.stroke_width(1)))?;
        text(area, &format!("{tick} x"), (x, end + 16), 12, FAINT, HPos::Center)?;
    }
    Ok(())
}

/// Writes words; `at` is their left end, right end or middle, half-way up.
pub fn text(
    area: &Area<'_>,
    words: &str,
    at: (i32, i32),
    size: i32,
    color: RGBColor,
    anchor: HPos,
) -> Outcome<()> {
    let style = ("sans-serif", size).into_font().color(&color);
    Ok(area.draw(&Text::new(words, at, style.pos(Pos::new(anchor, VPos::Center))))?)
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;
    use crate::report::job::Part;
    use crate::table::Reading;

    fn drawn(larder: f64, dashmap: f64) -> (String, Option<String>) {
        let reading = |system: &str, value| Reading {
            id: format!("vars_read/{system}/2"),
            value,
            unit: "ns".into(),
            interval: None,
        };
        let readings = [reading("larder", larder), reading("dashmap", dashmap)];
        let by_name = readings.iter().map(|reading| (reading.id.as_str(), reading)).collect();
        let line = lines::of(Part::Vars).iter().find(|line| line.id == "vars-read-2").unwrap();
        let row = line.row(&by_name).unwrap();
        (beside("vars", std::slice::from_ref(&row)).unwrap(), overview(&[&row]).unwrap())
    }

    #[test]
    fn a_loss_is_red_and_a_lead_green() {
        let red = "#C8422A";
        let (dots, bars) = drawn(30.0, 10.0);
        assert!(dots.matches(red).count() > 1 && bars.unwrap().contains(red));
        let (dots, bars) = drawn(10.0, 30.0);
        // The legend has one.
        assert_eq!(dots.matches(red).count(), 1);
        assert!(!bars.unwrap().contains(red));
    }

    #[test]
    fn numbers_that_are_none_draw_nothing() {
        let (dots, bars) = drawn(0.0, 0.0);
        assert!(dots.contains("</svg>"));
        assert!(bars.is_none());
    }

    #[test]
    fn ticks_are_few_and_have_the_one() {
        for (low, high) in [(0.9, 1.1), (0.01, 300.0), (0.3, 20.0)] {
            let ticks = Axis::of([low, high].into_iter()).ticks();
            assert!(ticks.contains(&1.0) && ticks.len() <= 8, "{ticks:?}");
        }
    }
}
